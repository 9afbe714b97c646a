// The entitlement as a receipt computer shows it, and what becomes of the key that was used.
import { badge, html, icon, note, nothing, problemNote } from './page.js';
import { post } from './api.js';
import { dateTime } from './text.js';
import { day, heard, municipality, say, yen } from './nation.js';
import { at, paint, state } from './app.js';

const shortened = (key) => `${key.slice(0, 10)} … ${key.slice(-8)}`;

export async function lookUp(p) {
  p.looking = true;
  paint();
  const { answer, problem } = await heard(post(at('eligibility'), { link_key: p.key }));
  Object.assign(p, { looking: false, answer, refused: problem, session: answer?.session ?? null });
  paint();
}

// The same key once more, here or at somebody else's: what the gateway says to it
async function again(p, clinic) {
  const path = clinic ? `/clinic/v1/${clinic.code}/eligibility` : at('eligibility');
  const { answer, problem } = await heard(post(path, { link_key: p.key }));
  p.log.unshift({ who: clinic, at: new Date().toISOString(), problem, data: answer });
  paint();
}

async function refresh(p) {
  const { answer, problem } = await heard(post(at('session'), { session: p.session }));
  Object.assign(p, { answer: answer ?? p.answer, refused: problem, session: answer ? p.session : null });
  p.log.unshift({ session: true, at: new Date().toISOString(), problem, data: answer });
  paint();
}

const boxes = (digits, label) => html`<span class="boxes" role="img" aria-label=${`${label} ${digits}`}>${[...digits].map((d) => html`<span aria-hidden="true">${d}</span>`)}</span>`;

// Names inside maxCopaymentAmount are those of the synthetic residents; what the municipality calls otherwise is shown as it came
function ceiling(c) {
  const m = c.maxCopaymentAmount;
  if (!m || typeof m !== 'object') return say('なし', 'none');
  const said = [Number(m.burdenRate) > 0 && say(`${m.burdenRate}割`, `${m.burdenRate}0 %`), m.amount && say(`${yen(m.amount)}${m.times ? '/回' : '/月'}`, `${yen(m.amount)} ${m.times ? 'a visit' : 'a month'}`), m.times && say(`月${m.times}回まで`, `up to ${m.times} a month`)].filter(Boolean);
  return html`<strong>${said.length ? said.join(say('、', ', ')) : say('なし', 'none')}</strong>`;
}

const certificate = (c, i) => html`<article class="cert panel fresh"><header class="spread"><h3><span class="public">${say(`公費${i + 1}`, `Subsidy ${i + 1}`)}</span> ${c.certificationName}</h3>${badge('ok', say('有効', 'Valid'))}</header>
  <dl class="facts">
    <dt>${say('公費負担者番号', 'Payer number')}</dt><dd>${c.medicalSubsidyInsurerNumber ? boxes(c.medicalSubsidyInsurerNumber, say('公費負担者番号', 'Payer number')) : '–'}</dd>
    <dt>${say('受給者番号', 'Recipient number')}</dt><dd>${c.medicalSubsidyRecipientNumber ? boxes(c.medicalSubsidyRecipientNumber, say('受給者番号', 'Recipient number')) : '–'}</dd>
    <dt>${say('有効期間', 'Period')}</dt><dd>${day(c.validFrom)} ${say('から', 'to')} ${day(c.validTo)}${say(' まで', '')}</dd>
    <dt>${say('自己負担上限', 'Ceiling of own share')}</dt><dd>${ceiling(c)}</dd>
    <dt>${say('実施機関', 'By')}</dt><dd>${municipality(c.municipalityCode)}</dd>
    ${c.segment ? html`<dt>${say('区分', 'Segment')}</dt><dd>${c.segment}${c.incomeSegment ? html` / ${say('所得区分', 'income')} ${c.incomeSegment}` : nothing}</dd>` : nothing}
    ${c.designatedMedicalInstitutions ? html`<dt>${say('指定医療機関', 'Institutions')}</dt><dd>${c.designatedMedicalInstitutions}</dd>` : nothing}
    <dt>${say('給付の方法', 'How it is paid')}</dt><dd>${c.isAlwaysReimbursement === '1' ? say('償還払い', 'reimbursed') : say('現物給付', 'in kind')}</dd>
  </dl></article>`;

