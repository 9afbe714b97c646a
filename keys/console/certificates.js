// Which certificate ends when.
import { badge, html, loading, note, nothing, problemNote } from './page.js';
import { get, loader } from './api.js';
import { date, dateTime, duration, lang, number, t, texts } from './text.js';

texts({
  'certs.title': ['証明書の期限', 'Certificates'],
  'certs.nav': ['証明書の期限', 'Certificates'],
  'certs.text': ['ゲートウェイが使う証明書と、この端末(システム)の証明書の有効期限です。期限の30日前から運用記録にも警告が出ます。', 'Ends of the certificates that the gateway uses, and of the one that this system has shown. From 30 days before, the log warns too.'],
  'certs.own': ['このシステムのクライアント証明書', 'Client certificate of this system'],
  'certs.unknown': ['ゲートウェイの証明書の期限は分かりません', 'The ends are not known'],
  'certs.unknown_text': ['計測値の保存先(metrics_dir)が設定されていません。運用者に確認してください。', 'The daemons keep no numbers (metrics_dir). Ask the operator.'],
  'certs.what': ['証明書', 'Certificate'], 'certs.where': ['使うところ', 'Used by'], 'certs.end': ['有効期限', 'Ends'], 'certs.left': ['残り', 'Left'], 'certs.state': ['状態', 'State'],
  'certs.over': ['期限切れ', 'ended'], 'certs.soon': ['まもなく期限', 'ends soon'], 'certs.later': ['有効', 'good'],
  'certs.list': ['一覧', 'List'],
  'certs.calendar': ['カレンダー', 'Calendar'],
  'certs.count': ['{n}件', '{n}'],
  'certs.lists': ['失効リスト(使えなくした証明書の一覧)', 'Lists of revoked certificates'],
  'certs.lists_made': ['作成', 'made'], 'certs.lists_end': ['有効期限', 'good until'], 'certs.lists_missing': ['失効リストのない発行者があります。その発行者の証明書は使えません。', 'An issuer has no list that holds: its certificates are refused.'],
  'certs.lists_none': ['使っていません', 'not used'],
  'certs.lists_text': ['更新版は運用者が期限までに置きます。', 'The operator puts a new one there before it ends.'],
  'cert.door_cert': ['窓口の証明書', 'Certificate of the doors'], 'cert.door_ca': ['窓口が受け付ける発行者', 'Issuers that the doors take'], 'cert.upstream_cert': ['接続先に示す証明書', 'Shown to partners'], 'cert.upstream_ca': ['接続先の発行者', 'Issuers of partners'],
  'cert.receipt_cert': ['受領証の署名', 'Signs receipts'], 'cert.statement_cert': ['閲覧証明の署名', 'Signs statements of access'], 'cert.attributes_cert': ['カード情報の確認', 'Checks attributes of cards'], 'cert.vds_signer_cert': ['接種証明書の署名', 'Signs certificates of vaccination'],
  'cert.courier_cert': ['関係機関への通知に示す証明書', 'Shown by the courier'], 'cert.relay_cert': ['別の機械にある保存先に示す証明書', 'Shown to a Redis elsewhere'], 'cert.relay_ca': ['別の機械にある保存先の発行者', 'Issuers of a Redis elsewhere'], 'cert.own': ['クライアント証明書', 'Client certificate'],
  'daemon.intake': ['自治体の窓口', 'municipal door'], 'daemon.front': ['医療機関・ポータルの窓口', 'clinic and portal doors'], 'daemon.courier': ['関係機関への通知', 'courier'], 'daemon.signer': ['電子署名', 'signer'], 'daemon.vault': ['個人番号の保管庫', 'vault'], 'daemon.audit': ['監査記録', 'audit log'], 'daemon.relay': ['保存先への中継', 'relay to Redis'], 'daemon.own': ['このシステム', 'this system'],
});

const REFRESH_MS = 60000;
const KNOWN = ['door_cert', 'door_ca', 'upstream_cert', 'upstream_ca', 'receipt_cert', 'statement_cert', 'attributes_cert', 'vds_signer_cert', 'courier_cert', 'relay_cert', 'relay_ca', 'own'];
const nameOf = (c) => (KNOWN.includes(c.setting) ? t(`cert.${c.setting}`) : c.setting);
const stateOf = (c) => (c.stage === 'over' ? badge('bad', t('certs.over')) : c.stage === 'later' ? badge('ok', t('certs.later')) : badge('warn', t('certs.soon')));
const monthOf = (iso) => new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Tokyo', year: 'numeric', month: '2-digit' }).format(new Date(iso));
const monthName = (month) => new Intl.DateTimeFormat(lang() === 'en' ? 'en-GB' : 'ja-JP', { timeZone: 'Asia/Tokyo', year: 'numeric', month: 'long' }).format(new Date(`${month}-15T00:00:00+09:00`));

