// What the card reader asks the patient. Consent makes a link key; the clinic's system gets nothing else.
import { html, icon, nothing, problemNote } from './page.js';
import { post } from './api.js';
import { heard, say } from './nation.js';
import { at, here, paint, show, state } from './app.js';

const KINDS = [
  ['treatment', () => say('診察・会計', 'Treatment'), ['eligibility']],
  ['immunization', () => say('予防接種', 'Vaccination'), ['eligibility', 'questionnaire', 'immunizations']],
];
const ITEMS = {
  eligibility: ['card', () => say('医療費助成の資格', 'Entitlement to medical subsidies'), () => say('受給者証の種類、公費負担者番号、受給者番号、有効期間、自己負担上限', 'Certificates, payer and recipient numbers, period, ceiling')],
  questionnaire: ['log', () => say('予診票', 'Questionnaires'), () => say('ポータルで記入した予診票の回答', 'What was answered at the portal')],
  immunizations: ['syringe', () => say('予防接種の記録', 'Vaccination records'), () => say('これまでの接種の記録と、今回の接種の登録', 'Doses given so far, and recording the one of today')],
};

function choose(p, kind) {
  p.kind = kind;
  p.items = new Set(KINDS.find(([k]) => k === kind)[2]);
  paint();
}

async function agree(p) {
  p.busy = true;
  p.problem = null;
  paint();
  const { answer, problem } = await heard(post(at('consents'), { card_serial: p.card.card_serial, items: [...p.items], purpose: p.kind }));
  p.busy = false;
  p.problem = problem;
  if (answer) {
    Object.assign(p, { key: answer.link_key, until: answer.expires_at, answer: null, session: null, refused: null, log: [], sheets: null, doses: null, venue: null });
    show('chart', p.kind === 'immunization' ? 'vaccination' : 'eligibility');
    const { lookUp } = await import('./eligibility.js');
    await lookUp(p);
    return;
  }
  paint();
}

export function consentView(p) {
  if (!p.items) { choose(p, p.kind); return nothing; }
  return html`<section class="consent fresh"><div class="kiosk stack"><p class="kiosk-head">${icon('shield')}${say('顔認証付きカードリーダー', 'Card reader')}</p>
    <h2>${say('情報の提供に同意しますか', 'Do you agree that information is given?')}</h2>
    <p class="big-text"><strong lang="ja">${p.card.name}</strong> ${say('様', '')}<br>${say(`${here()} に、次の情報を提供します。`, `This is given to ${here()}:`)}</p>
    <fieldset><legend>${say('本日の目的', 'What for')}</legend><div class="row">${KINDS.map(([k, text]) => html`<label class="choice"><input type="radio" name="kind" .checked=${p.kind === k} @change=${() => choose(p, k)}>${text()}</label>`)}</div></fieldset>
    <fieldset><legend>${say('提供する情報', 'What is given')}</legend><div class="stack tight">${KINDS.find(([k]) => k === p.kind)[2].map((i) => html`<label class="item"><input type="checkbox" .checked=${p.items.has(i)} @change=${(e) => { if (e.target.checked) p.items.add(i); else p.items.delete(i); paint(); }}>
      ${icon(ITEMS[i][0])}<span><strong>${ITEMS[i][1]()}</strong><br><span class="small soft">${ITEMS[i][2]()}</span></span></label>`)}</div></fieldset>
    <p class="small soft">${say('同意は24時間有効で、この医療機関だけが使えます。ポータルからいつでも取り消せます。', 'Consent holds for 24 hours and for this clinic alone. It can be withdrawn at the portal at any time.')}</p>
    ${problemNote(p.problem)}
    <div class="answer"><button class="big" @click=${() => { state.patients = state.patients.filter((x) => x !== p || p.key); state.current = null; show('reception'); }}>${say('同意しない', 'I do not agree')}</button>
    <button class="primary big" ?disabled=${p.busy || p.items.size === 0} @click=${() => agree(p)}>${icon('ok')}${say('同意する', 'I agree')}</button></div></div></section>`;
}