const usedAt = (problem) => (problem.doc.used_at ? html`<p>${say('使われた時刻', 'Used at')}: ${dateTime(problem.doc.used_at, { second: '2-digit' })}</p>` : nothing);

export function refusal(problem) {
  if (!problem) return nothing;
  if (problem.code === 'used') return note('warn', problem.title, problem.detail, usedAt(problem));
  if (problem.code === 'nothing') return note('info', problem.title, problem.detail, html`<p class="small">${say('資格がない、公開されていない、取り消された: どの理由でも、この同じ応答です。', 'No entitlement, not disclosed, withdrawn: whatever the reason, the answer is this one.')}</p>`);
  return problemNote(problem);
}

const attempt = (l) => html`<li class="stack tight fresh"><p class="small"><strong>${l.session ? say('セッションで読み直し', 'Read again by session') : l.who ? say(`${l.who.ja}から同じキーで照会`, `Same key from ${l.who.en}`) : say('同じキーで2回目の照会', 'Same key, second time')}</strong> <span class="soft">${dateTime(l.at, { second: '2-digit' })}</span></p>
  ${l.problem ? refusal(l.problem) : note('ok', say('同じ資格を返しました', 'The same entitlement came'), '')}</li>`;

const steps = (p) => html`<ol class="chain" aria-label=${say('照会のながれ', 'How it was asked')}>
  <li><span>${icon('card')}</span><b>${say('カードと同意', 'Card and consent')}</b><small>${say('オンライン資格確認', 'Online qualification')}</small></li>
  <li><span>${icon('key')}</span><b>${say('PMH連携キー', 'Link key')}</b><small class="mono" title=${say('暗号化されたキー(先頭と末尾だけ)', 'Encrypted; beginning and end only')}>${shortened(p.key)}</small></li>
  <li><span>${icon('shield')}</span><b>${say('ゲートウェイ', 'Gateway')}</b><small>${say('この医療機関の証明書で', 'With this clinic’s certificate')}</small></li>
  <li class=${p.answer ? 'ok' : p.refused ? 'no' : ''}><span>${icon(p.answer ? 'ok' : p.refused ? 'info' : 'wait')}</span><b>${p.looking ? say('照会中', 'Asking') : p.answer ? say('資格あり', 'Entitled') : say('情報なし', 'Nothing')}</b><small>${say('個人番号は通りません', 'No individual number passes')}</small></li></ol>`;

export function eligibilityView(p) {
  const other = state.clinics.find((c) => c !== state.clinic);
  const list = p.answer?.eligibility ?? [];
  return html`<div class="stack">${steps(p)}
    ${p.looking ? nothing : refusal(p.refused)}
    ${list.length ? html`<div class="certs">${list.map(certificate)}</div>` : nothing}
    ${p.session ? html`<p class="small soft">${say('セッション', 'Session')}: ${dateTime(p.answer.session_expires_at)}${say('まで読み直せます。', ' – until then it can be read again.')}</p>` : nothing}
    <section class="panel stack tight"><h3>${say('ためしてみる', 'Try it')}</h3><div class="row tight">
      <button @click=${() => again(p)}>${icon('undo')}${say('同じキーをもう一度使う', 'Use the key again')}</button>
      ${other ? html`<button @click=${() => again(p, other)}>${icon('out')}${say(`${other.ja}として使う`, `Use it as ${other.en}`)}</button>` : nothing}
      ${p.session ? html`<button @click=${() => refresh(p)}>${icon('eye')}${say('セッションで読み直す', 'Read again by session')}</button>` : nothing}</div>
      ${p.log.length ? html`<ul class="log" aria-live="polite">${p.log.map(attempt)}</ul>` : nothing}</section></div>`;
}
