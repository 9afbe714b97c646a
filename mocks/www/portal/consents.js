// Consents and open sessions, and their end.
import { badge, confirm, html, icon, loading, nothing, problemNote, toast } from './page.js';
import { dateTime } from './text.js';
import { say } from './nation.js';
import { fetchInto, need, order } from './app.js';

const ITEMS = { eligibility: ['医療費助成の資格', 'entitlement'], immunizations: ['接種記録', 'vaccinations'], questionnaire: ['予診票', 'questionnaires'] };
const items = (list) => list.map((i) => (ITEMS[i.split('.')[0]] ? say(...ITEMS[i.split('.')[0]]) : i)).join(say('、', ', '));

async function act(path, members, title, text) {
  if (!await confirm(title, text, say('取り消す', 'Yes'), 'danger')) return;
  const { problem } = await order(path, members);
  toast(problem ? problem.title : say('反映しました。いまから使えません。', 'Done: from now on it is of no use.'), problem ? 'bad' : 'ok');
  await fetchInto('consents', 'consents');
}

const withdrawText = () => say('この同意で医療機関が開いたセッションも、すぐに終わります。', 'Sessions that were opened with it end at once.');

const consent = (c) => html`<li class="panel stack tight"><div class="spread"><strong>${say(c.institution, c.institution_en)}</strong>${c.withdrawn_at ? badge('wait', say('取消し済み', 'withdrawn')) : badge('ok', say('有効', 'in force'))}</div>
  <p class="small">${items(c.items)}<br><span class="soft">${say(c.purpose_ja, c.purpose_en)}・${say(`${dateTime(c.given_at)}から${dateTime(c.expires_at)}まで`, `${dateTime(c.given_at)} – ${dateTime(c.expires_at)}`)}</span></p>
  ${c.withdrawn_at ? nothing : html`<button class="danger wide" @click=${() => act('consents/withdraw', { consent_id: c.consent_id }, say('同意を取り消しますか', 'Withdraw this consent?'), withdrawText())}>${say('同意を取り消す', 'Withdraw')}</button>`}</li>`;

const session = (s) => html`<li class="panel stack tight"><strong>${say(s.institution, s.institution_en)}</strong><p class="small">${items(s.items)}<br><span class="soft">${say(`${dateTime(s.opened_at)}に開始、${dateTime(s.expires_at)}まで`, `${dateTime(s.opened_at)} – ${dateTime(s.expires_at)}`)}</span></p>
  <button class="wide" @click=${() => act('sessions/end', { session_id: s.session_id }, say('閲覧を終わらせますか', 'End this session?'), say('医療機関はもう読み直せません。', 'The clinic can read no more.'))}>${say('閲覧を終わらせる', 'End the session')}</button></li>`;

export function consentsView() {
  const c = need('consents', 'consents');
  return html`<section class="stack"><h2>${say('同意と閲覧中の医療機関', 'Consents and sessions')}</h2>
    ${c.problem ? problemNote(c.problem) : nothing}
    ${c.answer ? html`<h3>${icon('eye')} ${say('いま読み直せる医療機関', 'Open sessions')}</h3>${c.answer.sessions.length ? html`<ul class="plain">${c.answer.sessions.map(session)}</ul>` : html`<p class="soft small">${say('ありません。', 'None.')}</p>`}
      <h3>${icon('key')} ${say('同意', 'Consents')}</h3>${c.answer.consents.length ? html`<ul class="plain">${c.answer.consents.map(consent)}</ul>
      ${c.answer.consents.some((x) => !x.withdrawn_at) ? html`<button class="danger wide" @click=${() => act('consents/withdraw', { all: true }, say('すべての同意を取り消しますか', 'Withdraw all consents?'), withdrawText())}>${say('すべて取り消す', 'Withdraw all')}</button>` : nothing}` : html`<p class="soft small">${say('ありません。', 'None.')}</p>`}` : c.busy ? loading() : nothing}</section>`;
}
