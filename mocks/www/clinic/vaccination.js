// Vaccination: a ticket or the card's consent opens the session; the carton's GS1 code says product, lot and expiry; the gateway judges the dose.
import { badge, confirm, dialog, html, icon, note, nothing, problemNote, toast } from './page.js';
import { post } from './api.js';
import { dateTime } from './text.js';
import { day, gtinOf, heard, municipality, program, PROGRAMS, say, today } from './nation.js';
import { at, paint, state } from './app.js';
import { scanField } from './scan.js';

const GS = '\u001d';
const SENT = ['municipalityCode', 'vaccinationProgramId', 'doseNumber', 'vaccinationDate', 'gtin', 'vaccineName', 'productName', 'manufacturer', 'lotNumber', 'expirationDate', 'doseQuantity', 'doseUnit',
  'site', 'route', 'doctorName', 'place', 'implementationSegment', 'vaccinationSegment', 'isConsented', 'isOverseas', 'isCautionRequired', 'specialCircumstances'];
const SITES = { left_arm: ['左上腕', 'left arm'], right_arm: ['右上腕', 'right arm'] };

const newId = () => crypto.randomUUID().replaceAll('-', '');
const compact = (iso) => iso.slice(2).replaceAll('-', '');

function carton(id, lot, expires) { return `]d201${gtinOf(id)}17${compact(expires)}10${lot}${GS}`; }

const session = (p) => p.venue?.session ?? (p.kind === 'immunization' ? p.session : null);

function begin(p) {
  p.form ??= { line: '', gs1: '', born: p.card.date_of_birth, program: 'mr-1', dose: '1', date: today(), consented: false, site: 'left_arm', doctor: say('模擬 太郎', 'Mock Taro') };
  return p.form;
}

// ---- the ticket ----

async function showTickets(p) {
  const { answer, problem } = await heard(post('/portal/v1/tickets', { card_serial: p.card.card_serial }));
  p.tickets = answer?.tickets ?? [];
  p.ticketProblem = problem;
  paint();
}

async function readTicket(p) {
  const f = p.form;
  const { answer, problem } = await heard(post(at('tickets/read'), { ticketLine: f.line, dateOfBirth: f.born }));
  p.ticketProblem = problem;
  p.venue = answer;
  if (answer) {
    f.program = answer.ticket.vaccinationProgramId;
    f.dose = answer.ticket.doseNumber;
    p.muni = answer.ticket.municipalityCode;
    await readDoses(p);
  }
  paint();
}

function ticketView(p) {
  const f = p.form;
  const samples = (p.tickets ?? []).filter((t) => t.ticketLine).map((t) => [`${program(t.vaccinationProgramId)} ${t.doseNumber}${say('回目', '')}`, t.ticketLine]);
  return html`<section class="panel stack"><h3>${icon('card')} ${say('接種券', 'Ticket')}</h3>
    ${session(p) ? note('ok', p.venue ? say(`${program(f.program)} ${f.dose}回目の接種券を確認しました`, `Ticket for ${program(f.program)}, dose ${f.dose}`) : say('カードの同意で記録できます', 'The card’s consent lets you record'), p.venue ? say(`有効期間 ${day(p.venue.ticket.validFrom)}から${day(p.venue.ticket.validTo)}まで`, `${day(p.venue.ticket.validFrom)} to ${day(p.venue.ticket.validTo)}`) : '') : nothing}
    ${scanField({ id: 'ticket', label: say('接種券の券番号を読み取る', 'Read the ticket'), hint: say('18桁の数字(OCRライン)または二次元コード', '18 digits, or the QR code'), value: f.line, set: (v) => { f.line = v; paint(); }, done: () => readTicket(p), formats: ['qr_code'], samples, invalid: Boolean(p.ticketProblem) })}
    <div class="row bottom"><div class="field"><label for="born">${say('生年月日', 'Date of birth')}</label><input id="born" type="date" .value=${f.born} @change=${(e) => { f.born = e.target.value; }}></div>
    <button @click=${() => readTicket(p)} ?disabled=${!f.line}>${icon('search')}${say('接種券を確認', 'Check the ticket')}</button>
    ${p.tickets ? nothing : html`<button class="quiet" @click=${() => showTickets(p)}>${icon('person')}${say('患者さんのスマートフォンの接種券を見せてもらう', 'See the tickets on the patient’s phone')}</button>`}</div>
    ${p.tickets && !samples.length ? html`<p class="small soft">${say('今日使える接種券はありません。', 'No ticket is good today.')}</p>` : nothing}
    ${p.ticketProblem ? problemNote(p.ticketProblem) : nothing}</section>`;
}

// ---- the dose ----

