// How the gateway is, what waits, and what the last two days were like.
import { badge, html, icon, loading, note, nothing, problemNote } from './page.js';
import { get, loader } from './api.js';
import { dateTime, duration, number, onLang, t, texts } from './text.js';
import { chartOf } from './chart.js';

texts({
  'overview.title': ['概況', 'Overview'],
  'overview.nav': ['概況', 'Overview'],
  'overview.at': ['{time}現在', 'as of {time}'],
  'overview.waits': ['処理の待ち', 'What waits'],
  'overview.rows': ['処理を待つ行', 'Rows that wait'],
  'overview.files': ['処理中のファイル', 'Files under way'],
  'overview.oldest': ['最も長い待ち', 'Longest wait'],
  'overview.stalled': ['滞っているタスク', 'Stalled tasks'],
  'overview.held': ['保留の行', 'Held rows'],
  'overview.own': ['担当する業務だけを数えています。', 'Of the programs in your charge.'],
  'overview.at_least': ['ほかにも古いタスクがあります。実際はこれより多い可能性があります。', 'There are more tasks than were looked at: it may be more.'],
  'overview.see': ['タスクを確認', 'See the tasks'],
  'overview.unread': ['待ちの件数を読み取れませんでした。', 'What waits could not be read.'],
  'overview.health': ['ゲートウェイの状態', 'Health'],
  'overview.all_good': ['すべて正常に動いています。', 'Everything runs.'],
  'overview.some_down': ['停止または応答のない部分があります', 'Something is down'],
  'overview.some_down_text': ['停止が続くときは、ゲートウェイの運用者に連絡してください。', 'If it stays so, tell the operator of the gateway.'],
  'overview.since_text': ['{time}から({long})', 'since {time} ({long})'],
  'part.redis-link': ['登録データの保存先', 'Store of registrations'], 'part.vault': ['個人番号の保管庫', 'Vault of numbers'], 'part.audit': ['監査記録', 'Audit log'], 'part.signer': ['電子署名', 'Signer'],
  'part.front': ['医療機関・本人の窓口', 'Door for clinics and portals'], 'part.courier': ['関係機関への通知', 'Courier of messages'], 'part.pmh': ['PMH(番号の連携先)', 'PMH (upstream)'],
  'up': ['正常', 'up'], 'down': ['停止', 'down'], 'unknown': ['不明', 'unknown'],
  'overview.shared': ['通知と記録', 'Messages and log'],
  'overview.notices': ['関係機関への通知', 'Messages to partners'],
  'overview.vrs': ['VRSへの登録', 'Registrations for VRS'],
  'overview.vrs_off': ['このゲートウェイでは行いません', 'not done by this gateway'],
  'overview.on_time': ['遅れなし', 'on time'],
  'overview.behind': ['{time}の遅れ', '{time} late'],
  'overview.given_up': ['届かなかったものがあります', 'some were given up'],
  'overview.not_taken': ['受け付けられなかったものがあります', 'some were not taken'],
  'overview.waiting': ['待ち{n}件', '{n} waiting'],
  'overview.log_size': ['監査記録の件数', 'Entries of the audit log'],
  'overview.log_text': ['{n}件(署名付きの要約を取得済み)', '{n} (a signed checkpoint was given)'],
  'overview.log_none': ['読み取れません', 'cannot be read'],
  'overview.disk': ['監査記録の空き容量', 'Disk of the audit log'],
  'overview.disk_text': ['あと約{time}分', 'lasts about {time}'],
  'overview.version': ['バージョン', 'Version'],
  'overview.history': ['直近48時間', 'The last 48 hours'],
  'overview.history_text': ['1時間ごとの件数です。最後の1時間は途中までの値です。', 'By the hour; the last hour is not over yet.'],
  'overview.history_all': ['時間ごとの件数は、すべての業務を担当する職員に表示します。', 'The hours are shown to whoever is in charge of all programs.'],
  'overview.chart_rows': ['処理した行', 'Rows'],
  'overview.line_applied': ['反映', 'applied'], 'overview.line_unchanged': ['変更なし', 'unchanged'], 'overview.line_refused': ['エラー', 'refused'], 'overview.line_held': ['保留', 'held'],
  'overview.chart_age': ['待ちの長さ', 'Age of what waits'], 'overview.line_oldest': ['最も古い受付から', 'oldest task'],
  'overview.chart_told': ['住民の情報の照会', 'Lookups of residents'], 'overview.line_clinic': ['医療機関', 'clinics'], 'overview.line_citizen': ['本人', 'citizens'],
  'overview.chart_refused': ['お断りした要求', 'Requests that were refused'], 'overview.line_requests': ['自治体からの要求', 'of the municipality'],
});

