// Home: entitlement, tickets, what is new.
import { badge, html, icon, loading, note, nothing, problemNote } from './page.js';
import { dateTime } from './text.js';
import { day, municipality, program, say, yen } from './nation.js';
import { go, need, state } from './app.js';

const silent = (problem) => (problem.code === 'nothing' ? note('info', problem.title, say('市区町村が発行した紙の受給者証などで確認してください。', 'Use the certificate on paper that your municipality sent you.')) : problemNote(problem));

const share = (m) => (m?.amount ? say(`自己負担 ${yen(m.amount)}${m.times ? `/回(月${m.times}回まで)` : '/月'}`, `own share ${yen(m.amount)} ${m.times ? `a visit, ${m.times} a month` : 'a month'}`) : say('自己負担なし', 'no own share'));

const certificate = (c) => html`<article class="pass fresh"><header><h3>${c.certificationName}</h3>${badge('ok', say('有効', 'Valid'))}</header>
  <dl><dt>${say('負担者番号', 'Payer')}</dt><dd class="mono">${c.medicalSubsidyInsurerNumber ?? '–'}</dd><dt>${say('受給者番号', 'Recipient')}</dt><dd class="mono">${c.medicalSubsidyRecipientNumber ?? '–'}</dd></dl>
  <p>${share(c.maxCopaymentAmount)}</p><p class="small">${municipality(c.municipalityCode)}・${say(`${day(c.validTo)}まで`, `until ${day(c.validTo)}`)}</p></article>`;

// The gateway's own picture, as an image: it can do nothing but be seen
export const picture = (svgText) => `data:image/svg+xml;base64,${btoa(svgText)}`;

const ticket = (t) => html`<details class="ticket"><summary>${icon('scan')}<span class="grow"><strong>${program(t.vaccinationProgramId)}</strong> ${t.doseNumber}${say('回目', '')}<br><span class="small soft">${say(`${day(t.validTo)}まで`, `until ${day(t.validTo)}`)}</span></span></summary>
  <div class="stack tight center">${t.ticketQr ? html`<img class="qr" alt=${say('接種券の二次元コード', 'QR code of the ticket')} src=${picture(t.ticketQr)}>` : nothing}<code class="line">${t.ticketLine ?? ''}</code><p class="small soft">${say('会場でこの画面を見せてください。', 'Show this at the venue.')}</p></div></details>`;

const EVENTS = { immunization_recorded: ['接種が記録されました', 'A vaccination was recorded'], immunization_corrected: ['接種記録が訂正されました', 'A record was corrected'], immunization_cancelled: ['接種記録が取り消されました', 'A record was cancelled'] };
const news = (n) => html`<li>${icon('bell')}<span class="grow"><strong>${EVENTS[n.event] ? say(...EVENTS[n.event]) : n.event}</strong><br><span class="small soft">${municipality(n.municipalityCode)}・${dateTime(n.occurredAt)}</span></span></li>`;

export function homeView() {
  const e = need('eligibility', 'eligibility'), t = need('tickets', 'tickets', { qr: true }), n = need('notices', 'my-notices');
  return html`<section class="stack"><h2><span lang="ja">${state.card.name}</span> ${say('さん', '')}</h2>
    <section class="stack tight"><h3>${icon('card')} ${say('わたしの受給資格', 'My entitlement')}</h3>${e.problem ? silent(e.problem) : e.answer ? e.answer.eligibility.map(certificate) : loading()}</section>
    <section class="stack tight"><h3>${icon('bell')} ${say('お知らせ', 'Notices')}</h3>${n.answer?.notices.length ? html`<ul class="news">${n.answer.notices.slice(0, 5).map(news)}</ul>` : n.busy ? loading() : html`<p class="soft small">${say('新しいお知らせはありません。', 'Nothing new.')}</p>`}</section>
    <section class="stack tight"><h3>${icon('syringe')} ${say('使える接種券', 'Tickets')}</h3>${t.answer?.tickets.length ? t.answer.tickets.map(ticket) : t.busy ? loading() : html`<p class="soft small">${say('今日使える接種券はありません。', 'None is good today.')}</p>`}
      ${t.answer?.tickets.length ? html`<button class="wide" @click=${() => go('sheets')}>${icon('log')}${say('予診票を記入する', 'Fill in the questionnaire')}</button>` : nothing}</section></section>`;
}
