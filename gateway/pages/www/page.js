// What pages are made of: lit-html, icons, badges, notes, dialogs, toasts, files to keep.
import { html, nothing, render, svg } from './lit-html.js';
import { Problem } from './api.js';
import { either, lang, setLang, t, texts } from './text.js';

export { html, nothing, render, svg };

texts({
  'page.close': ['閉じる', 'Close'],
  'page.cancel': ['キャンセル', 'Cancel'],
  'page.request': ['受付番号', 'Request'],
  'page.loading': ['読み込んでいます', 'Loading'],
  'page.language': ['言語', 'Language'],
  'page.failed': ['エラーが発生しました。', 'Something went wrong.'],
  'page.reload': ['画面を開き直してください。', 'Open the page again.'],
});

// ---- icons: drawn here, in the colour of the text; never without a text beside them ----

const ICONS = {
  ok: 'M5 12.5 10 17 19 7', warn: 'M12 4 2.5 20h19L12 4Zm0 6v5m0 2.5v.5', bad: 'M8 8l8 8m0-8-8 8M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19Z', info: 'M12 11v6m0-10v.5M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19Z',
  wait: 'M12 7v5l3 2M12 2.5a9.5 9.5 0 1 0 0 19 9.5 9.5 0 0 0 0-19Z', pause: 'M9 6v12m6-12v12', list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01', file: 'M14 3H6v18h12V7l-4-4Zm0 0v4h4', upload: 'M12 16V4m-5 5 5-5 5 5M4 16v4h16v-4',
  download: 'M12 4v12m-5-5 5 5 5-5M4 18v2h16v-2', people: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7 9a7 7 0 0 1 14 0M16 3.5a4 4 0 0 1 0 7M18 14a7 7 0 0 1 4 6', person: 'M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 10a8 8 0 0 1 16 0', home: 'M4 11 12 4l8 7v9h-5v-6H9v6H4v-9Z',
  chart: 'M4 20V4m0 16h16M8 16v-5m4 5V8m4 8v-3', health: 'M3 12h4l3-7 4 14 3-7h4', calendar: 'M4 6h16v14H4V6Zm0 4h16M8 3v4m8-4v4', log: 'M5 3h14v18H5V3Zm4 5h6m-6 4h6m-6 4h4', key: 'M15 9a4 4 0 1 0-3.5 4L13 14.5V17h2.5v2.5H18V22h3v-3.5l-6.2-6.2A4 4 0 0 0 15 9Zm-4.5-.5h.01', lock: 'M6 11h12v10H6V11Zm3 0V7a3 3 0 0 1 6 0v4',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm4.5-2 6 6', menu: 'M4 7h16M4 12h16M4 17h16', back: 'M15 5l-7 7 7 7', next: 'M9 5l7 7-7 7', undo: 'M4 9h10a5 5 0 0 1 0 10H8M4 9l4-4M4 9l4 4', eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12Zm10 3a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z',
  out: 'M14 4h6v16h-6M4 12h11m-4-4 4 4-4 4', card: 'M3 6h18v12H3V6Zm0 4h18M7 15h4', syringe: 'M18 3l3 3m-1.5-1.5L16 8m-3-3 6 6-9 9H6l-2-2v-4l9-9Zm-4 5 3 3M3 21l2-2', scan: 'M4 8V4h4m8 0h4v4m0 8v4h-4m-8 0H4v-4M7 12h10', bell: 'M6 17V11a6 6 0 0 1 12 0v6l2 2H4l2-2Zm4 4h4', shield: 'M12 3 4 6v6c0 5 3.5 8 8 9 4.5-1 8-4 8-9V6l-8-3Z', trash: 'M5 7h14M10 7V4h4v3m-7 0 1 13h8l1-13', flag: 'M5 21V4h13l-3 4 3 4H5',
};

