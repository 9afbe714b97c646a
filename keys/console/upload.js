// A file: which form, which file; first what it would change, then (when wanted) the change itself.
import { badge, confirm, html, icon, note, nothing, problemNote, toast } from './page.js';
import { ask, follow, get } from './api.js';
import { bytes, either, number, t, texts } from './text.js';
import { FORMS, failed, fieldName, inCharge } from './kinds.js';
import { announceFile, sendParts } from './send.js';
import { sumOf } from './sha256.js';

texts({
  'upload.title': ['ファイルの登録', 'Send a file'],
  'upload.lead': ['まず「試行」で、取り込んだ場合に何が変わるかを確かめられます。試行では何も変更しません。', 'A dry run shows first what the file would change; it changes nothing.'],
  'upload.steps': ['手順', 'Steps'],
  'upload.step1': ['ファイルを選ぶ', 'Choose'], 'upload.step2': ['試行・確認', 'Dry run'], 'upload.step3': ['取り込み', 'Apply'],
  'upload.form': ['データの種類', 'What it holds'],
  'upload.file': ['ファイル', 'File'],
  'upload.file_hint': ['CSV、JSON、JSON Lines。文字コードは UTF-8 または Shift_JIS(CP932)。', 'CSV, JSON or JSON Lines, in UTF-8 or Shift_JIS (CP932).'],
  'upload.drop': ['ここにファイルをドロップすることもできます。', 'Or drop the file here.'],
  'upload.choose': ['ファイルを選ぶ', 'Choose a file'],
  'upload.none': ['選択されていません', 'None chosen'],
  'upload.source': ['形式', 'Format'],
  'upload.source.csv': ['CSV', 'CSV'], 'upload.source.json': ['JSON(配列)', 'JSON (array)'], 'upload.source.json_lines': ['JSON Lines', 'JSON Lines'],
  'upload.encoding': ['文字コード', 'Encoding'],
  'upload.encoding.auto': ['自動判定', 'Detect'], 'upload.encoding.utf-8': ['UTF-8', 'UTF-8'], 'upload.encoding.cp932': ['Shift_JIS(CP932)', 'Shift_JIS (CP932)'],
  'upload.layout': ['レイアウト', 'Layout'],
  'upload.layout_hint': ['標準以外のレイアウトを使う場合だけ、名前を入力します。', 'Only when it is another one than the standard.'],
  'upload.more': ['詳しい設定', 'More settings'],
  'upload.dry': ['試行する', 'Dry run'],
  'upload.apply': ['試行せずに取り込む', 'Apply without a dry run'],
  'upload.apply_title': ['取り込みの確認', 'Apply'],
  'upload.apply_text': ['「{name}」を取り込みます。登録内容が変わります。', '"{name}" is applied: what is registered changes.'],
  'upload.apply_now': ['この内容で取り込む', 'Apply this'],
  'upload.missing': ['ファイルを選んでください。', 'Choose a file.'],
  'upload.empty': ['ファイルが空です。', 'The file is empty.'],
  'upload.sum': ['検査値を計算しています', 'Computing the checksum'],
  'upload.sending': ['送信しています', 'Sending'],
  'upload.waiting': ['ゲートウェイの応答を待っています。自動で再送します。', 'Waiting for the gateway; it goes on by itself.'],
  'upload.checking': ['内容を検査しています', 'The gateway is reading it'],
  'upload.of': ['{done} / {all}', '{done} of {all}'],
  'upload.stop': ['中止', 'Stop'],
  'upload.stop_text': ['送信した分を破棄して中止します。', 'What was sent is thrown away.'],
  'upload.stopped': ['中止しました。', 'Stopped.'],
  'upload.diff': ['取り込んだ場合の変化', 'What it would change'],
  'upload.diff_none': ['このファイルを取り込んでも、登録内容は変わりません。', 'Applying this file would change nothing.'],
  'upload.diff_rejected': ['このファイルは取り込めません', 'This file cannot be applied'],
  'upload.diff_failed': ['エラーまたは保留になる行が{n}行あります。取り込むと、それ以外の行だけが反映されます。', '{n} rows would be refused or held; the others would be applied.'],
  'upload.diff_rows': ['行ごとの試行結果を見る', 'See it row by row'],
  'upload.diff_changes': ['更新される項目', 'Fields that would change'],
  'upload.field': ['項目', 'Field'], 'upload.times': ['行数', 'Rows'],
  'upload.other': ['別のファイルを選ぶ', 'Choose another file'],
  'upload.resume': ['中断したファイル「{name}」の続きを送ります。同じファイルを選んでください({done} / {all}まで受信済み)。', 'Sending of "{name}" goes on. Choose the same file ({done} of {all} have arrived).'],
  'upload.resume_go': ['続きを送る', 'Go on'],
  'upload.resume_other': ['大きさが違います。中断したときと同じファイルを選んでください。', 'Its size differs: choose the file that was being sent.'],
  'upload.resume_over': ['このファイルは受信が完了しています。', 'This file has arrived already.'],
  'upload.again': ['前回エラーだった行だけを取り込みます(反映済みの行は飛ばします)。', 'Only rows that failed before are applied; the others are passed over.'],
});

