// The portal on a phone: what a citizen sees of itself, and decides. It talks to the mock portal, which knows the pseudonym and asks the gateway.
import { announce, html, icon, languageSwitch, loading, nothing, problemNote, render } from './page.js';
import { post } from './api.js';
import { cardFace, cardMatches, cards, heard, mark, painter, sample, say } from './nation.js';
import { homeView } from './home.js';
import { recordsView } from './records.js';
import { sheetsView } from './sheets.js';
import { consentsView } from './consents.js';
import { logView } from './log.js';

const SHOWN = 8;
export const state = { deck: null, query: '', card: null, view: 'home', data: {}, problem: null };

const VIEWS = {
  home: ['home', () => say('ホーム', 'Home'), homeView], records: ['syringe', () => say('接種記録', 'Records'), recordsView], sheets: ['log', () => say('予診票', 'Forms'), sheetsView],
  consents: ['key', () => say('同意', 'Consents'), consentsView], log: ['eye', () => say('見た人', 'Who looked'), logView],
};

// Asks for this citizen. The answer goes to state.data[name]; a refusal too, so that a view can tell it
export async function fetchInto(name, path, members = {}) {
  state.data[name] = { ...state.data[name], busy: true };
  paint();
  const { answer, problem } = await heard(post(`/portal/v1/${path}`, { card_serial: state.card.card_serial, ...members }));
  state.data[name] = { answer: answer ?? (problem?.code === 'nothing' ? null : state.data[name].answer), problem, busy: false };
  paint();
  return state.data[name];
}

// Once a view is open
export function need(name, path, members) {
  if (!state.data[name]) queueMicrotask(() => state.data[name] ?? fetchInto(name, path, members));
  return state.data[name] ?? { busy: true };
}

export const order = (path, members) => heard(post(`/portal/v1/${path}`, { card_serial: state.card.card_serial, ...members }));

export function go(view) {
  state.view = view;
  paint();
  queueMicrotask(() => { const h = document.querySelector('main h2'); if (h) { h.tabIndex = -1; h.focus({ preventScroll: true }); } document.getElementById('main').scrollTop = 0; });
}

function logIn(card) {
  state.card = card;
  state.data = {};
  announce(say(`${card.name}さんとしてログインしました`, `Logged in as ${card.name}`));
  go('home');
}

function login() {
  const found = (state.deck ?? []).filter((c) => cardMatches(c, state.query));
  return html`<section class="stack login"><div class="stack tight center">${mark()}<h2>${say('マイナンバーカードでログイン', 'Log in with your card')}</h2><p class="soft">${say('見本のカードを選んで、スマートフォンにかざします。', 'Choose a sample card to hold to the phone.')}</p></div>
    ${state.problem ? problemNote(state.problem) : nothing}
    <div class="field"><label for="q">${say('氏名でさがす', 'Search by name')}</label><input id="q" type="search" autocomplete="off" .value=${state.query} @input=${(e) => { state.query = e.target.value; paint(); }}></div>
    ${state.deck ? html`<ul class="deck one">${found.slice(0, SHOWN).map((c) => html`<li><button data-serial=${c.card_serial} @click=${() => logIn(c)}>${cardFace(c)}</button></li>`)}</ul><p class="small soft" role="status">${say(`見本カード ${found.length}枚`, `${found.length} sample cards`)}</p>` : state.problem ? nothing : loading()}</section>`;
}

const bar = () => html`<nav class="bar" aria-label=${say('メニュー', 'Menu')}>${Object.entries(VIEWS).map(([id, [name, text]]) => html`<button aria-current=${id === state.view ? 'page' : nothing} @click=${() => go(id)}>${icon(name)}<span>${text()}</span></button>`)}</nav>`;

const frame = () => html`<a class="skip" href="#main">${say('本文へ', 'To the content')}</a><div class="phone">
  <header class="top">${mark()}<h1>${say('模擬ポータル', 'Mock portal')}</h1><span class="spring"></span>${state.card ? html`<button class="quiet" @click=${() => { state.card = null; state.data = {}; paint(); }}>${icon('out')}${say('終了', 'Log out')}</button>` : nothing}${languageSwitch()}</header>
  <main id="main" tabindex="-1">${state.card ? VIEWS[state.view][2]() : login()}<footer class="stack tight">${sample()}<p class="small row"><a href="/clinic">${say('模擬クリニック', 'Mock clinic')}</a><a href="/map">${say('国の地図', 'Map of the nation')}</a></p></footer></main>
  ${state.card ? bar() : nothing}</div>`;

const root = document.getElementById('app');
export const paint = painter(() => render(frame(), root));

try {
  state.deck = await cards();
} catch (e) {
  state.problem = e;
}
paint();
