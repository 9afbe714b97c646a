#include "mocks/synth/program.h"

/* The inner names of maxCopaymentAmount are not published; the parts are those that 堺市's assessment lists. */
#define COPAY(id, type, definition, rate, amount, times) { id, type, definition, rate, amount, times }
#define NO_COPAY { NULL, NULL, NULL, NULL, NULL, NULL }

const struct synth_program PROGRAMS[PROG__MAX] = {
    [PROG_CHILD] = { "KODOMO-01", "88", NULL, false, COPAY("K1", "1", "1", "0", "500", "2"), "1", NULL, NULL, false },
    [PROG_SINGLE_PARENT] = { "HITORIOYA-01", "84", "ひとり親家庭等医療費受給資格証", false, COPAY("H1", "2", "2", "10", "1000", "0"), "2", "B", NULL, false },
    [PROG_DISABLED] = { "SHOGAI-01", "80", "重度心身障害者医療費受給者証", false, COPAY("S1", "2", "2", "10", "2000", "0"), "3", "A", "01-02;03-01", true },
    [PROG_IKUSEI] = { "IKUSEI-01", "16", "自立支援医療受給者証(育成医療)", true, COPAY("I1", "2", "1", "10", "5000", "0"), NULL, "中間1", NULL, false },
    [PROG_SHOMAN] = { "SHOMAN-01", "52", "小児慢性特定疾病医療受給者証", true, COPAY("C1", "2", "1", "20", "2500", "0"), NULL, "Ⅲ", "02-01", false },
    [PROG_YOIKU] = { "YOIKU-01", "23", "養育医療券", true, NO_COPAY, NULL, "C1", NULL, false },
};