export const icon = (name) => svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${ICONS[name] ?? ICONS.info}></path></svg>`;

const MARK = { ok: 'ok', warn: 'warn', bad: 'bad', info: 'info', wait: 'wait' };

// kind: ok, warn, bad, info, or wait (plain): a shape and a word, never the colour alone
export const badge = (kind, text) => html`<span class="badge ${kind}">${icon(MARK[kind] ?? 'info')}${text}</span>`;

export const note = (kind, title, text, more = nothing) => html`<div class="note ${kind}" role=${kind === 'bad' ? 'alert' : nothing}>${icon(MARK[kind] ?? 'info')}
  <div class="stack tight grow"><strong>${title}</strong>${text ? html`<p>${text}</p>` : nothing}${more}</div></div>`;

// What the gateway refused, in the language of the page, with what the operator needs to find it
export function problemNote(problem) {
  if (!problem) return nothing;
  if (!(problem instanceof Problem)) return note('bad', t('page.failed'), t('page.reload'));
  const fields = problem.fields.length ? html`<ul>${problem.fields.map((f) => html`<li><code>${f.field}</code> ${either(f.message_ja, f.message_en)}</li>`)}</ul>` : nothing;
  const id = problem.requestId ? html`<p class="small soft">${t('page.request')}: <code>${problem.requestId}</code></p>` : nothing;
  return note('bad', problem.title || t('page.failed'), problem.detail, html`${fields}${id}`);
}

export const loading = () => html`<p class="empty" role="status"><span class="busy" aria-hidden="true"></span> ${t('page.loading')}</p>`;
export const empty = (text, more = nothing) => html`<div class="empty stack"><p>${text}</p>${more}</div>`;

// 日本語 / English. What it changes repaints itself by onLang() of text.js
export const languageSwitch = () => html`<button type="button" class="quiet" lang=${lang() === 'ja' ? 'en' : 'ja'} @click=${() => setLang(lang() === 'ja' ? 'en' : 'ja')}>${lang() === 'ja' ? 'English' : '日本語'}</button>`;

// ---- above the page ----

function place(id, role) {
  let at = document.getElementById(id);
  if (!at) {
    at = document.createElement('div');
    at.id = id;
    if (role === 'toasts') at.className = 'toasts';
    else at.className = 'visually-hidden';
    at.setAttribute('role', 'status');
    at.setAttribute('aria-live', 'polite');
    document.body.append(at);
  }
  return at;
}

// To screen readers only
export function announce(text) {
  const at = place('announcer');
  at.textContent = '';
  requestAnimationFrame(() => { at.textContent = text; });
}

// A line that goes by itself, unless it tells of a failure
export function toast(text, kind = 'info') {
  const at = place('toasts', 'toasts');
  const box = document.createElement('div');
  box.className = `toast ${kind}`;
  const gone = () => box.remove();
  render(html`${icon(MARK[kind] ?? 'info')}<span class="grow">${text}</span><button type="button" class="quiet" @click=${gone}>${t('page.close')}</button>`, box);
  at.append(box);
  if (kind !== 'bad') setTimeout(gone, 8000);
}

let dialogs = 0;

// Opens a dialog with a form; body(value): the template between the title and the buttons. The answer is null when it was closed, else what submit(form) gave;
// submit may be async and may throw a Problem, which is shown in the dialog. no: { text, act } in place of "cancel".
export function dialog({ title, body = () => nothing, yes, no, kind = 'primary', submit = () => true }) {
  return new Promise((resolve) => {
    const box = document.createElement('dialog');
    const heading = `dialog-title-${++dialogs}`;
    box.setAttribute('aria-labelledby', heading);
    const before = document.activeElement;
    let problem = null, busy = false, result = null;
    const paint = () => render(html`<form class="stack" novalidate @submit=${go}>
      <h2 id=${heading}>${title}</h2>${problem ? problemNote(problem) : nothing}${body(paint)}
      <div class="row end"><button type="button" @click=${() => { box.close(); no?.act(); }}>${no ? no.text : yes ? t('page.cancel') : t('page.close')}</button>
      ${yes ? html`<button type="submit" class=${kind} ?disabled=${busy}>${yes}</button>` : nothing}</div></form>`, box);
    async function go(event) {
      event.preventDefault();
      if (busy || !event.target.reportValidity()) return;
      busy = true;
      problem = null;
      paint();
      try {
        result = await submit(event.target);
        if (result !== null) box.close();
      } catch (e) {
        problem = e;
      }
      busy = false;
      paint();
    }
    box.addEventListener('close', () => {
      box.remove();
      before?.focus?.();
      resolve(result);
    });
    document.body.append(box);
    paint();
    box.showModal();
  });
}

export const confirm = (title, text, yes, kind) => dialog({ title, yes, kind, body: () => html`<p>${text}</p>` }).then(Boolean);

// Keeps a text as a file of the person who looks
export function keep(name, type, parts) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// A cell of CSV: quoted where needed; what a spreadsheet would take for a formula begins with an apostrophe
export function csvCell(value) {
  let s = value === undefined || value === null ? '' : String(value);
  if (/^[=+\-@\t\r]/.test(s)) s = `'${s}`;
  return /[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
}
