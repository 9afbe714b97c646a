// The municipality's part of the audit log, each entry with its proof, which is computed here.
import { badge, empty, html, icon, keep, loading, note, nothing, problemNote, toast } from './page.js';
import { ask, get } from './api.js';
import { dateTime, number, t, texts } from './text.js';
import { checkpoint, judge, unsigned } from './proof.js';
import { EVENT_WORDS } from './event_words.js';

texts({
  ...EVENT_WORDS,
  'log.title': ['操作記録', 'Operation log'],
  'log.nav': ['操作記録', 'Operation log'],
  'log.text': ['この自治体が行った操作と、この自治体の情報に対する照会の記録です。この画面を開いたことも記録されます。', 'What this municipality did, and who looked at its data. Opening this page is recorded too.'],
  'log.event': ['操作', 'Event'], 'log.result': ['結果', 'Result'], 'log.actor': ['実行者', 'Actor'], 'log.at': ['日時', 'Time'], 'log.count': ['件数', 'Count'], 'log.proof': ['証明', 'Proof'],
  'log.search': ['検索', 'Search'],
  'log.search_hint': ['実行者・要求番号などに含まれる文字', 'Part of the actor, the request …'],
  'log.all': ['すべて', 'All'],
  'log.day': ['この日以前', 'Until this day'],
  'log.shown': ['{n}件を表示({seen}件を確認)', '{n} shown ({seen} looked at)'],
  'log.more': ['さらに読み込む', 'Load more'],
  'log.deeper': ['さらに検索', 'Search further'],
  'log.none': ['条件に合う記録はありません。', 'No entry matches.'],
  'log.end': ['記録の最初まで確認しました。', 'That was the first entry.'],
  'result.ok': ['成功', 'done'], 'result.nothing': ['該当なし', 'nothing told'], 'result.used': ['使用済み', 'used before'], 'result.refused_': ['拒否', 'refused'], 'result.failed': ['失敗', 'failed'],
  'log.request': ['要求番号', 'Request'], 'log.reason': ['理由', 'Reason'], 'log.basis': ['根拠', 'Basis'], 'log.purpose': ['目的', 'Purpose'], 'log.items': ['情報の種類', 'Kinds of data'], 'log.person': ['対象者(この自治体での仮の番号)', 'Person (a name in this municipality only)'], 'log.seq': ['通し番号', 'Number'],
  'log.behalf': ['立場', 'On behalf of'], 'behalf.own': ['システム', 'system'], 'behalf.citizen': ['本人', 'citizen'], 'behalf.staff': ['職員', 'staff'],
  'log.details': ['詳細', 'Details'],
  'log.verify': ['証明の確認', 'Proofs'],
  'log.verified': ['表示した{n}件すべてが、監査記録の要約(ハッシュ木)に含まれることを、この端末で確かめました。', 'This browser has computed that all {n} entries are in the tree of the log.'],
  'log.signed': ['署名も確認済みです。', 'Its signature holds.'],
  'log.unsigned': ['要約の署名を確かめるには、運用者から受け取った公開鍵(audit.pub)を選んでください。鍵はこの画面だけで使います。', 'To check its signature, choose the public key (audit.pub) that the operator gave you. It stays in this page.'],
  'log.bad': ['{n}件の証明が合いません', '{n} proofs do not hold'],
  'log.bad_text': ['記録が改ざんされたか、壊れている可能性があります。運用者に連絡し、画面を保存してください。', 'The log may have been tampered with. Tell the operator, and keep this page.'],
  'log.bad_signature': ['署名が公開鍵と合いません', 'The signature does not fit the key'],
  'log.key': ['公開鍵(audit.pub)', 'Public key (audit.pub)'],
  'log.checking': ['確認中', 'checking'],
  'proof.good': ['確認済み', 'proved'], 'proof.bad': ['不一致', 'does not hold'],
  'log.export': ['書き出し', 'Export'],
  'log.export_text': ['期間を選んで、証明付きの記録を一つのファイル(JSON Lines)に保存します。pmhgw audit check で検証できます。', 'Entries with their proofs as one file (JSON lines), for `pmhgw audit check`.'],
  'log.from': ['開始日', 'From'], 'log.to': ['終了日', 'To'],
  'log.export_do': ['ファイルに保存', 'Save as a file'],
  'log.export_done': ['{n}件を書き出しました。', '{n} entries were saved.'],
  'log.export_cut': ['途中で途切れました。保存していません。もう一度お試しください。', 'It was cut short, and nothing was saved. Try again.'],
  'log.busy': ['書き出しています', 'Exporting'],
});

