// What the gateway tells the clinic's app by itself: signed webhooks, which the app has verified. They name records, not persons.
import { badge, dialog, html, icon, nothing, toast } from './page.js';
import { get } from './api.js';
import { dateTime } from './text.js';
import { municipality, say } from './nation.js';
import { paint, state } from './app.js';

const EVERY_MS = 4000;
const EVENTS = {
  record_confirmed: ['接種の記録が登録されました', 'A record was confirmed'], record_corrected: ['接種の記録が訂正されました', 'A record was corrected'], record_cancelled: ['接種の記録が取り消されました', 'A record was cancelled'],
  questionnaire_submitted: ['患者さんが予診票を提出しました', 'A patient handed in a questionnaire'], eligibility_changed: ['受給資格が変わりました', 'An entitlement changed'], eligibility_revoked: ['受給資格が終わりました', 'An entitlement ended'],
};
const notices = { all: null, read: 0, open: null /* paints the dialog */ };
const text = (m) => (EVENTS[m.event] ? say(...EVENTS[m.event]) : m.event);
const mine = () => (notices.all ?? []).filter((n) => n.clinic === state.clinic?.code).map((n) => n.message);

async function look() {
  try {
    const { messages } = await get('/kept/clinic-app');
    const fresh = notices.all && messages.length > notices.all.length ? messages.slice(notices.all.length).filter((n) => n.clinic === state.clinic?.code) : [];
    const first = notices.all === null;
    notices.all = messages;
    if (first) notices.read = mine().length;
    for (const n of fresh.filter((x) => x.message.event === 'questionnaire_submitted').slice(-1)) toast(text(n.message), 'info');
    if (fresh.length || first) { paint(); notices.open?.(); }
  } catch { /* it is asked again */ }
}

export async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, EVERY_MS);
}

const list = () => html`${mine().length ? html`<ul class="heard">${mine().slice(-20).reverse().map((m) => html`<li>${icon('bell')}<span><strong>${text(m)}</strong><br><span class="small soft">${municipality(m.municipalityCode)}${say('・', ' · ')}${dateTime(m.occurredAt, { second: '2-digit' })}</span></span></li>`)}</ul>` : html`<p class="soft">${say('まだありません。', 'None yet.')}</p>`}
  <p class="small soft">${say('署名を確かめた通知だけです。だれのことかは書かれていません。', 'Only those whose signature was good. They do not say whom it is about.')}</p>`;

async function open() {
  notices.read = mine().length;
  await dialog({ title: say('ゲートウェイからの通知', 'Messages of the gateway'), body: (again) => { notices.open = again; return list(); } });
  notices.open = null;
  notices.read = mine().length;
  paint();
}

export const bell = () => { const n = Math.max(0, mine().length - notices.read); return html`<button class="quiet" @click=${open}>${icon('bell')}${say('通知', 'Messages')}${n ? html` ${badge('info', say(`新着${n}`, `${n} new`))}` : nothing}</button>`; };
