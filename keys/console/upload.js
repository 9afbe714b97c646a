import { html } from './page.js';
export default { path: 'upload', title: 'console.name', open: () => () => html`<h1 tabindex="-1">upload</h1>` };
