// Texts in Japanese and English. Japanese first; the choice is remembered in this browser (nothing else is).
//   texts({ 'tasks.title': ['タスク', 'Tasks'], 'rows': ['{n}行', '{n} rows'] });   t('rows', { n: number(3) })
// A key without a text shows as ⟦key⟧, which the browser tests look for.
const KEY = 'pmhgw.lang';
const table = new Map();
const listeners = new Set();
let now = read();

function read() {
  try {
    return localStorage.getItem(KEY) === 'en' ? 'en' : 'ja';
  } catch {
    return 'ja';
  }
}

export const lang = () => now;

export function texts(more) {
  for (const [key, pair] of Object.entries(more)) table.set(key, pair);
}

export const has = (key) => table.has(key);

export function t(key, values) {
  const pair = table.get(key);
  if (!pair) return `⟦${key}⟧`;
  const text = pair[now === 'en' ? 1 : 0];
  return values ? text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all)) : text;
}

// one of two texts that the gateway sent in both languages
export const either = (ja, en) => (now === 'en' ? (en ?? ja) : (ja ?? en)) ?? '';

export function setLang(to) {
  now = to === 'en' ? 'en' : 'ja';
  try {
    localStorage.setItem(KEY, now);
  } catch { /* it holds for this page, then */ }
  document.documentElement.lang = now;
  for (const told of listeners) told(now);
}

// told is called after each change; the answer takes it away again
export function onLang(told) {
  listeners.add(told);
  return () => listeners.delete(told);
}

document.documentElement.lang = now;

// ---- numbers, times, sizes ----

const locale = () => (now === 'en' ? 'en-GB' : 'ja-JP');
const ZONE = 'Asia/Tokyo'; // as the gateway's days are

export const number = (n, digits = 0) => (n === undefined || n === null ? '–' : new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(n));

export function dateTime(iso, more = {}) {
  const d = new Date(iso);
  if (!iso || Number.isNaN(d.getTime())) return '–';
  return new Intl.DateTimeFormat(locale(), { timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', ...more }).format(d);
}

export function date(iso) {
  const d = new Date(/^\d{4}-\d\d-\d\d$/.test(iso) ? `${iso}T00:00:00+09:00` : iso);
  if (!iso || Number.isNaN(d.getTime())) return '–';
  return new Intl.DateTimeFormat(locale(), { timeZone: ZONE, year: 'numeric', month: now === 'en' ? 'short' : 'long', day: 'numeric' }).format(d);
}

export const clock = (iso) => dateTime(iso, { year: undefined, month: undefined, day: undefined, second: '2-digit' });

export function bytes(n) {
  if (n === undefined || n === null) return '–';
  const units = ['B', 'KB', 'MB', 'GB'];
  let k = 0;
  while (n >= 1000 && k < units.length - 1) {
    n /= 1000;
    k++;
  }
  return `${number(n, k ? 1 : 0)} ${units[k]}`;
}

// "3分20秒": two units at most
export function duration(seconds) {
  if (seconds === undefined || seconds === null) return '–';
  const s = Math.max(0, Math.round(seconds));
  const parts = [[Math.floor(s / 86400), '日', ' d'], [Math.floor((s % 86400) / 3600), '時間', ' h'], [Math.floor((s % 3600) / 60), '分', ' min'], [s % 60, '秒', ' s']];
  const first = Math.max(0, parts.findIndex(([n]) => n > 0));
  const shown = s === 0 ? [parts[3]] : parts.slice(first, first + 2).filter(([n]) => n > 0);
  return shown.map(([n, ja, en]) => `${n}${now === 'en' ? en : ja}`).join(now === 'en' ? ' ' : '');
}
