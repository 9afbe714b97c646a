// The questionnaire before a vaccination, filled in at home.
import { badge, html, icon, loading, note, nothing, problemNote, toast } from './page.js';
import { program, say } from './nation.js';
import { fetchInto, need, order, paint } from './app.js';

const form = { of: null, values: {}, problem: null, busy: false, request: null };
const newId = () => crypto.randomUUID().replaceAll('-', '');

const asked = (item) => !item.show_if || form.values[item.show_if.item] === item.show_if.equals;

function begin(t, sheet) {
  Object.assign(form, { of: t, sheet, values: Object.fromEntries((sheet?.answers ?? []).map((a) => [a.item, a.value])), problem: null, request: newId() });
  paint();
}

async function send(template, submit) {
  form.busy = true;
  form.problem = null;
  paint();
  const answers = template.items.filter(asked).filter((i) => form.values[i.id]).map((i) => ({ item: i.id, value: form.values[i.id] }));
  const { answer, problem } = await order('questionnaires/answer', { requestId: form.request, municipalityCode: form.of.municipalityCode, ticketNumber: form.of.ticketNumber, templateId: template.id, templateVersion: template.version, answers, submit,
    ...(form.sheet ? { questionnaireId: form.sheet.questionnaireId, version: String(form.sheet.version) } : {}) });
  Object.assign(form, { busy: false, problem, request: newId() });
  if (answer) {
    toast(submit ? say('予診票を提出しました。', 'It is handed in.') : say('下書きを保存しました。', 'The draft is kept.'), 'ok');
    form.of = null;
    await fetchInto('sheets', 'questionnaires');
  }
  paint();
}

const set = (id, value) => { form.values[id] = value; paint(); };
const options = (i) => (i.type === 'yes_no' ? [['yes', say('はい', 'Yes')], ['no', say('いいえ', 'No')]] : i.choices.map((c) => [c.id, say(c.ja, c.en)]));

const question = (i) => html`<div class="question">${i.type === 'yes_no' || i.type === 'choice'
  ? html`<fieldset><legend>${say(i.text_ja, i.text_en)}${i.required ? html` <span class="must">${say('必須', 'required')}</span>` : nothing}</legend><div class="pick-row">${options(i).map(([v, text]) => html`<label class="choice"><input type="radio" name=${i.id} .checked=${form.values[i.id] === v} @change=${() => set(i.id, v)}>${text}</label>`)}</div></fieldset>`
  : html`<div class="field"><label for=${`a-${i.id}`}>${say(i.text_ja, i.text_en)}${i.required ? html` <span class="must">${say('必須', 'required')}</span>` : nothing}</label><input id=${`a-${i.id}`} type=${i.type === 'date' ? 'date' : 'text'} inputmode=${i.type === 'number' ? 'decimal' : nothing} maxlength=${i.type === 'text' ? 400 : nothing} .value=${form.values[i.id] ?? ''} @input=${(e) => { form.values[i.id] = e.target.value; }}></div>`}</div>`;

const sheetForm = (t) => html`<form class="stack" novalidate @submit=${(e) => { e.preventDefault(); send(t, true); }}><button type="button" class="quiet back" @click=${() => { form.of = null; paint(); }}>${icon('back')}${say('一覧へ戻る', 'Back')}</button>
  <h2>${say(t.title_ja, t.title_en)}</h2><p class="soft">${program(form.of.vaccinationProgramId)} ${form.of.doseNumber}${say('回目', '')}</p>
  ${t.items.filter(asked).map(question)}
  ${t.consent_ja ? note('info', say(t.consent_ja, t.consent_en), say('提出すると、接種する医療機関が回答を読めます。', 'The clinic that vaccinates can read it once it is handed in.')) : nothing}
  ${problemNote(form.problem)}
  <button class="primary big wide" ?disabled=${form.busy}>${icon('ok')}${say('提出する', 'Hand in')}</button><button type="button" class="wide" ?disabled=${form.busy} @click=${() => send(t, false)}>${say('下書きとして保存', 'Keep as a draft')}</button></form>`;

const STATES = { draft: ['wait', '下書き', 'draft'], submitted: ['ok', '提出済み', 'handed in'], completed: ['ok', '予診済み', 'completed'] };

export function sheetsView() {
  const s = need('sheets', 'questionnaires');
  if (form.of && s.answer) {
    const t = s.answer.templates.find((x) => x.municipalityCode === form.of.municipalityCode && x.template.id === form.of.templateId);
    if (t) return html`<section class="stack">${sheetForm(t.template)}</section>`;
  }
  const open = (s.answer?.tickets ?? []).filter((t) => t.templateId);
  const sheetOf = (t) => s.answer.questionnaires.find((q) => q.ticketNumber === t.ticketNumber && q.vaccinationProgramId === t.vaccinationProgramId);
  return html`<section class="stack"><h2>${say('予診票', 'Questionnaires')}</h2><p class="soft">${say('接種の前に、体調などを記入して提出します。', 'To be filled in before a vaccination.')}</p>
    ${s.problem && s.problem.code !== 'nothing' ? problemNote(s.problem) : nothing}
    ${open.length ? html`<ul class="plain">${open.map((t) => { const q = sheetOf(t); return html`<li class="panel stack tight"><div class="spread"><strong>${program(t.vaccinationProgramId)} ${t.doseNumber}${say('回目', '')}</strong>${q ? badge(STATES[q.status][0], say(STATES[q.status][1], STATES[q.status][2])) : badge('warn', say('未記入', 'not filled in'))}</div>
      ${q?.status === 'completed' ? html`<p class="small soft">${say('医師の予診が終わりました。', 'The doctor has seen it.')}</p>` : html`<button class="wide ${q ? '' : 'primary'}" @click=${() => begin(t, q)}>${icon('log')}${q ? say('内容を直す', 'Change it') : say('記入する', 'Fill in')}</button>`}</li>`; })}</ul>`
      : s.busy ? loading() : html`<p class="soft">${say('記入できる予診票はありません。', 'There is none to fill in.')}</p>`}</section>`;
}