const PAGE = 50, PAGES_AT_ONCE = 8, RESULTS = ['ok', 'nothing', 'used', 'refused', 'failed'];
const RESULT = { ok: 'ok', nothing: 'wait', used: 'warn', refused: 'bad', failed: 'bad' };
const resultText = (r) => t(r === 'refused' ? 'result.refused_' : `result.${r}`);
const eventText = (e) => (EVENT_WORDS[`event.${e}`] ? t(`event.${e}`) : e);
const dayOf = (iso) => new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Tokyo' }).format(new Date(iso));

export default {
  path: 'log', title: 'log.title', nav: 'log.nav', icon: 'log',
  may: (who) => who.role === 'admin' && who.allPrograms,
  open({ signal, paint }) {
    let entries = [], next = null, started = false, busy = false, problem = null, publicKey = '', exporting = false, exportProblem = null;
    const trees = new Map(); // checkpoint -> { tree, signed: true | false | null }
    const verdicts = new Map(); // seq -> verdict
    const filter = { word: '', event: '', result: '', day: '' };

    const matches = (e) => (!filter.event || e.event === filter.event) && (!filter.result || e.result === filter.result) && (!filter.day || dayOf(e.at) <= filter.day)
      && (!filter.word || [e.actor, e.request, e.person ?? '', e.reason ?? '', eventText(e.event), String(e.seq)].some((x) => x.toLowerCase().includes(filter.word)));
    const filtering = () => Object.values(filter).some(Boolean);

    async function treeOf(text) {
      if (!trees.has(text)) trees.set(text, { tree: unsigned(text), signed: null });
      const known = trees.get(text);
      if (publicKey && known.signed === null) {
        try {
          known.tree = await checkpoint(text, publicKey);
          known.signed = true;
        } catch {
          known.signed = false;
        }
      }
      return known;
    }

    async function page() {
      const doc = await get(`/v1/audit/entries?limit=${PAGE}${next ? `&cursor=${encodeURIComponent(next)}` : ''}`, { signal });
      const { tree } = await treeOf(doc.checkpoint);
      for (const e of doc.entries) verdicts.set(e.seq, await judge(e, tree));
      entries = [...entries, ...doc.entries];
      next = doc.next ?? null;
      started = true;
    }

    // Pages until there is something new to show
    async function more() {
      const before = entries.filter(matches).length;
      busy = true;
      paint();
      try {
        for (let i = 0; i < PAGES_AT_ONCE && (i === 0 || next); i++) {
          await page();
          paint();
          if (entries.filter(matches).length > before && (!filtering() || entries.filter(matches).length - before >= 10)) break;
        }
        problem = null;
      } catch (e) {
        if (signal.aborted) return;
        problem = e;
      }
      busy = false;
      paint();
    }
    more();

    async function takeKey(event) {
      const file = event.target.files[0];
      publicKey = file && file.size < 65536 ? await file.text() : '';
      for (const known of trees.values()) known.signed = null;
      for (const text of trees.keys()) await treeOf(text);
      paint();
    }

    async function save(event) {
      event.preventDefault();
      const f = new FormData(event.target), query = new URLSearchParams([...f].filter(([, v]) => v));
      exporting = true;
      exportProblem = null;
      paint();
      try {
        const response = await ask('GET', `/v1/audit/export${query.size ? `?${query}` : ''}`, { signal, deadline: 30 * 60 * 1000 });
        const blob = await response.blob();
        const last = (await blob.slice(-4096).text()).trimEnd().split('\n').pop();
        const end = JSON.parse(last);
        if (end.count === undefined) throw new Error('cut');
        keep(`operation-log-${dayOf(new Date().toISOString())}.jsonl`, 'application/jsonl', [blob]);
        toast(t('log.export_done', { n: number(end.count) }), 'ok');
      } catch (e) {
        if (signal.aborted) return;
        exportProblem = e.doc ? problemNote(e) : note('bad', t('log.export_cut'), '');
      }
      exporting = false;
      paint();
    }

    const set = (name) => (e) => { filter[name] = name === 'word' ? e.target.value.trim().toLowerCase() : e.target.value; paint(); };
    const verdict = (e) => { const v = verdicts.get(e.seq); return v === 'good' ? badge('ok', t('proof.good')) : v ? badge('bad', t('proof.bad')) : badge('wait', t('log.checking')); };
    const fact = (key, value) => (value === undefined || value === '' ? nothing : html`<dt>${t(`log.${key}`)}</dt><dd class="mono">${value}</dd>`);
    const line = (e) => html`<tr><th scope="row" class="tight">${dateTime(e.at, { second: '2-digit' })}</th><td data-label=${t('log.event')}>${eventText(e.event)}</td><td data-label=${t('log.result')} class="tight">${badge(RESULT[e.result] ?? 'wait', resultText(e.result))}</td>
      <td data-label=${t('log.actor')}><span class="mono">${e.actor}</span>${e.on_behalf === 'own' ? nothing : html` <span class="badge">${t(`behalf.${e.on_behalf}`)}</span>`}</td><td data-label=${t('log.count')} class="num">${number(e.count)}</td><td data-label=${t('log.proof')} class="tight">${verdict(e)}</td>
      <td class="details-cell"><details class="small"><summary>${t('log.details')}<span class="visually-hidden"> ${e.seq}</span></summary><dl class="facts">${fact('seq', String(e.seq))}${fact('request', e.request)}${fact('reason', e.reason)}${fact('purpose', e.purpose)}${fact('basis', e.basis)}${fact('items', e.items?.join(', '))}${fact('person', e.person)}</dl></details></td></tr>`;
    const table = (shown) => html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t('log.title')}><table class="cards log"><thead><tr>${['at', 'event', 'result', 'actor'].map((k) => html`<th scope="col">${t(`log.${k}`)}</th>`)}<th scope="col" class="num">${t('log.count')}</th><th scope="col">${t('log.proof')}</th><th scope="col">${t('log.details')}</th></tr></thead><tbody>${shown.map(line)}</tbody></table></div>`;

    const proofs = () => {
      const bad = [...verdicts.values()].filter((v) => v !== 'good').length, states = [...trees.values()].map((x) => x.signed);
      return html`<section class="stack tight" aria-labelledby="verify-title"><h2 id="verify-title">${t('log.verify')}</h2><div role="status">
        ${bad ? note('bad', t('log.bad', { n: number(bad) }), t('log.bad_text')) : states.includes(false) ? note('bad', t('log.bad_signature'), t('log.bad_text')) : note('ok', t('log.verified', { n: number(verdicts.size) }), states.every(Boolean) ? t('log.signed') : t('log.unsigned'))}</div>
        <div class="field narrow-field"><label for="log-key">${t('log.key')}</label><input id="log-key" type="file" accept=".pub,text/plain" @change=${takeKey}></div></section>`;
    };
    const exportForm = () => html`<form class="panel stack tight" @submit=${save} aria-labelledby="export-title"><h2 id="export-title">${t('log.export')}</h2><p class="small soft">${t('log.export_text')}</p>${exportProblem ?? nothing}
      <div class="row bottom"><div class="field"><label for="log-from">${t('log.from')}</label><input id="log-from" name="from" type="date"></div><div class="field"><label for="log-to">${t('log.to')}</label><input id="log-to" name="to" type="date"></div>
      <button type="submit" ?disabled=${exporting}>${icon('download')}${exporting ? t('log.busy') : t('log.export_do')}</button></div></form>`;
    const option = (value, text, now) => html`<option value=${value} ?selected=${now === value}>${text}</option>`;

    return () => {
      const shown = entries.filter(matches), kinds = [...new Set(entries.map((e) => e.event))].sort((a, b) => eventText(a).localeCompare(eventText(b), 'ja'));
      return html`<div class="wrap stack loose"><div class="stack tight"><h1 tabindex="-1">${t('log.title')}</h1><p class="soft">${t('log.text')}</p></div>
        <div class="row bottom"><div class="field grow"><label for="log-word">${t('log.search')}</label><input id="log-word" type="search" autocomplete="off" placeholder=${t('log.search_hint')} @input=${set('word')}></div>
          <div class="field"><label for="log-event">${t('log.event')}</label><select id="log-event" @change=${set('event')}>${option('', t('log.all'), filter.event)}${kinds.map((k) => option(k, eventText(k), filter.event))}</select></div>
          <div class="field"><label for="log-result">${t('log.result')}</label><select id="log-result" @change=${set('result')}>${option('', t('log.all'), filter.result)}${RESULTS.map((r) => option(r, resultText(r), filter.result))}</select></div>
          <div class="field"><label for="log-day">${t('log.day')}</label><input id="log-day" type="date" @change=${set('day')}></div></div>
        ${problem ? problemNote(problem) : nothing}
        ${!started ? (problem ? nothing : loading()) : html`<p class="soft small" role="status">${t('log.shown', { n: number(shown.length), seen: number(entries.length) })}${next ? '' : ` ${t('log.end')}`}</p>
          ${shown.length ? table(shown) : empty(t('log.none'))}
          ${next ? html`<div class="row"><button type="button" ?disabled=${busy} @click=${more}>${filtering() ? t('log.deeper') : t('log.more')}</button></div>` : nothing}${proofs()}`}
        ${exportForm()}</div>`;
    };
  },
};
