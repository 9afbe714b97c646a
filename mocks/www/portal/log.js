// Who looked at my data. Each entry is checked here, in the browser, against the signed log.
import { badge, html, icon, keep, loading, note, nothing, problemNote } from './page.js';
import { get } from './api.js';
import { dateTime } from './text.js';
import { heard, say } from './nation.js';
import { fetchInto, need, order, paint, state } from './app.js';
import { checkpoint, judge, tampered } from './proof.js';

const checked = { of: null, tree: null, verdicts: [], spoilt: null, running: false, failed: null };

const WORDS = {
  good: ['ok', '照合済み', 'proved'], signature: ['bad', '署名が合いません', 'bad signature'], leaf: ['bad', '記録が壊れています', 'broken entry'], path: ['bad', '改ざんを検出', 'tampering found'], shown: ['bad', '表示が記録と違います', 'shown otherwise'],
};

async function check(doc) {
  if (checked.running || checked.of === doc) return;
  Object.assign(checked, { of: doc, running: true, verdicts: [], tree: null, failed: null, spoilt: null });
  try {
    checked.key ??= (await get('/portal/v1/log-key')).log_key;
    checked.tree = await checkpoint(doc.checkpoint, checked.key);
  } catch (e) {
    checked.failed = e;
  }
  for (const entry of doc.entries) checked.verdicts.push(await judge(entry, checked.tree));
  checked.running = false;
  paint();
}

async function spoil(doc, i) {
  checked.spoilt = i === null ? null : { i, entry: tampered(doc.entries[i]) };
  for (const [k, entry] of doc.entries.entries()) checked.verdicts[k] = await judge(k === i ? checked.spoilt.entry : entry, checked.tree);
  paint();
}

async function statement() {
  const { answer, problem } = await order('access-log/statement', { limit: '50' });
  state.data.statement = { answer, problem };
  if (answer) keep('statement.json', 'application/json', [JSON.stringify(answer)]);
  paint();
}

const ITEMS = { eligibility: ['医療費助成', 'subsidies'], vaccination: ['予防接種', 'vaccinations'], ticket: ['接種券', 'tickets'], questionnaire: ['予診票', 'questionnaires'], consent: ['同意', 'consents'], session: ['閲覧', 'sessions'], access_log: ['この記録', 'this log'], resident: ['住民情報', 'resident'], number: ['個人番号', 'individual number'], flags: ['制御', 'flags'], checkup: ['検診', 'checkups'] };

function line(doc, e, i) {
  const verdict = checked.of === doc ? checked.verdicts[i] : null, w = WORDS[verdict];
  return html`<li class="entry ${w?.[0] ?? ''}"><div class="spread"><strong>${say(e.institution, e.institution_en)}</strong>${w ? badge(w[0], say(w[1], w[2])) : badge('wait', say('照合中', 'checking'))}</div>
    <p>${say(e.event_ja, e.event_en)}</p><p class="small soft">${dateTime(e.at, { second: '2-digit' })}・${(e.what ?? []).map((x) => (ITEMS[x] ? say(...ITEMS[x]) : x)).join('、')}・${say(e.result_ja, e.result_en)}</p>
    <details class="small"><summary>${say('根拠と証明', 'Basis and proof')}</summary><p>${say(e.why_ja, e.why_en)}</p><p>${say(e.purpose_ja, e.purpose_en)}</p><p class="line soft">${say(`台帳の${e.seq}番目 / ${checked.tree?.size ?? '–'}件、経路 ${e.proof.path.length}段`, `entry ${e.seq} of ${checked.tree?.size ?? '–'}, path of ${e.proof.path.length}`)}</p></details></li>`;
}

function verdictNote(doc) {
  if (checked.failed) return note('bad', say('台帳の署名を確かめられません', 'The signature of the log does not hold'), say('この端末では確認できないか、署名が違います。', 'This browser cannot check it, or it is wrong.'));
  if (checked.of !== doc || checked.running) return loading();
  const bad = checked.verdicts.filter((v) => v !== 'good').length;
  if (bad) return note('bad', say(`${bad}件が台帳と合いません`, `${bad} does not fit the log`), say('表示された内容は、署名された台帳にありません。', 'What is shown does not stand in the signed log.'));
  return note('ok', say(`${doc.entries.length}件すべて、署名された台帳にあることを確かめました`, `All ${doc.entries.length} stand in the signed log`), say('この端末が公開鍵だけで計算しました。', 'Computed in this browser, with the public key alone.'));
}

export function logView() {
  const l = need('log', 'access-log', { limit: '20' });
  const doc = l.answer;
  if (doc) queueMicrotask(() => check(doc));
  const able = doc && checked.of === doc && !checked.running && !checked.failed && doc.entries.length;
  return html`<section class="stack"><h2>${say('わたしの情報を見た人', 'Who looked at my data')}</h2>
    ${l.problem ? problemNote(l.problem) : nothing}
    ${doc ? html`<div role="status">${verdictNote(doc)}</div>
      <div class="two"><button @click=${() => fetchInto('log', 'access-log', { limit: '20' })}>${icon('undo')}${say('更新', 'Refresh')}</button>
      ${checked.spoilt && checked.of === doc ? html`<button @click=${() => spoil(doc, null)}>${icon('undo')}${say('元に戻す', 'Undo it')}</button>` : html`<button class="danger" ?disabled=${!able} @click=${() => spoil(doc, Math.min(1, doc.entries.length - 1))}>${icon('warn')}${say('改ざんしてみる', 'Tamper with it')}</button>`}</div>
      <ul class="entries">${doc.entries.map((e, i) => line(doc, e, i))}</ul>
      <section class="stack tight"><h3>${icon('download')} ${say('開示の証明書', 'Statement')}</h3><p class="small soft">${say('署名された一覧を保存します。公開鍵があれば、だれでも確かめられます。', 'A signed list to keep: whoever has the public key can check it.')}</p>
      ${state.data.statement?.problem ? problemNote(state.data.statement.problem) : nothing}
      <button class="wide" @click=${statement}>${icon('download')}${say('証明書を保存する(JSON)', 'Save the statement (JSON)')}</button>
      ${state.data.statement?.answer ? html`<button class="wide" @click=${() => keep('statement.html', 'text/html', [state.data.statement.answer.html])}>${icon('file')}${say('印刷用の書面を保存する', 'Save the page to print')}</button>` : nothing}</section>` : l.busy ? loading() : nothing}</section>`;
}