// The same certificate stands at several daemons: one row
function rowsOf(doc) {
  const rows = new Map();
  for (const c of [{ ...doc.own, setting: 'own', daemon: 'own' }, ...doc.certificates]) {
    const key = `${c.setting} ${c.ends_at}`;
    if (rows.has(key)) rows.get(key).daemons.push(c.daemon);
    else rows.set(key, { ...c, daemons: [c.daemon] });
  }
  return [...rows.values()].sort((a, b) => a.ends_at.localeCompare(b.ends_at));
}

export default {
  path: 'certificates', title: 'certs.title', nav: 'certs.nav', icon: 'calendar',
  open({ signal, paint }) {
    let doc = null;
    const source = loader({ signal, paint }, async () => { doc = await get('/v1/console/certificates', { signal }); });
    source.start(REFRESH_MS);

    const left = (c) => { const s = (new Date(c.ends_at) - new Date(doc.at)) / 1000; return s > 3 * 86400 ? duration(Math.floor(s / 86400) * 86400) : s > 0 ? duration(s) : '–'; };
    const line = (c) => html`<tr><th scope="row">${nameOf(c)}</th><td data-label=${t('certs.where')}>${c.daemons.map((d) => t(`daemon.${d}`)).join('、')}</td>
      <td class="tight" data-label=${t('certs.end')}>${dateTime(c.ends_at)}</td><td class="tight" data-label=${t('certs.left')}>${left(c)}</td><td class="tight" data-label=${t('certs.state')}>${stateOf(c)}</td></tr>`;
    const table = (rows) => html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t('certs.list')}><table class="cards"><thead><tr>${['what', 'where', 'end', 'left', 'state'].map((k) => html`<th scope="col">${t(`certs.${k}`)}</th>`)}</tr></thead><tbody>${rows.map(line)}</tbody></table></div>`;
    const calendar = (rows) => {
      const months = Map.groupBy ? Map.groupBy(rows, (c) => monthOf(c.ends_at)) : rows.reduce((m, c) => m.set(monthOf(c.ends_at), [...(m.get(monthOf(c.ends_at)) ?? []), c]), new Map());
      return html`<ol class="months">${[...months].map(([month, here]) => html`<li class="month ${here.some((c) => c.stage === 'over') ? 'bad' : here.some((c) => c.stage !== 'later') ? 'warn' : ''}"><div class="spread"><h3>${monthName(month)}</h3><span class="badge">${t('certs.count', { n: number(here.length) })}</span></div>
        <ul>${here.map((c) => html`<li><span class="mono day">${date(c.ends_at)}</span> ${nameOf(c)}</li>`)}</ul></li>`)}</ol>`;
    };
    const lists = (l) => html`<section class="panel stack tight" aria-labelledby="lists-title"><h2 id="lists-title">${t('certs.lists')}</h2>
      ${l.missing ? note('bad', t('certs.lists_missing'), '') : nothing}
      ${l.ends_at ? html`<dl class="facts"><dt>${t('certs.lists_end')}</dt><dd>${dateTime(l.ends_at)} (${left(l)})</dd>${l.made_at ? html`<dt>${t('certs.lists_made')}</dt><dd>${dateTime(l.made_at)}</dd>` : nothing}</dl><p class="small soft">${t('certs.lists_text')}</p>` : html`<p class="soft small">${t('certs.lists_none')}</p>`}</section>`;

    return () => {
      const rows = doc ? rowsOf(doc) : [];
      return html`<div class="wrap stack loose"><div class="stack tight"><h1 tabindex="-1">${t('certs.title')}</h1><p class="soft">${t('certs.text')}</p></div>
        ${source.problem ? problemNote(source.problem) : nothing}${!doc ? (source.problem ? nothing : loading()) : html`
          ${doc.known ? nothing : note('warn', t('certs.unknown'), t('certs.unknown_text'))}
          <section class="stack tight" aria-labelledby="calendar-title"><h2 id="calendar-title">${t('certs.calendar')}</h2>${calendar(rows)}</section>
          <section class="stack tight" aria-labelledby="list-title"><h2 id="list-title">${t('certs.list')}</h2>${table(rows)}</section>
          ${doc.lists ? lists(doc.lists) : nothing}`}</div>`;
    };
  },
};
