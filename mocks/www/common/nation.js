// What the three pages share: words of the nation, dates in Japanese eras, cards, the frame around a page.
import { either, lang, onLang } from './text.js';
import { get, Problem } from './api.js';
import { html, icon, languageSwitch, nothing } from './page.js';

export { either as say } from './text.js';

const MUNICIPALITIES = { 331007: ['岡山市', 'Okayama City'], 271403: ['堺市', 'Sakai City'], 222127: ['焼津市', 'Yaizu City'] };
export const municipality = (code) => (MUNICIPALITIES[code] ? either(...MUNICIPALITIES[code]) : code ?? '');

// Programs and products of config/vaccines.yaml; the GTINs are its examples and belong to no real carton
export const PROGRAMS = {
  'dpt-ipv-hib': ['5種混合', 'DPT-IPV-Hib', '14599990000013'], 'pcv-child': ['小児肺炎球菌', 'Pneumococcal, children', '14599990000020'],
  'hepatitis-b': ['B型肝炎', 'Hepatitis B', '14599990000037'], 'rotavirus-1': ['ロタ(1価)', 'Rotavirus 1', '14599990000044'],
  'rotavirus-5': ['ロタ(5価)', 'Rotavirus 5', '14599990000051'], bcg: ['BCG', 'BCG', '14599990000068'],
  'mr-1': ['麻しん・風しん 第1期', 'Measles and rubella 1', '14599990000075'], 'mr-2': ['麻しん・風しん 第2期', 'Measles and rubella 2', '14599990000075'],
  varicella: ['水痘', 'Varicella', '14599990000099'], 'japanese-encephalitis': ['日本脳炎 第1期', 'Japanese encephalitis 1', '14599990000105'],
  'japanese-encephalitis-2': ['日本脳炎 第2期', 'Japanese encephalitis 2', '14599990000105'], hpv: ['HPV(9価)', 'HPV', '14599990000129'],
  'pneumococcal-elderly': ['高齢者肺炎球菌', 'Pneumococcal, elderly', '14599990000020'], 'influenza-elderly': ['高齢者インフルエンザ', 'Influenza, elderly', '14599990000143'],
  'covid-19': ['新型コロナ(定期)', 'COVID-19', '14599990000150'], 'covid-19-special': ['新型コロナ(特例臨時)', 'COVID-19, special', '14599990000167'],
};
export const program = (id) => (PROGRAMS[id] ? either(PROGRAMS[id][0], PROGRAMS[id][1]) : id ?? '');
export const gtinOf = (id) => PROGRAMS[id]?.[2];

// ---- days ----

const parts = (day) => /^(\d{4})-(\d\d)-(\d\d)/.exec(day ?? '');

// 令和6年4月1日 / 1 Apr 2024
export function day(iso) {
  if (!parts(iso)) return iso ?? '–';
  const d = new Date(`${iso.slice(0, 10)}T12:00:00Z`);
  return new Intl.DateTimeFormat(lang() === 'en' ? 'en-GB' : 'ja-JP-u-ca-japanese', lang() === 'en' ? { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' } : { era: 'long', year: 'numeric', month: 'long', day: 'numeric', timeZone: 'UTC' }).format(d);
}

export const today = (plus = 0) => new Date(Date.now() + 9 * 3600e3 + plus * 86400e3).toISOString().slice(0, 10);

export function age(birth) {
  const b = parts(birth), n = parts(today());
  if (!b) return '';
  const months = (n[1] - b[1]) * 12 + (n[2] - b[2]) - (Number(n[3]) < Number(b[3]) ? 1 : 0);
  return months < 36 ? either(`${months}か月`, `${months} months`) : either(`${Math.floor(months / 12)}歳`, `${Math.floor(months / 12)} years`);
}

export const yen = (n) => (n === undefined || n === '' ? '' : either(`${Number(n).toLocaleString('ja-JP')}円`, `¥${Number(n).toLocaleString('en-GB')}`));
export const sex = (code) => ({ 1: either('男', 'male'), 2: either('女', 'female') })[code] ?? '';

// ---- cards ----

// Those first whose municipality also sends tickets
export const cards = () => get('/cards').then((a) => a.cards.sort((x, y) => (y.municipalityCode === '331007') - (x.municipalityCode === '331007')));

// A card as it lies on the counter: chip, name, birth. Not the number: that is on the other side of the real one, and nobody here turns it over.
export const cardFace = (c) => html`<span class="card-face"><span class="card-top"><span class="chip" aria-hidden="true"></span><span>${either('マイナンバーカード(見本)', 'My Number Card (sample)')}</span></span>
  <span class="card-name" lang="ja">${c.name}</span><span class="card-line">${day(c.date_of_birth)}${either('生', '')}・${sex(c.sex)}</span><span class="card-line">${municipality(c.municipalityCode)}</span></span>`;

const squeeze = (text) => text.normalize('NFKC').replace(/\s+/g, '');
export const cardMatches = (c, query) => !query || squeeze(`${c.name}${c.date_of_birth}${municipality(c.municipalityCode)}`).includes(squeeze(query));

// ---- a refusal, kept as a value ----

export async function heard(promise) {
  try {
    return { answer: await promise, problem: null };
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    return { answer: null, problem: e };
  }
}

// ---- frame ----

export const mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M16 2 4 7v9c0 8 5 12.5 12 14 7-1.5 12-6 12-14V7L16 2Z"></path><path class="in" d="M10 16h12M16 10v12"></path></svg>`;

export const sample = () => html`<p class="sample"><span class="badge wait">${icon('info')}${either('模擬の国', 'Mock nation')}</span> <span>${either('住民・医療機関は架空です。表示はすべて実際のゲートウェイの応答です。', 'Residents and clinics are made up. All that is shown is what the real gateway answered.')}</span></p>`;

export const others = (here) => html`<nav class="others" aria-label=${either('模擬の国のほかの画面', 'Other pages of the mock nation')}>${[['clinic', '/clinic', '医療機関', 'Clinic'], ['portal', '/portal', 'ポータル', 'Portal'], ['map', '/map', '国の地図', 'Map']]
  .map(([id, at, ja, en]) => html`<a href=${at} aria-current=${id === here ? 'page' : nothing}>${either(ja, en)}</a>`)}${languageSwitch()}</nav>`;

// Paints now and whenever the language changes; the answer paints again. Several calls in one turn are one painting.
export function painter(paint) {
  let waits = false;
  const again = () => {
    if (waits) return;
    waits = true;
    queueMicrotask(() => { waits = false; paint(); });
  };
  onLang(again);
  paint();
  return again;
}