const broken = (problem) => (problem.code === 'rules_broken' ? note('bad', say('この接種は記録できません', 'This dose cannot be recorded'), '', html`<ul>${problem.doc.rules.map((r) => html`<li>${say(r.message_ja, r.message_en)}</li>`)}</ul>`) : problemNote(problem));

async function record(p) {
  const f = p.form;
  const immunization = { municipalityCode: p.muni ?? p.card.municipalityCode, vaccinationProgramId: f.program, doseNumber: f.dose, vaccinationDate: f.date, isConsented: f.consented, site: f.site, doctorName: f.doctor, place: say(state.clinic.ja, state.clinic.ja) };
  p.recording = true;
  f.request ??= newId();
  paint();
  const { answer, problem } = await heard(post(at('immunizations/record'), { session: session(p), requestId: f.request, ...(f.gs1 ? { gs1: f.gs1 } : {}), immunization }));
  Object.assign(p, { recording: false, doseProblem: problem, warnings: answer?.warnings ?? [] });
  f.request = problem && problem.status === 0 ? f.request : null; // lost on its way: the same request again does no harm
  if (answer) {
    toast(say('接種を記録しました。', 'The dose is recorded.'), 'ok');
    f.gs1 = '';
    f.consented = false;
    await readDoses(p);
  }
  paint();
}

function samplesOf(f) {
  const good = carton(f.program, 'A1B2', today(200)), printed = `(01)${gtinOf(f.program)}(17)${compact(today(90))}(10)C3D4`;
  return [[say('ワクチンの箱', 'Carton'), good], [say('箱の印字', 'As printed'), printed], [say('期限切れの箱', 'Expired carton'), carton(f.program, 'OLD1', today(-10))]];
}

const select = (id, label, value, options, set) => html`<div class="field"><label for=${id}>${label}</label><select id=${id} @change=${(e) => { set(e.target.value); paint(); }}>${options.map(([v, text]) => html`<option value=${v} ?selected=${v === value}>${text}</option>`)}</select></div>`;

function doseView(p) {
  const f = p.form;
  return html`<section class="panel stack"><h3>${icon('syringe')} ${say('接種を記録する', 'Record a dose')}</h3>
    ${session(p) ? nothing : note('info', say('接種券を読み取るか、「予防接種」の同意をとってください', 'Read a ticket, or have consent for a vaccination'), '')}
    <div class="grid small">${select('program', say('予防接種', 'Program'), f.program, Object.keys(PROGRAMS).map((id) => [id, program(id)]), (v) => { f.program = v; })}
      ${select('dose', say('回数', 'Dose'), f.dose, ['1', '2', '3', '4'].map((n) => [n, say(`${n}回目`, n)]), (v) => { f.dose = v; })}
      <div class="field"><label for="date">${say('接種日', 'Day')}</label><input id="date" type="date" .value=${f.date} @change=${(e) => { f.date = e.target.value; }}></div>
      ${select('site', say('接種部位', 'Site'), f.site, Object.entries(SITES).map(([v, n]) => [v, say(...n)]), (v) => { f.site = v; })}
      <div class="field"><label for="doctor">${say('接種医', 'Doctor')}</label><input id="doctor" .value=${f.doctor} @input=${(e) => { f.doctor = e.target.value; }}></div></div>
    ${scanField({ id: 'gs1', label: say('ワクチンの箱のコード(GS1)を読み取る', 'Scan the carton (GS1)'), hint: say('製品・ロット・有効期限はこのコードから入ります', 'Product, lot and expiry come from this code'), value: f.gs1, set: (v) => { f.gs1 = v; paint(); }, formats: ['data_matrix', 'code_128', 'databar'], samples: samplesOf(f), invalid: Boolean(p.doseProblem?.doc.gs1_fault) })}
    <label class="choice"><input type="checkbox" .checked=${f.consented} @change=${(e) => { f.consented = e.target.checked; paint(); }}><span>${say('本人(保護者)の接種への同意を確認しました', 'The person, or its guardian, agrees to the vaccination')}</span></label>
    ${p.doseProblem ? broken(p.doseProblem) : nothing}
    ${p.warnings?.length ? note('warn', say('記録しましたが、確認してください', 'Recorded; please look at this'), '', html`<ul>${p.warnings.map((w) => html`<li>${say(w.message_ja, w.message_en)}</li>`)}</ul>`) : nothing}
    <div class="row end"><button class="primary big" ?disabled=${!session(p) || p.recording} @click=${() => record(p)}>${icon('ok')}${say('この内容で記録する', 'Record')}</button></div></section>`;
}

// ---- the records ----

async function readDoses(p) {
  const { answer, problem } = await heard(post(at('immunizations'), { session: session(p) }));
  Object.assign(p, { doses: answer?.immunizations ?? p.doses, dosesProblem: problem });
  paint();
}

