// Which view is at which address: the part behind # (an address never holds a number or a resident's key: what is looked for stays in the page).
//
// How to add a view: write a module here, name it in VIEWS, and give it texts of its own with texts().
//   export default {
//     path: 'users/:id',            what stands behind "#/"; ":id" is one segment, handed on as args.id
//     title: 'users.title',         key of its text: heading of the browser's tab, and what a screen reader hears
//     nav: 'users.nav',             key of its text in the navigation; left out when it has no place there
//     icon: 'people',               of page.js
//     may: (who) => who.role === 'admin',   who: { user, role, programs, reveal }; left out: everybody
//     open({ args, query, who, signal, paint, go }) {     called when it is entered: starts what it needs
//       return () => html`<h1 tabindex="-1">…</h1>…`;     painted now, after each paint(), and when the language changes
//     },
//   };
// signal aborts when the view is left: hand it to get(), post() and follow() of api.js. query: URLSearchParams behind "?" of the address. go('tasks') changes the address.
// A view begins with one <h1 tabindex="-1">, which gets the focus.
import { html, render } from './page.js';
import { announce, empty } from './page.js';
import { onLang, t, texts } from './text.js';
import residents from './residents.js';
import certificates from './certificates.js';
import log from './log.js';
import users from './users.js';
import account from './account.js';
import overview from './overview.js';
import tasks from './tasks.js';
import task from './task.js';
import upload from './upload.js';

export const VIEWS = [overview, tasks, task, upload, residents, certificates, log, users, account];

texts({
  'console.name': ['pmhgw コンソール', 'pmhgw console'],
  'console.no_view': ['画面が見つかりません', 'No such page'],
  'console.no_view_text': ['メニューから選んでください。', 'Choose one from the menu.'],
  'console.not_yours': ['この画面を開く権限がありません', 'This page is not open to you'],
  'console.not_yours_text': ['必要な場合は管理者に権限の付与を依頼してください。', 'Ask an administrator for the right if you need it.'],
});

export const may = (view, who) => !view.may || view.may(who);

function match(view, words) {
  const wanted = view.path.split('/');
  if (wanted.length !== words.length) return null;
  const args = {};
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i].startsWith(':')) args[wanted[i].slice(1)] = words[i];
    else if (wanted[i] !== words[i]) return null;
  }
  return args;
}

export function find(address) {
  const [path, query] = address.replace(/^#?\/?/, '').split('?');
  const words = path.split('/');
  for (const view of VIEWS) {
    const args = match(view, words);
    if (args && words.every((w) => /^[A-Za-z0-9_-]{1,64}$/.test(w))) return { view, args, query: new URLSearchParams(query ?? '') };
  }
  return null;
}

export const go = (to) => { location.hash = `#/${to}`; };

const plain = (title, text) => () => html`<div class="wrap"><h1 tabindex="-1">${t(title)}</h1>${empty(t(text))}</div>`;

// Runs the views inside root. home(): where an empty address leads. moved(view): told of each change, for the navigation. The answer ends it.
export function run({ root, who, home, moved }) {
  let leave = null, painting = null, title = 'console.name';

  function paint() {
    if (!painting) return;
    render(painting(), root);
    document.title = `${t(title)} – ${t('console.name')}`;
  }

  function enter(first) {
    if (!location.hash || location.hash === '#/' || location.hash === '#') {
      location.replace(`#/${home()}`);
      if (!first) return;
    }
    leave?.abort();
    leave = new AbortController();
    const { signal } = leave;
    const found = find(location.hash);
    const allowed = found && may(found.view, who);
    title = allowed ? found.view.title : found ? 'console.not_yours' : 'console.no_view';
    render(html``, root);
    painting = null;
    const again = () => { if (!signal.aborted) paint(); };
    painting = allowed ? found.view.open({ args: found.args, query: found.query, who, signal, paint: again, go })
      : found ? plain('console.not_yours', 'console.not_yours_text') : plain('console.no_view', 'console.no_view_text');
    moved(found?.view ?? null);
    paint();
    if (first) return;
    announce(t(title));
    root.querySelector('h1')?.focus();
    scrollTo(0, 0);
  }

  const onHash = () => enter(false);
  addEventListener('hashchange', onHash);
  const quiet = onLang(paint);
  enter(true);
  return () => {
    leave?.abort();
    painting = null;
    removeEventListener('hashchange', onHash);
    quiet();
  };
}