const POLL_MS = 5000, SERIES_MS = 60000;
const KIND = { up: 'ok', down: 'bad', unknown: 'wait' };

function chartsOf(s) {
  const from = new Date(s.from).getTime() / 1000, at = s.registered.map((x, i) => from + i * s.step_s);
  const sum = (...rows) => rows[0].map((x, i) => (rows.some((r) => r[i] === null) ? null : rows.reduce((a, r) => a + r[i], 0)));
  const line = (key, values, colour) => ({ name: () => t(`overview.line_${key}`), values, colour });
  return [
    chartOf({ id: 'rows', at, title: () => t('overview.chart_rows'), lines: [line('applied', sum(s.registered, s.updated)), line('unchanged', s.unchanged), line('refused', s.refused, 5), line('held', s.quarantined, 3)] }),
    chartOf({ id: 'age', at, sums: false, show: (v) => duration(v), title: () => t('overview.chart_age'), lines: [line('oldest', s.oldest_s, 4)] }),
    chartOf({ id: 'told', at, title: () => t('overview.chart_told'), lines: [line('clinic', s.told_clinic), line('citizen', s.told_citizen)] }),
    chartOf({ id: 'refused', at, title: () => t('overview.chart_refused'), lines: [line('requests', s.requests_refused, 5)] }),
  ];
}

