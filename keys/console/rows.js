// Rows of a task: page by page, by result and code; those that failed as a file.
import { csvCell, empty, html, icon, keep, loading, nothing, problemNote, toast } from './page.js';
import { get } from './api.js';
import { either, number, t, texts } from './text.js';
import { RESULTS, fieldName, resultBadge } from './kinds.js';

texts({
  'rows.title': ['行ごとの結果', 'Results by row'],
  'rows.all': ['すべて', 'All'],
  'rows.result': ['結果', 'Result'],
  'rows.failed': ['エラーと保留', 'Refused and held'],
  'rows.code': ['理由', 'Reason'],
  'rows.row': ['行', 'Row'],
  'rows.line': ['ファイルの行', 'Line'],
  'rows.key': ['宛名番号', 'Resident key'],
  'rows.message': ['内容', 'What'],
  'rows.select': ['選択', 'Choose'],
  'rows.select_row': ['{n}行目を選択', 'Choose row {n}'],
  'rows.select_all': ['表示中の保留をすべて選択', 'Choose all held rows shown'],
  'rows.none': ['条件に合う行はありません。', 'No row matches.'],
  'rows.soon': ['行ごとの結果は、処理が進むとここに表示されます。', 'Rows show up here as they are done.'],
  'rows.more': ['続きを表示', 'Show more'],
  'rows.shown': ['{n}行を表示', '{n} rows shown'],
  'rows.looked': ['{n}行を表示(続きがあります)', '{n} rows shown, there are more'],
  'rows.csv': ['エラー・保留の行をCSVで保存', 'Save refused and held rows as CSV'],
  'rows.csv_done': ['エラー・保留の{n}行をCSVで保存しました。', '{n} refused or held rows were saved.'],
  'rows.changed': ['変わった項目', 'Changed'],
  'rows.comma': ['、', ', '],
  'rows.with': ['関係する行: {n}', 'With row {n}'],
  'rows.warnings': ['注意', 'Note'],
});

const PAGE = 500, WANTED = 100, ASKS = 12;

