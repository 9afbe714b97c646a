// One task: how far it is, what became of each row, and what can be done about it.
import { badge, confirm, html, icon, keep, loading, note, nothing, problemNote, toast } from './page.js';
import { ask, follow, get, post } from './api.js';
import { bytes, dateTime, duration, either, number, t, texts } from './text.js';
import { FORMS, failed, fieldName, formName, inCharge, isOpen, stateBadge } from './kinds.js';
import { rowsOf } from './rows.js';
import { heldOf } from './held.js';

texts({
  'task.title': ['タスクの詳細', 'Task'],
  'task.back': ['タスクとファイル', 'Tasks and files'],
  'task.id': ['タスクID', 'Task'],
  'task.received': ['受付', 'Received'],
  'task.ended': ['終了', 'Ended'],
  'task.mode': ['処理の種類', 'What is done'],
  'task.mode.apply': ['取り込み', 'Apply'], 'task.mode.dry_run': ['試行(何も変更しません)', 'Dry run (changes nothing)'], 'task.mode.undo': ['取り消し', 'Undo'],
  'task.layout': ['レイアウト', 'Layout'],
  'task.of': ['対象のタスク', 'Of'],
  'task.undone': ['このタスクは取り消されました。', 'This task was taken back.'],
  'task.undone_see': ['取り消しのタスクを見る', 'See the undo'],
  'task.progress': ['進み具合', 'Progress'],
  'task.progress_text': ['{done} / {all}行', '{done} of {all} rows'],
  'task.bytes_text': ['{done} / {all}を検査', '{done} of {all} checked'],
  'task.rate': ['毎秒{n}行', '{n} rows/s'],
  'task.remaining': ['残り約{time}', 'about {time} left'],
  'task.live': ['自動更新中', 'Live'],
  'task.lost': ['再接続しています', 'Connecting again'],
  'task.waits': ['処理を待っています', 'It waits'],
  'task.waits_text': ['解消すると自動で再開します。', 'It goes on by itself once that is over.'],
  'task.stopped': ['途中で終了しました', 'It ended before its end'],
  'task.stopped_text': ['反映済みの行はそのままです。結果のない行: {n}', 'What was applied stays. Rows without a result: {n}'],
  'task.rejected': ['ファイルを受け付けられませんでした(何も反映していません)', 'The file was rejected; nothing of it was applied'],
  'task.place': ['{line}行目{column}文字目', 'line {line}, character {column}'],
  'task.dry': ['これは試行の結果です。まだ何も変更していません。', 'This is a dry run: nothing has been changed.'],
  'task.dry_text': ['「新規」「更新」は、取り込んだ場合に新しくなる行・変わる行の数です。', '"New" and "Updated" are the rows that would be new, or would change.'],
  'task.suspicious': ['保留になる見込み・氏名や生年月日が変わる行', 'Rows that would be held, or change name or birth date'],
  'task.receipt': ['受領証を保存', 'Save the receipt'],
  'task.receipt_done': ['受領証を保存しました。', 'The receipt was saved.'],
  'task.undo': ['取り込みを取り消す', 'Take it back'],
  'task.undo_text': ['このファイルで登録・更新した内容を、取り込み前の状態に戻します。その後に変更された行は戻りません。', 'What this file wrote is put back to what stood there before. Rows that were changed since stay as they are.'],
  'task.undo_done': ['取り消しを受け付けました。', 'The undo has begun.'],
  'task.resume': ['続きを送る', 'Go on sending'],
  'task.again': ['エラーの行だけ送り直す', 'Send the failed rows again'],
  'task.municipalities': ['回答した市区町村', 'Municipalities that answered'],
});

const TILES = [['rows', ''], ['registered', ''], ['updated', ''], ['unchanged', ''], ['waiting', 'warn'], ['refused', 'bad'], ['quarantined', 'warn']];
const stat = (what, n, kind) => html`<div class="stat ${n ? kind : ''}"><span class="what">${what}</span><span class="value">${number(n)}</span></div>`;