const SOURCES = ['csv', 'json', 'json_lines'], ENCODINGS = ['auto', 'utf-8', 'cp932'];
const sourceOf = (name) => (/\.jsonl$|\.ndjson$/i.test(name) ? 'json_lines' : /\.json$/i.test(name) ? 'json' : 'csv');
const LOOK_AT = 5000; // rows of a dry run that are read for the fields that would change

export default {
  path: 'upload', title: 'upload.title', within: 'tasks', may: (who) => who.role !== 'viewer',
  open({ signal, paint, who, go, query }) {
    const forms = FORMS.filter((f) => inCharge(who, f));
    const ask_ = { operation: forms[0]?.operation, source: 'csv', encoding: 'auto', layout: '' };
    let file = null, phase = 'choose', problem = null, wrong = '', done = 0, waiting = false, id = null, dry = null, changes = null, resume = null, stop = null, over = false;
    const again = query.get('again');

    if (query.get('resume')) {
      get(`/v1/files/${query.get('resume')}`, { signal }).then((f) => {
        if (f.state === 'uploading') resume = f;
        else problem = { over: true };
        paint();
      }).catch((e) => { if (!signal.aborted) { problem = e; paint(); } });
    } else if (again) {
      get(`/v1/tasks/${again}`, { signal }).then((task) => { ask_.operation = task.operation; paint(); }).catch(() => null);
    }

    function pick(chosen) {
      if (!chosen) return;
      file = chosen;
      wrong = !file.size ? 'upload.empty' : resume && file.size !== resume.bytes ? 'upload.resume_other' : '';
      ask_.source = sourceOf(file.name);
      dry = changes = problem = null;
      phase = 'choose';
      paint();
    }

    const tick = (n, waits = false) => { done = n; waiting = waits; paint(); };

    async function transfer(mode) {
      stop = new AbortController();
      const both = AbortSignal.any([signal, stop.signal]);
      problem = null;
      phase = 'sum';
      tick(0);
      try {
        let from = 0;
        if (resume) {
          id = resume.file_id;
          from = resume.received;
        } else {
          const sha256 = await sumOf(file, tick, both);
          const about = { operation: ask_.operation, bytes: file.size, sha256, name: file.name.slice(-40), source: ask_.source, mode };
          if (ask_.source === 'csv') about.encoding = ask_.encoding;
          if (ask_.layout) about.layout = ask_.layout;
          if (again && mode === 'apply') about.only_failed_of = again;
          id = (await announceFile(about, both)).file_id;
        }
        phase = 'send';
        tick(from);
        await sendParts({ id, file, from, told: tick, signal: both });
        resume = null;
        if (mode === 'apply') {
          go(`tasks/${id}`);
          return;
        }
        phase = 'check';
        paint();
        await follow(`/v1/tasks/${id}/events`, { signal: both, told: (event, data) => { dry = data; paint(); } });
        await look(both);
        phase = 'diff';
      } catch (e) {
        if (signal.aborted) return;
        if (!stop.signal.aborted) problem = e;
        phase = 'choose';
      }
      stop = null;
      paint();
    }

    // Which fields the updates would change, of the first rows
    async function look(both) {
      const counts = new Map();
      let at = null, seen = 0;
      if (dry?.counts?.updated) do {
        const page = await get(`/v1/tasks/${id}/results?limit=1000${at ? `&cursor=${encodeURIComponent(at)}` : ''}`, { signal: both });
        for (const r of page.rows) for (const f of r.changed ?? []) counts.set(f, (counts.get(f) ?? 0) + 1);
        seen += page.rows.length;
        at = page.next;
      } while (at && seen < LOOK_AT);
      changes = [...counts].sort((a, b) => b[1] - a[1]);
    }

    async function cancel() {
      if (!(await confirm(t('upload.stop'), t('upload.stop_text'), t('upload.stop'), 'danger'))) return;
      stop?.abort();
      const gone = id;
      if (gone && phase === 'send') await ask('DELETE', `/v1/files/${gone}`, { signal }).catch(() => null);
      phase = 'choose';
      toast(t('upload.stopped'));
      paint();
    }

    const begin = (mode) => async (event) => {
      event?.preventDefault();
      if (!file || wrong) {
        wrong ||= 'upload.missing';
        paint();
        document.getElementById('upload-file')?.focus();
        return;
      }
      if (mode === 'apply' && !resume && !(await confirm(t('upload.apply_title'), t('upload.apply_text', { name: file.name }), t('upload.apply_now')))) return;
      transfer(mode);
    };

    const select = (name, label, values, text) => html`<div class="field"><label for=${`upload-${name}`}>${t(label)}</label><select id=${`upload-${name}`} @change=${(e) => { ask_[name] = e.target.value; paint(); }}>
      ${values.map((v) => html`<option value=${v} ?selected=${ask_[name] === v}>${text(v)}</option>`)}</select></div>`;

    const steps = (now) => html`<ol class="steps" aria-label=${t('upload.steps')}>${[1, 2, 3].map((n) => html`<li aria-current=${n === now ? 'step' : nothing}>${t(`upload.step${n}`)}</li>`)}</ol>`;

    const drop = (e) => {
      e.preventDefault();
      over = e.type === 'dragover';
      if (e.type === 'drop') pick(e.dataTransfer.files[0]);
      paint();
    };
    const choose = () => html`<form class="panel stack" novalidate @submit=${begin(resume ? 'apply' : 'dry_run')}>
      ${resume ? note('info', t('upload.resume', { name: resume.name ?? '–', done: bytes(resume.received), all: bytes(resume.bytes) }), '') : nothing}
      ${again ? note('info', t('upload.again'), '') : nothing}
      ${resume ? nothing : select('operation', 'upload.form', forms.map((f) => f.operation), (v) => t(forms.find((f) => f.operation === v).key))}
      <div class="field drop ${over ? 'over' : ''}" @dragover=${drop} @dragleave=${drop} @drop=${drop}><span class="label" id="upload-file-label">${t('upload.file')}</span>
        <div class="row"><label class="button picker" for="upload-file">${icon('file')}${t('upload.choose')}<input type="file" class="visually-hidden" id="upload-file" accept=".csv,.json,.jsonl,.ndjson,.txt,text/csv,application/json" aria-invalid=${wrong ? 'true' : nothing} aria-describedby=${wrong ? 'upload-wrong' : 'upload-hint'} @change=${(e) => pick(e.target.files[0])}></label>${file ? html`<span><strong>${file.name}</strong> <span class="soft small">${bytes(file.size)}</span></span>` : html`<span class="soft">${t('upload.none')}</span>`}</div>
        <span class="hint" id="upload-hint">${t('upload.file_hint')} ${t('upload.drop')}</span>
        ${wrong ? html`<span class="wrong" id="upload-wrong">${t(wrong)}</span>` : nothing}</div>
      ${resume ? nothing : html`<details><summary>${t('upload.more')}</summary><div class="grid">
        ${select('source', 'upload.source', SOURCES, (v) => t(`upload.source.${v}`))}
        ${ask_.source === 'csv' ? select('encoding', 'upload.encoding', ENCODINGS, (v) => t(`upload.encoding.${v}`)) : nothing}
        <div class="field"><label for="upload-layout">${t('upload.layout')}</label><input id="upload-layout" maxlength="64" spellcheck="false" autocapitalize="none" aria-describedby="upload-layout-hint" .value=${ask_.layout} @change=${(e) => { ask_.layout = e.target.value.trim(); }}>
          <span class="hint" id="upload-layout-hint">${t('upload.layout_hint')}</span></div></div></details>`}
      <div class="row end">${resume ? nothing : html`<button type="button" @click=${begin('apply')}>${t('upload.apply')}</button>`}
        <button type="submit" class="primary">${icon('upload')}${t(resume ? 'upload.resume_go' : 'upload.dry')}</button></div></form>`;

    const WORK = { sum: 'upload.sum', send: 'upload.sending', check: 'upload.checking' };
    const work = () => {
      const p = phase === 'check' ? dry?.progress : null;
      const max = phase === 'check' ? p?.bytes ?? dry?.counts?.rows : file.size, value = phase === 'check' ? p?.bytes_read ?? 0 : done;
      return html`<section class="panel stack" aria-labelledby="upload-work"><h2 id="upload-work" role="status">${t(WORK[phase])}</h2>
        <progress aria-labelledby="upload-work" max=${max || 1} value=${max ? Math.min(value, max) : nothing}></progress>
        <div class="spread"><span class="small soft">${file.name} · ${phase === 'check' ? (dry?.counts?.rows ? t('rows.shown', { n: number(dry.counts.rows) }) : nothing) : t('upload.of', { done: bytes(done), all: bytes(file.size) })}</span>
        <button type="button" @click=${cancel}>${t('upload.stop')}</button></div>
        ${waiting ? note('warn', t('upload.waiting'), '') : nothing}</section>`;
    };

    const tile = (what, n, kind = '') => html`<div class="stat ${n ? kind : ''}"><span class="what">${what}</span><span class="value">${number(n)}</span></div>`;
    const diff = () => {
      const c = dry.counts ?? {}, bad = failed(dry);
      if (dry.state === 'rejected') return html`<section class="panel stack">${note('bad', t('upload.diff_rejected'), dry.reject ? either(dry.reject.message_ja, dry.reject.message_en) : '', dry.reject?.line ? html`<p class="small">${t('task.place', { line: number(dry.reject.line), column: number(dry.reject.column ?? 1) })} <code>${dry.reject.code}</code></p>` : nothing)}
        <div class="row end"><button type="button" @click=${() => { phase = 'choose'; file = null; paint(); }}>${t('upload.other')}</button></div></section>`;
      return html`<section class="panel stack" aria-labelledby="upload-diff"><div class="spread"><h2 id="upload-diff" role="status">${t('upload.diff')}</h2>${badge('info', t('mode.dry_run'))}</div>
        <p class="small soft">${file.name} · ${bytes(file.size)}</p>
        <div class="diff">${tile(t('count.rows'), c.rows)}${tile(t('result.registered'), c.registered, 'ok')}${tile(t('result.updated'), c.updated, 'ok')}${tile(t('result.unchanged'), c.unchanged)}${tile(t('result.refused'), c.refused, 'bad')}${tile(t('task.suspicious'), dry.suspicious ?? c.quarantined, 'warn')}</div>
        ${bad ? note('warn', t('upload.diff_failed', { n: number(bad) }), '') : !c.registered && !c.updated ? note('info', t('upload.diff_none'), '') : nothing}
        ${changes?.length ? html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t('upload.diff_changes')}><table><caption>${t('upload.diff_changes')}</caption><thead><tr><th scope="col">${t('upload.field')}</th><th scope="col" class="num">${t('upload.times')}</th></tr></thead>
          <tbody>${changes.map(([f, n]) => html`<tr><th scope="row">${fieldName(f)}</th><td class="num">${number(n)}</td></tr>`)}</tbody></table></div>` : nothing}
        <div class="spread"><a href=${`#/tasks/${id}`}>${t('upload.diff_rows')}</a><div class="row"><button type="button" @click=${() => { phase = 'choose'; file = null; paint(); }}>${t('upload.other')}</button>
          <button type="button" class="primary" @click=${begin('apply')}>${icon('ok')}${t('upload.apply_now')}</button></div></div></section>`;
    };

    return () => html`<div class="wrap middle stack">
      <a class="crumb" href="#/tasks">${icon('back')}${t('task.back')}</a>
      <h1 tabindex="-1">${t('upload.title')}</h1>
      ${steps(phase === 'choose' ? 1 : resume ? 3 : 2)}
      ${phase === 'choose' && !resume ? html`<p class="soft">${t('upload.lead')}</p>` : nothing}
      ${problem?.over ? note('info', t('upload.resume_over'), '', html`<p><a href=${`#/tasks/${query.get('resume')}`}>${t('task.title')}</a></p>`) : problem ? problemNote(problem) : nothing}
      ${phase === 'choose' ? choose() : phase === 'diff' ? diff() : work()}
    </div>`;
  },
};