const again = (p, d, more) => post(at('immunizations/correct'), { session: session(p), requestId: newId(), immunizationId: d.immunizationId, version: String(d.version), ...more });

async function correct(p, d) {
  const done = await dialog({
    title: say('記録を訂正する', 'Correct the record'), yes: say('訂正する', 'Correct'),
    body: () => html`<p class="small soft">${program(d.vaccinationProgramId)} ${d.doseNumber}${say('回目', '')}</p>
      <div class="field"><label for="c-date">${say('接種日', 'Day')}</label><input id="c-date" name="date" type="date" required value=${d.vaccinationDate}></div>
      <div class="field"><label for="c-lot">${say('ロット番号', 'Lot')}</label><input id="c-lot" name="lot" maxlength="20" value=${d.lotNumber ?? ''}></div>
      <div class="field"><label for="c-why">${say('理由', 'Reason')}</label><select id="c-why" name="why"><option value="typing_error">${say('入力誤り', 'typing error')}</option><option value="wrong_lot">${say('ロットの誤り', 'wrong lot')}</option></select></div>`,
    submit: (form) => {
      const immunization = Object.fromEntries(SENT.filter((k) => d[k] !== undefined).map((k) => [k, d[k]]));
      immunization.vaccinationDate = form.elements.date.value;
      if (form.elements.lot.value) immunization.lotNumber = form.elements.lot.value;
      return again(p, d, { reason: form.elements.why.value, immunization });
    },
  });
  if (done) { toast(say('訂正しました。前の版も残ります。', 'Corrected; the version before stays.'), 'ok'); await readDoses(p); }
}

async function cancel(p, d) {
  if (!await confirm(say('この記録を取り消しますか', 'Cancel this record?'), say('取り消した記録も、理由とともに残ります。', 'It stays, with its reason.'), say('取り消す', 'Cancel the record'), 'danger')) return;
  const { problem } = await heard(again(p, d, { cancel: true, reason: 'typing_error' }));
  p.dosesProblem = problem;
  await readDoses(p);
}

const doseRow = (p, d) => html`<tr><th scope="row">${program(d.vaccinationProgramId)} ${d.doseNumber}${say('回目', '')}${d.status === 'cancelled' ? html` ${badge('warn', say('取消し', 'cancelled'))}` : nothing}</th><td data-label=${say('接種日', 'Day')}>${day(d.vaccinationDate)}</td>
  <td data-label=${say('製品・ロット', 'Product, lot')}>${d.productName ?? d.vaccineName ?? d.gtin ?? '–'}<br><span class="mono small">${d.lotNumber ?? ''}</span></td><td data-label=${say('接種した医療機関', 'Clinic')}>${d.medicalInstitutionCode === state.clinic.code ? say('当院', 'this clinic') : municipality(d.municipalityCode)}<br><span class="small soft">${say(`第${d.version}版`, `version ${d.version}`)}・${dateTime(d.updatedAt ?? d.recordedAt)}</span></td>
  <td class="tight">${d.status === 'completed' && d.medicalInstitutionCode === state.clinic.code ? html`<button @click=${() => correct(p, d)}>${say('訂正', 'Correct')}</button> <button class="danger" @click=${() => cancel(p, d)}>${say('取消し', 'Cancel')}</button>` : nothing}</td></tr>`;

function recordsView(p) {
  if (!session(p)) return nothing;
  if (!p.doses && !p.dosesProblem && !p.dosesAsked) { p.dosesAsked = true; readDoses(p); }
  return html`<section class="stack tight"><div class="spread"><h3>${icon('list')} ${say('これまでの接種', 'Doses so far')}</h3><button class="quiet" @click=${() => readDoses(p)}>${icon('undo')}${say('読み直す', 'Read again')}</button></div>
    ${p.dosesProblem ? problemNote(p.dosesProblem) : nothing}
    ${p.doses?.length ? html`<div class="table-wrap"><table class="cards"><thead><tr><th>${say('予防接種', 'Program')}</th><th>${say('接種日', 'Day')}</th><th>${say('製品・ロット', 'Product, lot')}</th><th>${say('接種した医療機関', 'Clinic')}</th><th><span class="visually-hidden">${say('操作', 'Actions')}</span></th></tr></thead><tbody>${p.doses.map((d) => doseRow(p, d))}</tbody></table></div>`
      : p.doses ? html`<p class="soft">${say('記録はまだありません。', 'No record yet.')}</p>` : nothing}</section>`;
}

export function vaccinationView(p) {
  begin(p);
  return html`<div class="stack">${ticketView(p)}${doseView(p)}${recordsView(p)}</div>`;
}
