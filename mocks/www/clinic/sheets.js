// What the citizen answered before the vaccination, and the doctor's part.
import { badge, html, icon, note, nothing, problemNote, toast } from './page.js';
import { post } from './api.js';
import { heard, program, say } from './nation.js';
import { at, paint } from './app.js';

const newId = () => crypto.randomUUID().replaceAll('-', '');
const session = (p) => p.venue?.session ?? (p.kind === 'immunization' ? p.session : null);

async function read(p) {
  p.sheetsAsked = true;
  const { answer, problem } = await heard(post(at('questionnaires'), { session: session(p) }));
  Object.assign(p, { sheets: answer, sheetsProblem: problem });
  paint();
}

const templateOf = (p, q) => (p.sheets.templates.find((t) => (t.template ?? t).id === q.templateId && (t.template ?? t).version === q.templateVersion) ?? {}).template;

export function shown(item, value) {
  if (item?.type === 'yes_no') return value === 'yes' ? say('はい', 'Yes') : say('いいえ', 'No');
  const c = item?.choices?.find((x) => x.id === value);
  return c ? say(c.ja, c.en) : value;
}

async function complete(p, q, form) {
  const items = (templateOf(p, q)?.items ?? []).filter((i) => i.doctor_only);
  const answers = items.map((i) => ({ item: i.id, value: form.elements[i.id].value })).filter((a) => a.value);
  const unfit = form.elements.fit.value === 'unfit';
  const { problem } = await heard(post(at('questionnaires/complete'), { session: session(p), requestId: newId(), questionnaireId: q.questionnaireId, version: String(q.version), answers, doctorName: form.elements.doctor.value,
    isUnfit: unfit, isExplained: form.elements.explained.checked, isConsented: !unfit && form.elements.agreed.checked, ...(form.elements.remarks.value ? { remarks: form.elements.remarks.value } : {}) }));
  p.sheetsProblem = problem;
  if (!problem) { toast(say('予診の結果を保存しました。', 'The doctor’s part is kept.'), 'ok'); await read(p); }
  paint();
}

const doctorItem = (i) => html`<div class="field"><label for=${`d-${i.id}`}>${say(i.text_ja, i.text_en)}</label>${i.type === 'yes_no' || i.type === 'choice' ? html`<select id=${`d-${i.id}`} name=${i.id}><option value=""></option>${i.type === 'yes_no' ? html`<option value="yes">${say('はい', 'Yes')}</option><option value="no">${say('いいえ', 'No')}</option>` : i.choices.map((c) => html`<option value=${c.id}>${say(c.ja, c.en)}</option>`)}</select>`
  : html`<input id=${`d-${i.id}`} name=${i.id} inputmode=${i.type === 'number' ? 'decimal' : nothing} type=${i.type === 'date' ? 'date' : 'text'}>`}</div>`;

const doctorForm = (p, q, t) => html`<form class="panel stack" @submit=${(e) => { e.preventDefault(); complete(p, q, e.target); }}><h4>${say('医師記入欄', 'The doctor’s part')}</h4>
  ${(t?.items ?? []).filter((i) => i.doctor_only).map(doctorItem)}
  <fieldset><legend>${say('判断', 'Verdict')}</legend><div class="row"><label class="choice"><input type="radio" name="fit" value="fit" checked>${say('接種できる', 'fit')}</label><label class="choice"><input type="radio" name="fit" value="unfit">${say('見合わせる', 'unfit')}</label></div></fieldset>
  <label class="choice"><input type="checkbox" name="explained">${say('効果と副反応を説明した', 'Benefit and side effects were explained')}</label>
  <label class="choice"><input type="checkbox" name="agreed">${say('接種に同意を得た', 'The person agrees')}</label>
  <div class="grid small"><div class="field"><label for="d-doctor">${say('医師名', 'Doctor')}</label><input id="d-doctor" name="doctor" required value=${say('模擬 太郎', 'Mock Taro')}></div><div class="field"><label for="d-remarks">${say('備考', 'Remarks')}</label><input id="d-remarks" name="remarks" maxlength="100"></div></div>
  <div class="row end"><button class="primary">${icon('ok')}${say('予診を完了する', 'Complete')}</button></div></form>`;

function sheet(p, q) {
  const t = templateOf(p, q), alarms = new Set(q.attention ?? []);
  const rows = q.answers.map((a) => ({ a, item: t?.items.find((i) => i.id === a.item) })).filter((r) => !r.item?.doctor_only || q.status === 'completed');
  return html`<article class="stack fresh"><header class="spread"><h3>${t ? say(t.title_ja, t.title_en) : say('予診票', 'Questionnaire')} <span class="small soft">${program(q.vaccinationProgramId)} ${q.doseNumber}${say('回目', '')}</span></h3>
    ${q.status === 'completed' ? badge('ok', say('予診済み', 'completed')) : badge('info', say('記入済み', 'answered'))}</header>
    ${alarms.size ? note('warn', say(`確認が必要な回答が${alarms.size}件あります`, `Answers that need a look: ${alarms.size}`), '') : nothing}
    <div class="table-wrap"><table><thead><tr><th>${say('質問', 'Question')}</th><th>${say('回答', 'Answer')}</th></tr></thead><tbody>${rows.map(({ a, item }) => html`<tr class=${alarms.has(a.item) ? 'alarm' : ''}><th scope="row">${item ? say(item.text_ja, item.text_en) : a.item}</th><td>${alarms.has(a.item) ? badge('warn', say('要確認', 'look')) : nothing} <strong>${shown(item, a.value)}</strong></td></tr>`)}</tbody></table></div>
    ${q.doctor ? note(q.doctor.isUnfit ? 'warn' : 'ok', q.doctor.isUnfit ? say('接種を見合わせる', 'Unfit') : say('接種できる', 'Fit'), `${q.doctor.doctorName}${q.doctor.remarks ? ` – ${q.doctor.remarks}` : ''}`) : doctorForm(p, q, t)}</article>`;
}

export function sheetsView(p) {
  if (!session(p)) return note('info', say('「予防接種」の同意をとるか、接種券を読み取ってください', 'Have consent for a vaccination, or read a ticket'), say('予診票は、その同意またはその接種券の範囲で読めます。', 'Questionnaires are read within that consent or ticket.'));
  if (!p.sheets && !p.sheetsAsked) read(p);
  return html`<div class="stack"><div class="row end"><button class="quiet" @click=${() => read(p)}>${icon('undo')}${say('読み直す', 'Read again')}</button></div>${p.sheetsProblem ? problemNote(p.sheetsProblem) : nothing}
    ${p.sheets?.questionnaires.length ? p.sheets.questionnaires.map((q) => sheet(p, q)) : p.sheets ? html`<p class="soft">${say('提出された予診票はまだありません。ポータルで記入して提出すると、ここに届きます。', 'None was handed in yet; what is answered at the portal arrives here.')}</p>` : nothing}</div>`;
}
