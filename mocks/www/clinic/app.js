// The tablet of a clinic: reception, consent, entitlement, questionnaire, vaccination. It talks to the clinic's own system, which holds the certificate.
import { announce, html, icon, languageSwitch, loading, note, nothing, problemNote, render } from './page.js';
import { get } from './api.js';
import { age, cardFace, cardMatches, cards, day, mark, municipality, others, painter, sample, say, sex } from './nation.js';
import { consentView } from './consent.js';
import { eligibilityView } from './eligibility.js';
import { sheetsView } from './sheets.js';
import { vaccinationView } from './vaccination.js';
import { listView } from './list.js';
import { bell, watch } from './notices.js';

const SHOWN = 12;

export const state = { clinics: [], clinic: null, deck: null, query: '', more: false, patients: [], current: null, view: 'reception', tab: 'eligibility', problem: null };

const TABS = [
  ['eligibility', 'card', () => say('資格', 'Entitlement'), eligibilityView],
  ['sheets', 'log', () => say('予診票', 'Questionnaire'), sheetsView],
  ['vaccination', 'syringe', () => say('接種', 'Vaccination'), vaccinationView],
];

const clinicName = (c) => (c ? say(c.ja, c.en) : '');
export const here = () => clinicName(state.clinic);
export const at = (path) => `/clinic/v1/${state.clinic.code}/${path}`;

export function show(view, tab) {
  state.view = view;
  if (tab) state.tab = tab;
  paint();
  queueMicrotask(() => {
    const h = document.querySelector('main h2');
    if (h) { h.tabIndex = -1; h.focus({ preventScroll: true }); window.scrollTo(0, 0); }
  });
}

// ---- the patients of today ----

function receive(card) {
  const known = state.patients.find((p) => p.card.card_serial === card.card_serial);
  state.current = known ?? { card, kind: 'treatment', items: null, key: null, log: [], session: null };
  if (!known) state.patients.unshift(state.current);
  show(known?.key ? 'chart' : 'consent');
}

const patientState = (p) => (p.session ? ['ok', say('確認済み', 'Confirmed')] : p.refused ? ['warn', say('情報なし', 'Nothing')] : p.key ? ['info', say('同意済み', 'Consent')] : ['wait', say('同意待ち', 'Waiting')]);

const side = () => html`<aside class="side" aria-label=${say('本日の受付', 'Patients today')}>
  <button class="primary big wide" @click=${() => { state.current = null; show('reception'); }}>${icon('card')}${say('カードを読み取る', 'Read a card')}</button>
  <button class="wide" aria-pressed=${state.view === 'list'} @click=${() => { state.current = null; show('list'); }}>${icon('list')}${say('予約患者の一括照会', 'Ask for a day list')}</button>
  <h2 class="side-title">${say('本日の受付', 'Today')} <span class="soft small">${state.patients.length}${say('人', '')}</span></h2>
  ${state.patients.length ? html`<ul class="patients">${state.patients.map((p) => html`<li><button class="patient" aria-current=${p === state.current ? 'true' : nothing} @click=${() => { state.current = p; show(p.key ? 'chart' : 'consent'); }}>
    <span class="patient-name" lang="ja">${p.card.name}</span><span class="small soft">${age(p.card.date_of_birth)}${say('・', ' · ')}${sex(p.card.sex)}</span><span class="badge ${patientState(p)[0]}">${icon(patientState(p)[0])}${patientState(p)[1]}</span></button></li>`)}</ul>`
    : html`<p class="small soft">${say('まだ受付がありません。', 'Nobody yet.')}</p>`}
</aside>`;

// ---- reception ----

function deck() {
  if (!state.deck) return loading();
  const found = state.deck.filter((c) => cardMatches(c, state.query));
  return html`<ul class="deck">${found.slice(0, state.more ? 60 : SHOWN).map((c) => html`<li><button @click=${() => receive(c)} data-serial=${c.card_serial}>${cardFace(c)}</button>
    ${c.not_disclosed ? html`<span class="badge warn tag">${icon('lock')}${say('不開示', 'Not disclosed')}</span>` : nothing}</li>`)}</ul>
    <p class="small soft" role="status">${say(`${found.length}枚の見本カードのうち${Math.min(found.length, state.more ? 60 : SHOWN)}枚`, `${Math.min(found.length, state.more ? 60 : SHOWN)} of ${found.length} sample cards`)}
    ${found.length > SHOWN && !state.more ? html`<button class="quiet" @click=${() => { state.more = true; paint(); }}>${say('もっと表示', 'More')}</button>` : nothing}</p>`;
}