// selects(): the table has boxes for held rows; those that are chosen are handed to onSelect at each change
export function rowsOf({ id, signal, paint, onSelect, selects = () => false }) {
  let rows = [], cursor = null, ended = false, busy = false, problem = null, saving = false, run = 0;
  const filter = { result: '', code: '' };
  const codes = new Map();
  const chosen = new Map();

  const fits = (r) => (!filter.result || (filter.result === 'failed' ? ['refused', 'quarantined'].includes(r.result) : r.result === filter.result)) && (!filter.code || r.code === filter.code);
  const onlyFailed = () => ['failed', 'refused', 'quarantined'].includes(filter.result);
  const address = (limit, at, only) => `/v1/tasks/${id}/results?limit=${limit}${only ? '&only=failed' : ''}${at ? `&cursor=${encodeURIComponent(at)}` : ''}`;

  // until enough rows fit, or there are no more
  async function load() {
    const mine = ++run, until = rows.length + WANTED;
    busy = true;
    problem = null;
    paint();
    try {
      for (let i = 0; i < ASKS && !ended && rows.length < until; i++) {
        const page = await get(address(PAGE, cursor, onlyFailed()), { signal });
        if (mine !== run) return;
        for (const r of page.rows) if (r.code) codes.set(r.code, [r.message_ja, r.message_en]);
        rows = [...rows, ...page.rows.filter(fits)];
        cursor = page.next ?? null;
        ended = !page.next;
      }
    } catch (e) {
      if (signal.aborted || mine !== run) return;
      problem = e;
      ended = true;
    }
    busy = false;
    paint();
  }

  function restart() {
    rows = [];
    cursor = null;
    ended = false;
    chosen.clear();
    onSelect?.(chosen);
    load();
  }

  async function save() {
    saving = true;
    paint();
    const lines = [['row', 'line', 'column', 'resident_key', 'result', 'code', 'message', 'fields'].join(',')];
    try {
      let at = null;
      do {
        const page = await get(address(1000, at, true), { signal });
        for (const r of page.rows) lines.push([r.row, r.line, r.column, r.resident_key, r.result, r.code, either(r.message_ja, r.message_en), (r.errors ?? []).map((e) => `${e.field} ${either(e.message_ja, e.message_en)}`).join(' / ')].map(csvCell).join(','));
        at = page.next;
      } while (at);
      keep(`pmhgw-${id.slice(0, 8)}-failed.csv`, 'text/csv', ['\ufeff', lines.join('\r\n'), '\r\n']);
      toast(t('rows.csv_done', { n: number(lines.length - 1) }), 'ok');
    } catch (e) {
      if (signal.aborted) return;
      problem = e;
    }
    saving = false;
    paint();
  }

  const faults = (r) => (r.errors ?? []).map((e) => html`<li><strong>${fieldName(e.field)}</strong>: ${either(e.message_ja, e.message_en)}</li>`);
  const warned = (r) => (r.warnings ?? []).map((e) => html`<li>${t('rows.warnings')}: <strong>${fieldName(e.field)}</strong> ${either(e.message_ja, e.message_en) || e.rule}</li>`);
  const with_ = (r) => { const all = r.with_rows ?? (r.with_row ? [r.with_row] : []); return all.length ? html`<li>${t('rows.with', { n: all.join(', ') })}</li>` : nothing; };
  const pick = (r) => (e) => {
    if (e.target.checked) chosen.set(r.row, r);
    else chosen.delete(r.row);
    onSelect(chosen);
    paint();
  };
  const line = (r) => html`<tr>
    ${selects() ? html`<td class="tight ${r.result === 'quarantined' ? '' : 'bare'}" data-label=${t('rows.select')}>${r.result === 'quarantined' ? html`<input type="checkbox" aria-label=${t('rows.select_row', { n: r.row })} .checked=${chosen.has(r.row)} @change=${pick(r)}>` : nothing}</td>` : nothing}
    <th scope="row" class="num" data-label=${t('rows.row')}>${number(r.row)}</th>
    <td class="num" data-label=${t('rows.line')}>${number(r.line)}</td>
    <td class="tight" data-label=${t('rows.key')}><span class="mono">${r.resident_key ?? '–'}</span></td>
    <td class="tight" data-label=${t('rows.result')}>${resultBadge(r.result)}</td>
    <td class="message ${r.code || r.changed?.length || r.errors?.length || r.warnings?.length ? '' : 'bare'}" data-label=${t('rows.message')}>${r.code ? html`${either(r.message_ja, r.message_en)} <code class="soft small">${r.code}</code>` : r.changed?.length ? nothing : '–'}
      ${r.changed?.length ? html`<span class="small">${t('rows.changed')}: ${r.changed.map((c, i) => html`${i ? t('rows.comma') : ''}${fieldName(c)}`)}</span>` : nothing}
      ${r.errors?.length || r.warnings?.length || r.with_row || r.with_rows ? html`<ul class="small">${faults(r)}${warned(r)}${with_(r)}</ul>` : nothing}</td></tr>`;

  const allHeld = () => rows.filter((r) => r.result === 'quarantined');
  const pickAll = (e) => {
    chosen.clear();
    if (e.target.checked) for (const r of allHeld()) chosen.set(r.row, r);
    onSelect(chosen);
    paint();
  };
  const head = () => html`<thead><tr>${selects() ? html`<th scope="col" class="tight"><input type="checkbox" aria-label=${t('rows.select_all')} .checked=${chosen.size > 0 && chosen.size === allHeld().length} ?disabled=${!allHeld().length} @change=${pickAll}></th>` : nothing}
    <th scope="col" class="num">${t('rows.row')}</th><th scope="col" class="num">${t('rows.line')}</th><th scope="col">${t('rows.key')}</th><th scope="col">${t('rows.result')}</th><th scope="col">${t('rows.message')}</th></tr></thead>`;
  const select = (name, label, options) => html`<div class="field"><label for=${`rows-${name}`}>${t(label)}</label><select id=${`rows-${name}`} @change=${(e) => { filter[name] = e.target.value; restart(); }}>
    ${options.map(([value, text]) => html`<option value=${value} ?selected=${filter[name] === value}>${text}</option>`)}</select></div>`;

  return {
    load, restart, chosen,
    set: (to) => { Object.assign(filter, to); restart(); },
    empty: () => !rows.length && !busy,
    template: (hasFailed, isOpen) => html`<section class="panel stack" aria-labelledby="rows-title">
      <div class="spread"><h2 id="rows-title" tabindex="-1">${t('rows.title')}</h2>${hasFailed ? html`<button type="button" ?disabled=${saving} @click=${save}>${icon('download')}${t('rows.csv')}</button>` : nothing}</div>
      <div class="row bottom">${select('result', 'rows.result', [['', t('rows.all')], ['failed', t('rows.failed')], ...RESULTS.map((r) => [r, t(`result.${r}`)])])}
        ${select('code', 'rows.code', [['', t('rows.all')], ...[...codes].map(([code, [ja, en]]) => [code, either(ja, en) || code])])}
        <span class="soft small" role="status">${busy ? t('page.loading') : t(ended ? 'rows.shown' : 'rows.looked', { n: number(rows.length) })}</span></div>
      ${problem ? problemNote(problem) : nothing}
      ${rows.length ? html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t('rows.title')}><table class="cards rows">${head()}<tbody>${rows.map(line)}</tbody></table></div>`
        : busy ? loading() : problem ? nothing : empty(t(isOpen ? 'rows.soon' : 'rows.none'))}
      ${!ended && rows.length ? html`<div class="row"><button type="button" ?disabled=${busy} @click=${load}>${t('rows.more')}</button></div>` : nothing}
    </section>`,
  };
}
