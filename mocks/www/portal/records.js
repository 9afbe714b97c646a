// Vaccinations, and the certificate that is made of them.
import { badge, confirm, html, icon, keep, loading, note, nothing, problemNote, toast } from './page.js';
import { dateTime } from './text.js';
import { day, municipality, program, say } from './nation.js';
import { fetchInto, need, order, paint, state } from './app.js';
import { picture } from './home.js';

const issue = { busy: false, problem: null, made: null };

async function apply() {
  Object.assign(issue, { busy: true, problem: null, made: null });
  paint();
  const { answer, problem } = await order('certificates/issue', { kind: 'shc' });
  Object.assign(issue, { busy: false, problem, made: answer, of: state.card });
  await fetchInto('certificates', 'certificates');
}

async function revoke(c) {
  if (!await confirm(say('この証明書を取り消しますか', 'Take this certificate back?'), say('取り消すと、読み取った人に「無効」と表示されます。元には戻せません。', 'Who reads it will see that it does not hold any more.'), say('取り消す', 'Take back'), 'danger')) return;
  const { problem } = await order('certificates/revoke', { certificate_id: c.certificate_id });
  toast(problem ? problem.title : say('証明書を取り消しました。', 'It is taken back.'), problem ? 'bad' : 'ok');
  await fetchInto('certificates', 'certificates');
}

const dose = (d) => html`<li class="panel"><div class="spread"><strong>${program(d.vaccinationProgramId)} ${d.doseNumber}${say('回目', '')}</strong>${d.status === 'cancelled' ? badge('warn', say('取消し', 'cancelled')) : badge('ok', say('接種済み', 'given'))}</div>
  <p>${day(d.vaccinationDate)}</p><p class="small soft">${[d.productName ?? d.vaccineName, d.lotNumber && say(`ロット ${d.lotNumber}`, `lot ${d.lotNumber}`), d.place, municipality(d.municipalityCode)].filter(Boolean).join('・')}</p>${Number(d.version) > 1 ? html`<p class="small soft">${say(`第${d.version}版(訂正済み)`, `version ${d.version}`)}</p>` : nothing}</li>`;

const STATES = { good: ['ok', '有効', 'good'], superseded: ['wait', '新しい証明書あり', 'superseded'], revoked: ['warn', '取消し', 'revoked'] };

const card = (c) => html`<figure class="shc fresh"><img class="qr big" src=${picture(c.svg)} alt=${say('予防接種証明書の二次元コード(SMART Health Card)', 'QR code of the certificate (SMART Health Card)')}><figcaption>${say('予防接種証明書', 'Certificate of vaccination')}<br><span class="small">SMART Health Card・${dateTime(c.issued_at)}</span></figcaption></figure>`;

const WHY = { no_code: ['国際的な製品コードがありません', 'no code for the product'], no_lot: ['ロット番号がありません', 'no lot'], lot: ['ロット番号が使えません', 'the lot cannot be used'], full: ['これ以上入りません', 'no room'] };

function certificates() {
  const c = need('certificates', 'certificates');
  const made = issue.of === state.card ? issue : {};
  return html`<section class="stack tight"><h3>${icon('shield')} ${say('予防接種証明書', 'Certificate')}</h3>
    ${made.problem ? problemNote(made.problem) : nothing}
    ${made.made ? html`${made.made.certificates.map(card)}${made.made.left_out?.length ? note('info', say(`証明書に入らなかった記録が${made.made.left_out.length}件あります`, `${made.made.left_out.length} records are not in it`), made.made.left_out.map((l) => (WHY[l.why] ? say(...WHY[l.why]) : l.why)).join('、')) : nothing}
      <button class="wide" @click=${() => keep('certificate.html', 'text/html', [made.made.html])}>${icon('download')}${say('印刷用の書面を保存', 'Save the page to print')}</button>` : nothing}
    <button class="primary big wide" ?disabled=${issue.busy} @click=${apply}>${icon('shield')}${say('証明書を発行する', 'Have a certificate issued')}</button>
    <p class="small soft">${say('カードの氏名と生年月日が、接種の記録とともに署名されます。個人番号は入りません。', 'Name and date of birth of your card are signed with the records. The individual number is not in it.')}</p>
    ${c.answer?.certificates?.length ? html`<ul class="plain">${c.answer.certificates.map((x) => html`<li class="spread"><span>${badge(STATES[x.state][0], say(STATES[x.state][1], STATES[x.state][2]))} <span class="small">${dateTime(x.issued_at)}・${x.doses.length}${say('件', '')}</span></span>${x.state === 'good' ? html`<button class="danger" @click=${() => revoke(x)}>${say('取り消す', 'Take back')}</button>` : nothing}</li>`)}</ul>` : nothing}</section>`;
}

export function recordsView() {
  const r = need('immunizations', 'immunizations');
  const doses = r.answer?.immunizations ?? [];
  return html`<section class="stack"><h2>${say('接種記録', 'Vaccinations')}</h2>
    ${r.problem && r.problem.code !== 'nothing' ? problemNote(r.problem) : nothing}
    ${doses.length ? html`<ul class="plain">${doses.map(dose)}</ul>` : r.busy ? loading() : html`<p class="soft">${say('接種の記録はまだありません。', 'No record yet.')}</p>`}
    ${doses.some((d) => d.status === 'completed') ? certificates() : nothing}</section>`;
}