const reception = () => html`<section class="stack">
  <div class="reader"><svg viewBox="0 0 120 80" aria-hidden="true"><rect x="14" y="44" width="92" height="28" rx="6"></rect><rect class="lit" x="26" y="50" width="68" height="4" rx="2"></rect><g class="dip"><rect class="paper" x="36" y="8" width="48" height="32" rx="4"></rect><rect class="gold" x="42" y="16" width="10" height="8" rx="1.5"></rect></g></svg>
  <div class="stack tight"><h2>${say('カードリーダーにカードを置いてください', 'Lay a card on the reader')}</h2><p class="soft">${say('下の見本カードを選ぶと、患者さんがカードを置いたことになります。', 'Choose a sample card: the patient lays it on the reader.')}</p></div></div>
  <div class="field narrow-field"><label for="q">${say('氏名・生年月日でさがす', 'Search by name or date of birth')}</label><input id="q" type="search" autocomplete="off" .value=${state.query} @input=${(e) => { state.query = e.target.value; paint(); }}></div>
  ${deck()}</section>`;

// ---- chart ----

function chart() {
  const p = state.current;
  const tab = TABS.find(([id]) => id === state.tab) ?? TABS[0];
  return html`<section class="stack"><header class="spread"><div><h2 lang="ja">${p.card.name}</h2><p class="soft">${[say(`${day(p.card.date_of_birth)}生(${age(p.card.date_of_birth)})`, `${day(p.card.date_of_birth)} (${age(p.card.date_of_birth)})`), sex(p.card.sex), municipality(p.card.municipalityCode)].join(say('・', ' · '))}</p></div>
    <button @click=${() => show('consent')}>${icon('undo')}${say('同意をとり直す', 'New consent')}</button></header>
    <nav class="tabs" aria-label=${say('患者の画面', 'Views of the patient')}>${TABS.map(([id, name, text]) => html`<button aria-current=${id === tab[0] ? 'page' : nothing} @click=${() => { state.tab = id; paint(); }}>${icon(name)} ${text()}</button>`)}</nav>
    ${tab[3](p)}</section>`;
}

const VIEWS = { reception, consent: () => consentView(state.current), chart, list: () => listView() };

const choose = (e) => {
  state.clinic = state.clinics.find((c) => c.code === e.target.value);
  state.patients = [];
  state.current = null;
  announce(here());
  show('reception');
};

const frame = () => html`<a class="skip" href="#main">${say('本文へ', 'To the content')}</a>
  <header class="top">${mark()}<h1>${say('模擬クリニック', 'Mock clinic')}</h1>
  <div class="field pick"><label class="visually-hidden" for="clinic">${say('医療機関', 'Clinic')}</label><select id="clinic" @change=${choose}>${state.clinics.map((c) => html`<option value=${c.code} ?selected=${c === state.clinic}>${clinicName(c)} ${c.code}</option>`)}</select></div>
  <span class="spring"></span>${bell()}${others('clinic')}</header>
  <div class="desk">${side()}<main id="main" tabindex="-1">${state.problem ? problemNote(state.problem) : state.clinic ? VIEWS[state.view]() : state.deck ? note('warn', say('医療機関の証明書がありません', 'There is no certificate of a clinic'), '') : loading()}
  <footer>${sample()}</footer></main></div>`;

const root = document.getElementById('app');
export const paint = painter(() => render(frame(), root));

try {
  const [clinics, deckCards] = await Promise.all([get('/clinic/v1/clinics'), cards()]);
  state.clinics = clinics.clinics;
  state.clinic = state.clinics[0] ?? null;
  state.deck = deckCards;
} catch (e) {
  state.problem = e;
}
paint();
watch();