export default {
  path: 'tasks/:id', within: 'tasks', title: 'task.title',
  open({ args: { id }, signal, paint, who, go }) {
    let task = null, problem = null, looked = 0, live = false, lost = false, busy = false;
    const acts = who.role !== 'viewer';
    const held = heldOf({ id, signal, paint, done: () => { reload(); rows.restart(); } });
    const rows = rowsOf({ id, signal, paint, onSelect: (chosen) => held.choose(chosen), selects: () => acts && task?.counts?.quarantined > 0 && task.mode !== 'dry_run' });

    async function reload() {
      try {
        take(await get(`/v1/tasks/${id}`, { signal }));
        if (isOpen(task) && !live) watch();
      } catch (e) {
        if (signal.aborted) return;
        problem = e;
      }
      paint();
    }

    function take(now) {
      const ended = task && isOpen(task) && !isOpen(now);
      task = now;
      problem = null;
      held.task = now;
      const some = (task.counts?.rows ?? 0) > (task.counts?.waiting ?? 0) && rows.empty() && Date.now() - looked > 2000;
      if (!ended && !(live && some)) return;
      looked = Date.now();
      rows.restart();
    }

    async function watch() {
      live = true;
      try {
        await follow(`/v1/tasks/${id}/events`, { signal, lost: (now) => { lost = now; paint(); }, told: (event, data) => { take(data); paint(); } });
      } catch (e) {
        if (!signal.aborted) problem = e;
      }
      live = false;
      if (!signal.aborted) paint();
    }

    async function act(go_) {
      busy = true;
      problem = null;
      paint();
      try {
        await go_();
      } catch (e) {
        if (!signal.aborted) problem = e;
      }
      busy = false;
      paint();
    }

    const receipt = () => act(async () => {
      const response = await ask('GET', `/v1/tasks/${id}/receipt`, { signal, deadline: 120000 });
      keep(`pmhgw-${id.slice(0, 8)}.receipt.jws`, 'application/jose', [await response.text()]);
      toast(t('task.receipt_done'), 'ok');
    });

    const undo = async () => {
      if (!(await confirm(t('task.undo'), t('task.undo_text'), t('task.undo'), 'danger'))) return;
      await act(async () => {
        const made = await post(`/v1/tasks/${id}/undo`, {}, { signal });
        toast(t('task.undo_done'), 'ok');
        go(`tasks/${made.task_id}`);
      });
    };

    reload().then(() => { if (task && !signal.aborted) rows.load(); });

    const progress = () => {
      const p = task.progress, c = task.counts ?? {};
      const done = p?.rows_done ?? (c.rows ?? 0) - (c.waiting ?? 0), all = c.rows ?? 0;
      const reading = task.state === 'validating' && p?.bytes;
      return html`<section class="panel stack tight" aria-labelledby="progress-title"><div class="spread"><h2 id="progress-title">${t('task.progress')}</h2>
          <span class="small soft" role="status">${lost ? badge('warn', t('task.lost')) : live ? badge('info', t('task.live')) : nothing}</span></div>
        <progress aria-labelledby="progress-title" max=${reading ? p.bytes : Math.max(all, 1)} value=${reading ? p.bytes_read : Math.min(done, Math.max(all, 1))}></progress>
        <div class="row small soft"><span>${reading ? t('task.bytes_text', { done: bytes(p.bytes_read), all: bytes(p.bytes) }) : t('task.progress_text', { done: number(done), all: number(all) })}</span>
          ${p?.rows_per_second ? html`<span>${t('task.rate', { n: number(p.rows_per_second) })}</span>` : nothing}${p?.remaining_s ? html`<span>${t('task.remaining', { time: duration(p.remaining_s) })}</span>` : nothing}</div></section>`;
    };

    const notes = () => html`
      ${task.mode === 'dry_run' ? note('info', t('task.dry'), t('task.dry_text')) : nothing}
      ${task.waits_for ? note('warn', `${t('task.waits')}: ${either(task.waits_for.message_ja, task.waits_for.message_en)}`, `${t('task.waits_text')} ${task.waits_for.who ? `(${t(`who.${task.waits_for.who}`)})` : ''}`) : nothing}
      ${task.stopped ? note('bad', `${t('task.stopped')}: ${either(task.stopped.message_ja, task.stopped.message_en)}`, t('task.stopped_text', { n: number(task.stopped.rows_without_result) })) : nothing}
      ${task.reject ? note('bad', t('task.rejected'), either(task.reject.message_ja, task.reject.message_en), html`<p class="small">${task.reject.line ? t('task.place', { line: number(task.reject.line), column: number(task.reject.column ?? 1) }) : nothing} ${task.reject.field ? html`<strong>${fieldName(task.reject.field)}</strong>` : nothing} <code>${task.reject.code}</code></p>`) : nothing}
      ${task.undone_by ? note('info', t('task.undone'), '', html`<p><a href=${`#/tasks/${task.undone_by}`}>${t('task.undone_see')}</a></p>`) : nothing}`;

    const isFile = () => Boolean(task.source);
    const buttons = () => {
      const form = FORMS.find((f) => f.operation === task.operation);
      const mine = acts && form && inCharge(who, form);
      const ended = !isOpen(task);
      return html`<div class="actions">
        ${task.state === 'uploading' && mine ? html`<a class="button primary" href=${`#/upload?resume=${id}`}>${icon('upload')}${t('task.resume')}</a>` : nothing}
        ${ended && isFile() && mine && task.mode === 'apply' && failed(task) && !task.undone_by ? html`<a class="button" href=${`#/upload?again=${id}`}>${icon('upload')}${t('task.again')}</a>` : nothing}
        ${ended && isFile() && task.state !== 'rejected' ? html`<button type="button" ?disabled=${busy} @click=${receipt}>${icon('download')}${t('task.receipt')}</button>` : nothing}
        ${ended && isFile() && mine && task.mode === 'apply' && task.state !== 'rejected' && !task.undone_by && task.operation !== 'postResidentChangeTasks' ? html`<button type="button" class="danger" ?disabled=${busy} @click=${undo}>${icon('undo')}${t('task.undo')}</button>` : nothing}
      </div>`;
    };

    const facts = () => html`<dl class="facts">
      <dt>${t('task.id')}</dt><dd class="mono">${id}</dd>
      <dt>${t('task.received')}</dt><dd>${dateTime(task.received_at)}</dd>
      ${task.ended_at ? html`<dt>${t('task.ended')}</dt><dd>${dateTime(task.ended_at)}</dd>` : nothing}
      ${task.mode ? html`<dt>${t('task.mode')}</dt><dd>${t(`task.mode.${task.mode}`)}</dd>` : nothing}
      ${task.layout ? html`<dt>${t('task.layout')}</dt><dd class="mono">${task.layout}</dd>` : nothing}
      ${task.of ? html`<dt>${t('task.of')}</dt><dd><a class="mono" href=${`#/tasks/${task.of}`}>${task.of.slice(0, 8)}</a></dd>` : nothing}
      ${task.askedMunicipalities !== undefined ? html`<dt>${t('task.municipalities')}</dt><dd>${number(task.answeredMunicipalities)} / ${number(task.askedMunicipalities)}</dd>` : nothing}</dl>`;

    return () => html`<div class="wrap stack">
      <a class="crumb" href="#/tasks">${icon('back')}${t('task.back')}</a>
      <div class="spread"><h1 tabindex="-1">${task ? formName(task.operation) : t('task.title')} ${task ? stateBadge(task.state) : nothing}</h1>${task ? buttons() : nothing}</div>
      ${problem ? problemNote(problem) : nothing}
      ${!task ? (problem ? nothing : loading()) : html`${notes()}
        ${isOpen(task) ? progress() : nothing}
        <div class="grid small" role="group" aria-label=${t('task.progress')}>${TILES.filter(([name]) => task.counts?.[name] !== undefined).map(([name, kind]) => stat(t(name === 'rows' ? 'count.rows' : `result.${name}`), task.counts[name], kind))}
          ${task.suspicious !== undefined ? stat(t('task.suspicious'), task.suspicious, 'warn') : nothing}</div>
        <section class="panel">${facts()}</section>
        ${acts ? held.template() : nothing}
        ${task.state === 'uploading' || task.state === 'rejected' ? nothing : rows.template(failed(task) > 0, isOpen(task))}`}
    </div>`;
  },
};
