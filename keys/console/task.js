import { html } from './page.js';
export default { path: 'task', title: 'console.name', open: () => () => html`<h1 tabindex="-1">task</h1>` };
