export const tried = "tried";