export default {
  path: 'overview', title: 'overview.title', nav: 'overview.nav', icon: 'home',
  open({ signal, paint, who }) {
    let now = null, charts = null;
    const latest = loader({ signal, paint: show }, async () => { now = await get('/v1/console/overview', { signal }); });
    const hours = loader({ signal, paint: show }, async () => {
      const s = await get('/v1/console/series', { signal });
      charts?.forEach((c) => c.close());
      charts = chartsOf(s);
    });

    function show() {
      if (signal.aborted) return;
      paint();
      charts?.forEach((c) => c.draw());
    }

    latest.start(POLL_MS);
    if (who.allPrograms) hours.start(SERIES_MS);
    const scheme = matchMedia('(prefers-color-scheme: dark)'), again = () => queueMicrotask(show), quiet = onLang(again);
    scheme.addEventListener('change', again);
    signal.addEventListener('abort', () => {
      quiet();
      scheme.removeEventListener('change', again);
      charts?.forEach((c) => c.close());
    });

    const stat = (what, value, kind = '') => html`<div class="stat ${kind}"><span class="what">${what}</span><span class="value">${value}</span></div>`;
    const waits = () => {
      const b = now.backlog;
      if (!b) return note('warn', t('overview.unread'), '');
      return html`<div class="grid small">${stat(t('overview.rows'), number(b.rows), b.stalled ? 'warn' : '')}${stat(t('overview.files'), number(b.files))}
          ${stat(t('overview.oldest'), b.oldest_s === undefined ? '–' : duration(b.oldest_s), b.oldest_s > 3600 ? 'warn' : '')}${stat(t('overview.stalled'), number(b.stalled), b.stalled ? 'warn' : '')}${stat(t('overview.held'), number(b.held), b.held ? 'warn' : '')}</div>
        <div class="row small soft">${now.all_programs ? nothing : html`<span>${t('overview.own')}</span>`}${b.at_least ? html`<span>${t('overview.at_least')}</span>` : nothing}${b.held || b.stalled || b.rows ? html`<a href="#/tasks?show=${b.held ? 'look' : 'open'}">${t('overview.see')}</a>` : nothing}</div>`;
    };
    const part = (p) => html`<li class="part ${p.state}"><div class="spread"><strong>${t(`part.${p.name}`)}</strong>${badge(KIND[p.state] ?? 'wait', t(p.state))}</div>
      <span class="small soft">${t('overview.since_text', { time: dateTime(p.since, { year: undefined }), long: duration((new Date(now.at) - new Date(p.since)) / 1000) })}</span></li>`;
    const health = () => {
      const down = now.parts.filter((p) => p.state === 'down');
      return html`<div role="status">${down.length ? note('bad', `${t('overview.some_down')}: ${down.map((p) => t(`part.${p.name}`)).join('、')}`, t('overview.some_down_text')) : now.parts.every((p) => p.state === 'up') ? note('ok', t('overview.all_good'), '') : nothing}</div>
        <ul class="parts" aria-label=${t('overview.health')}>${now.parts.map(part)}</ul>`;
    };
    const notices = (n) => html`${n.behind_s > 60 ? badge('warn', t('overview.behind', { time: duration(n.behind_s) })) : badge('ok', t('overview.on_time'))} ${n.waiting ? t('overview.waiting', { n: number(n.waiting) }) : nothing} ${n.some_given_up ? badge('warn', t('overview.given_up')) : nothing}`;
    const vrs = (v) => (!v.reports ? html`<span class="soft">${t('overview.vrs_off')}</span>` : html`${v.waiting ? t('overview.waiting', { n: number(v.waiting) }) : nothing} ${v.some_not_taken ? badge('warn', t('overview.not_taken')) : badge('ok', t('up'))}`);
    const rest = () => html`<dl class="facts">
      ${now.notices ? html`<dt>${t('overview.notices')}</dt><dd>${notices(now.notices)}</dd>` : nothing}${now.vrs ? html`<dt>${t('overview.vrs')}</dt><dd>${vrs(now.vrs)}</dd>` : nothing}
      <dt>${t('overview.log_size')}</dt><dd>${now.audit.size ? t('overview.log_text', { n: number(now.audit.size) }) : t('overview.log_none')}</dd>
      ${now.audit.disk_hours === undefined ? nothing : html`<dt>${t('overview.disk')}</dt><dd>${t('overview.disk_text', { time: duration(now.audit.disk_hours * 3600) })}</dd>`}
      <dt>${t('overview.version')}</dt><dd class="mono">${now.version}</dd></dl>`;
    const history = () => {
      if (!who.allPrograms) return html`<p class="soft small">${t('overview.history_all')}</p>`;
      if (hours.problem) return problemNote(hours.problem);
      return charts ? html`<p class="soft small">${t('overview.history_text')}</p><div class="grid charts">${charts.map((c) => c.template())}</div>` : loading();
    };

    return () => html`<div class="wrap stack loose">
      <div class="spread"><h1 tabindex="-1">${t('overview.title')}</h1>${now ? html`<span class="soft small">${icon('wait')} ${t('overview.at', { time: dateTime(now.at, { second: '2-digit' }) })}</span>` : nothing}</div>
      ${latest.problem ? problemNote(latest.problem) : nothing}
      ${now ? html`<section class="stack tight" aria-labelledby="waits-title"><h2 id="waits-title">${t('overview.waits')}</h2>${waits()}</section>
        <section class="stack tight" aria-labelledby="health-title"><h2 id="health-title">${t('overview.health')}</h2>${health()}</section>` : latest.problem ? nothing : loading()}
      <section class="stack tight" aria-labelledby="history-title"><h2 id="history-title">${t('overview.history')}</h2>${history()}</section>
      ${now ? html`<section class="stack tight" aria-labelledby="shared-title"><h2 id="shared-title">${t('overview.shared')}</h2><div class="panel">${rest()}</div></section>` : nothing}</div>`;
  },
};
