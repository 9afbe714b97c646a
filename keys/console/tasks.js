import { html } from './page.js';
export default { path: 'tasks', title: 'console.name', open: () => () => html`<h1 tabindex="-1">tasks</h1>` };
