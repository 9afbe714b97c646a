// A day's patients at once: each gives consent at the reader, then one request asks for all.
import { badge, html, icon, loading, nothing, problemNote } from './page.js';
import { post } from './api.js';
import { age, day, heard, say } from './nation.js';
import { at, paint, state } from './app.js';

const ROWS = 10;
const list = { chosen: new Set(), busy: false, problem: null, rows: null, ms: 0 };

async function ask() {
  Object.assign(list, { busy: true, problem: null, rows: null });
  paint();
  const patients = state.deck.filter((c) => list.chosen.has(c.card_serial));
  const keys = await Promise.all(patients.map((c) => heard(post(at('consents'), { card_serial: c.card_serial, items: ['eligibility'], purpose: 'treatment' }))));
  const good = patients.map((card, i) => ({ card, key: keys[i].answer?.link_key, problem: keys[i].problem })).filter((r) => r.key);
  const begin = performance.now();
  const { answer, problem } = await heard(post(at('eligibility/list'), { link_keys: good.map((r) => r.key) }));
  Object.assign(list, { busy: false, problem: problem ?? keys.find((k) => k.problem)?.problem, ms: performance.now() - begin, rows: answer ? good.map((r, i) => ({ card: r.card, said: answer.results[i] })) : null });
  paint();
}

const verdict = (said) => (said.problem ? html`${badge('wait', said.problem.code === 'nothing' ? say('情報なし', 'Nothing') : said.problem.code)} <span class="small soft">${say(said.problem.title, said.problem.title_en ?? said.problem.title)}</span>`
  : html`${badge('ok', say('資格あり', 'Entitled'))} ${said.eligibility.map((c) => c.certificationName).join('、')}`);

export function listView() {
  if (!state.deck) return loading();
  const shown = state.deck.slice(0, ROWS);
  return html`<section class="stack"><h2>${say('予約患者の一括照会', 'Day list')}</h2>
    <p class="soft">${say('受付で同意した患者さんの資格を、1回の要求でまとめて確認します(最大100人)。連携キーは1人ずつ別です。', 'One request asks for all who agreed at the reader, up to 100; each has a link key of its own.')}</p>
    ${problemNote(list.problem)}
    <div class="table-wrap"><table class="cards"><caption>${say('本日の予約', 'Appointments today')}</caption><thead><tr><th class="tight">${say('選ぶ', 'Choose')}</th><th>${say('氏名', 'Name')}</th><th>${say('生年月日', 'Born')}</th><th>${say('結果', 'Result')}</th></tr></thead>
    <tbody>${shown.map((c) => { const row = list.rows?.find((r) => r.card === c); return html`<tr><td class="tight"><input type="checkbox" aria-label=${c.name} .checked=${list.chosen.has(c.card_serial)} @change=${(e) => { if (e.target.checked) list.chosen.add(c.card_serial); else list.chosen.delete(c.card_serial); paint(); }}></td>
      <th scope="row" lang="ja">${c.name}</th><td data-label=${say('生年月日', 'Born')}>${day(c.date_of_birth)}(${age(c.date_of_birth)})</td><td data-label=${say('結果', 'Result')}>${row ? verdict(row.said) : '–'}</td></tr>`; })}</tbody></table></div>
    <div class="row"><button @click=${() => { for (const c of shown) list.chosen.add(c.card_serial); paint(); }}>${say('全員を選ぶ', 'Choose all')}</button>
    <button class="primary" ?disabled=${list.busy || !list.chosen.size} @click=${ask}>${icon('search')}${say(`${list.chosen.size}人を照会する`, `Ask for ${list.chosen.size}`)}</button>
    ${list.rows ? html`<p role="status" class="small soft">${say(`${list.rows.length}人分の応答に ${Math.round(list.ms)} ミリ秒`, `${list.rows.length} answers in ${Math.round(list.ms)} ms`)}</p>` : nothing}</div></section>`;
}
