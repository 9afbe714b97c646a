// Everything that was received, the newest first.
import { badge, empty, html, icon, loading, nothing, problemNote } from './page.js';
import { get, loader } from './api.js';
import { dateTime, duration, number, t, texts } from './text.js';
import { FORMS, failed, formName, isOpen, stateBadge } from './kinds.js';

texts({
  'tasks.title': ['タスクとファイル', 'Tasks and files'],
  'tasks.nav': ['タスクとファイル', 'Tasks and files'],
  'tasks.upload': ['ファイルを登録', 'Send a file'],
  'tasks.none': ['受け付けたタスクはまだありません。', 'Nothing has been received yet.'],
  'tasks.none_here': ['条件に合うタスクはありません。', 'No task matches.'],
  'tasks.more': ['さらに読み込む', 'Load more'],
  'tasks.filter_state': ['状態', 'State'],
  'tasks.filter_form': ['種別', 'Kind'],
  'tasks.all': ['すべて', 'All'],
  'tasks.open': ['進行中', 'In progress'],
  'tasks.look': ['エラーまたは保留あり', 'With refused or held rows'],
  'tasks.ended': ['完了', 'Done'],
  'tasks.received': ['受付日時', 'Received'],
  'tasks.form': ['種別', 'Kind'],
  'tasks.state': ['状態', 'State'],
  'tasks.rows': ['件数', 'Rows'],
  'tasks.good': ['反映', 'Applied'],
  'tasks.refused': ['エラー', 'Refused'],
  'tasks.held': ['保留', 'Held'],
  'tasks.waiting': ['待ち', 'Waiting'],
  'tasks.backlog_rows': ['処理を待つ行', 'Rows that wait'],
  'tasks.backlog_files': ['処理中のファイル', 'Files under way'],
  'tasks.backlog_oldest': ['最も長い待ち', 'Longest wait'],
  'tasks.undo_of': ['取り消し', 'Undo'],
  'tasks.undone': ['取り消し済み', 'Taken back'],
  'tasks.resume': ['続きを送る', 'Go on sending'],
  'tasks.caption': ['タスクの一覧', 'List of tasks'],
  'tasks.shown': ['{n}件を表示', '{n} shown'],
});

const REFRESH_MS = 5000;
const SHOW = { all: () => true, open: isOpen, look: (task) => failed(task) > 0 || task.state === 'rejected', ended: (task) => !isOpen(task) };

