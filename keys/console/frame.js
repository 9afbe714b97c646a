// The frame around the views: name, navigation by rights, language, logout, and the warning before the session ends.
import { announce, dialog, html, icon, languageSwitch, nothing, render } from './page.js';
import { duration, onLang, t, texts } from './text.js';
import { logout, touch, warnAt, watch, who } from './session.js';
import { VIEWS, may, run } from './router.js';

texts({
  'frame.skip': ['本文へ移動', 'Skip to the content'],
  'frame.menu': ['メニュー', 'Menu'],
  'frame.nav': ['画面の一覧', 'Pages'],
  'frame.logout': ['ログアウト', 'Log out'],
  'frame.user': ['ログイン中の職員', 'Logged in'],
  'frame.api': ['API仕様', 'API reference'],
  'role.viewer': ['閲覧者', 'Viewer'],
  'role.officer': ['担当者', 'Officer'],
  'role.admin': ['管理者', 'Administrator'],
  'frame.idle_title': ['まもなくログアウトします', 'You will be logged out soon'],
  'frame.idle_text': ['操作がないため、あと{time}でログアウトします。作業を続けますか。', 'Nothing was done for a while: you will be logged out in {time}. Go on working?'],
  'frame.over_text': ['ログインの有効期間があと{time}で終わります。終わると入力中の内容は失われます。', 'Your login ends in {time}. What you are entering will be lost then.'],
  'frame.stay': ['作業を続ける', 'Go on'],
});

export function openFrame(app) {
  const me = who();
  let current = null, open = false, warned = false, lastWhy = '';
  const shown = VIEWS.filter((v) => v.nav && may(v, me));
  const home = () => (shown[0] ?? VIEWS[0]).path;

  const link = (v) => html`<li><a href="#/${v.path}" aria-current=${current === v || current?.within === v.path ? 'page' : nothing} @click=${() => { open = false; paint(); }}>${icon(v.icon)}<span>${t(v.nav)}</span></a></li>`;

  const bar = () => html`<header class="bar no-print">
      <button type="button" class="quiet menu" aria-expanded=${open ? 'true' : 'false'} aria-controls="nav" @click=${() => { open = !open; paint(); }}>${icon('menu')}<span class="visually-hidden">${t('frame.menu')}</span></button>
      <a class="brand" href="#/${home()}">${icon('shield')}<span>${t('console.name')}</span></a>
      <a class="me" href="#/account" title=${t('frame.user')}>${icon('person')}<span class="visually-hidden">${t('frame.user')}</span><span class="mono">${me.user}</span><span class="badge">${t(`role.${me.role}`)}</span></a>
      ${languageSwitch()}
      <button type="button" class="quiet" @click=${() => logout()}>${icon('out')}<span class="wide-only">${t('frame.logout')}</span><span class="visually-hidden narrow-only">${t('frame.logout')}</span></button>
    </header>
    <nav id="nav" class="nav no-print ${open ? 'open' : ''}" aria-label=${t('frame.nav')}><ul>${shown.map(link)}<li><a href="/console/api" target="_blank" rel="noopener">${icon('file')}<span>${t('frame.api')}</span></a></li></ul></nav>`;

  const skip = () => html`<button type="button" class="skip primary" @click=${() => app.querySelector('main').focus()}>${t('frame.skip')}</button>`;

  render(html`<div id="skip"></div><div class="frame"><div id="bar"></div><main id="main" tabindex="-1"></main></div>`, app);
  const [skipAt, barAt, main] = ['#skip', '#bar', '#main'].map((s) => app.querySelector(s));
  function paint() {
    render(skip(), skipAt);
    render(bar(), barAt);
  }

  async function warn(now) {
    warned = true;
    lastWhy = now.why;
    let seconds = now.left_s, repaint = () => {};
    tick = (next) => {
      seconds = next.left_s;
      repaint();
    };
    announce(t('frame.idle_title'));
    const stay = await dialog({
      title: t('frame.idle_title'), yes: t('frame.stay'), no: { text: t('frame.logout'), act: () => logout() },
      body: (again) => { repaint = again; return html`<p>${t(`frame.${lastWhy}_text`, { time: duration(seconds) })}</p>`; },
    });
    tick = () => {};
    if (stay && lastWhy === 'idle') {
      touch();
      warned = false;
    }
  }

  let tick = () => {};
  const stopWatch = watch((now) => {
    if (now.left_s > warnAt()) warned = warned && lastWhy === 'over';
    else if (!warned) warn(now);
    tick(now);
  });
  const quiet = onLang(paint);
  const escape = (e) => {
    if (e.key !== 'Escape' || !open) return;
    open = false;
    paint();
    app.querySelector('.menu').focus();
  };
  addEventListener('keydown', escape);
  const stop = run({ root: main, who: me, home, moved: (view) => { current = view; open = false; paint(); } });
  return () => {
    stop();
    stopWatch();
    quiet();
    removeEventListener('keydown', escape);
    document.querySelector('dialog[open]')?.close();
  };
}