export default {
  path: 'tasks', title: 'tasks.title', nav: 'tasks.nav', icon: 'list',
  open({ signal, paint, who, query }) {
    let tasks = null, backlog = null, next = null, more = false;
    const filter = { state: query.get('show') in SHOW ? query.get('show') : 'all', form: '' };

    const source = loader({ signal, paint }, async () => {
      const page = await get('/v1/tasks', { signal });
      const fresh = new Set(page.tasks.map((x) => x.task_id));
      const behind = tasks && next !== null && tasks.length > page.tasks.length ? tasks.filter((x) => !fresh.has(x.task_id)) : [];
      if (!behind.length) next = page.next ?? null;
      tasks = [...page.tasks, ...behind];
      backlog = page.backlog ?? null;
    });

    async function loadMore() {
      more = true;
      paint();
      try {
        const page = await get(`/v1/tasks?cursor=${encodeURIComponent(next)}`, { signal });
        tasks = [...tasks, ...page.tasks];
        next = page.next ?? null;
      } catch (e) {
        if (signal.aborted) return;
        source.problem = e;
      }
      more = false;
      paint();
    }

    source.start(REFRESH_MS, () => !tasks || tasks.length <= 200);

    const mayUpload = who.role !== 'viewer';
    const choose = (name) => (e) => { filter[name] = e.target.value; paint(); };
    const stat = (what, value, kind = '') => html`<div class="stat ${kind}"><span class="what">${what}</span><span class="value">${value}</span></div>`;
    const line = (task) => {
      const c = task.counts ?? {};
      return html`<tr>
        <th scope="row" class="tight"><a href=${`#/tasks/${task.task_id}`}>${dateTime(task.received_at, { second: '2-digit' })}</a></th>
        <td data-label=${t('tasks.form')}>${formName(task.operation)} ${task.mode === 'dry_run' ? badge('info', t('mode.dry_run')) : nothing}${task.mode === 'undo' ? badge('info', t('tasks.undo_of')) : nothing}${task.undone_by ? badge('wait', t('tasks.undone')) : nothing}</td>
        <td data-label=${t('tasks.state')} class="tight">${stateBadge(task.state)}${task.state === 'uploading' && mayUpload ? html` <a href=${`#/upload?resume=${task.task_id}`}>${t('tasks.resume')}</a>` : nothing}</td>
        <td class="num" data-label=${t('tasks.rows')}>${number(c.rows)}</td>
        <td class="num" data-label=${t('tasks.good')}>${number((c.registered ?? 0) + (c.updated ?? 0) + (c.unchanged ?? 0))}</td>
        <td class="num ${c.refused ? 'bad-number' : 'bare'}" data-label=${t('tasks.refused')}>${number(c.refused)}</td>
        <td class="num ${c.quarantined ? 'warn-number' : 'bare'}" data-label=${t('tasks.held')}>${number(c.quarantined)}</td>
        <td class="num ${c.waiting ? '' : 'bare'}" data-label=${t('tasks.waiting')}>${number(c.waiting)}</td></tr>`;
    };
    const table = (shown) => html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t('tasks.caption')}><table class="cards">
      <thead><tr>${['received', 'form', 'state'].map((k) => html`<th scope="col">${t(`tasks.${k}`)}</th>`)}${['rows', 'good', 'refused', 'held', 'waiting'].map((k) => html`<th scope="col" class="num">${t(`tasks.${k}`)}</th>`)}</tr></thead>
      <tbody>${shown.map(line)}</tbody></table></div>`;
    const select = (name, label, options) => html`<div class="field"><label for=${`tasks-${name}`}>${t(label)}</label><select id=${`tasks-${name}`} @change=${choose(name)}>
      ${options.map(([value, text]) => html`<option value=${value} ?selected=${filter[name] === value}>${text}</option>`)}</select></div>`;

    return () => {
      const shown = (tasks ?? []).filter((x) => SHOW[filter.state](x) && (!filter.form || x.operation === filter.form));
      return html`<div class="wrap stack">
        <div class="spread"><h1 tabindex="-1">${t('tasks.title')}</h1>${mayUpload ? html`<a class="button primary" href="#/upload">${icon('upload')}${t('tasks.upload')}</a>` : nothing}</div>
        ${source.problem ? problemNote(source.problem) : nothing}
        ${backlog ? html`<div class="grid small">${stat(t('tasks.backlog_rows'), number(backlog.rows), backlog.rows ? 'warn' : '')}${stat(t('tasks.backlog_files'), number(backlog.files))}
          ${stat(t('tasks.backlog_oldest'), backlog.oldest_s === undefined ? '–' : duration(backlog.oldest_s), backlog.oldest_s > 3600 ? 'warn' : '')}</div>` : nothing}
        <div class="row bottom">${select('state', 'tasks.filter_state', [['all', t('tasks.all')], ['open', t('tasks.open')], ['look', t('tasks.look')], ['ended', t('tasks.ended')]])}
          ${select('form', 'tasks.filter_form', [['', t('tasks.all')], ...FORMS.map((f) => [f.operation, t(f.key)])])}
          <span class="soft small" role="status">${tasks ? t('tasks.shown', { n: number(shown.length) }) : nothing}</span></div>
        ${!tasks ? (source.problem ? nothing : loading()) : !tasks.length ? empty(t('tasks.none')) : !shown.length ? empty(t('tasks.none_here')) : table(shown)}
        ${tasks && next ? html`<div class="row"><button type="button" ?disabled=${more} @click=${loadMore}>${t('tasks.more')}</button></div>` : nothing}
      </div>`;
    };
  },
};
