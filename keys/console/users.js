// Members of staff: who may do what.
import { badge, dialog, empty, html, icon, loading, note, nothing, problemNote, toast } from './page.js';
import { call, get, loader } from './api.js';
import { date, number, t, texts } from './text.js';

texts({
  'users.title': ['利用者と権限', 'Users and rights'],
  'users.nav': ['利用者と権限', 'Users and rights'],
  'users.add': ['利用者を追加', 'Add a user'],
  'users.edit': ['変更', 'Change'],
  'users.withdraw': ['利用停止', 'Withdraw'],
  'users.restore': ['利用再開', 'Restore'],
  'users.reset': ['パスワード再発行', 'Reset the password'],
  'users.list': ['利用者の一覧', 'List of users'],
  'users.none': ['条件に合う利用者はいません。', 'Nobody matches.'],
  'users.search': ['ID・氏名で絞り込み', 'Filter by ID or name'],
  'users.withdrawn_too': ['停止中も表示', 'Withdrawn ones too'],
  'users.shown': ['{n}人を表示', '{n} shown'],
  'users.id': ['利用者ID', 'User ID'], 'users.name': ['氏名', 'Name'], 'users.role': ['役割', 'Role'], 'users.programs': ['担当する業務', 'Programs'], 'users.reveal': ['個人番号の閲覧', 'Reveals numbers'], 'users.state': ['状態', 'State'], 'users.acts': ['操作', 'Actions'],
  'users.id_hint': ['英小文字・数字・-・_ の3〜32文字。後から変更できません。', '3 to 32 of a-z, 0-9, - and _. It cannot be changed later.'],
  'users.you': ['あなた', 'you'],
  'users.all': ['すべて', 'all'],
  'users.may': ['可', 'yes'], 'users.may_not': ['不可', 'no'],
  'users.active': ['利用中', 'active'], 'users.withdrawn': ['停止中', 'withdrawn'], 'users.not_yet': ['開始前', 'not yet'], 'users.over': ['期限切れ', 'over'], 'users.first': ['初期パスワード', 'first password'],
  'users.factor': ['二要素認証', 'second factor'],
  'users.from': ['利用開始日', 'First day'], 'users.until': ['利用終了日', 'Last day'], 'users.days': ['{from}〜{until}', '{from} – {until}'],
  'users.role_hint': ['閲覧者: タスクの閲覧 / 担当者: 加えて登録・保留行の処理・制御・消去 / 管理者: 加えて操作記録・利用者', 'Viewer: reads tasks. Officer: also sends, decides about held rows, sets flags, erases. Administrator: also the log and users.'],
  'users.reveal_hint': ['必要な職員だけに付与してください(個人番号閲覧可能)。表示のたびに記録されます。', 'Only for whoever needs it. Each reveal is recorded.'],
  'users.programs_need': ['担当する業務を一つ以上選んでください。', 'Choose at least one program.'],
  'users.totp_reset': ['二要素認証を解除する', 'Take the second factor back'],
  'users.save': ['保存', 'Save'],
  'users.saved': ['{id}の内容を保存しました。', '{id} was saved.'],
  'users.withdraw_title': ['{id}の利用を停止します', 'Withdraw {id}'],
  'users.withdraw_text': ['ログイン中のセッションも直ちに終わります。記録は残り、後から再開できます。', 'Sessions end at once. The user stays on record and can come back.'],
  'users.withdraw_done': ['{id}の利用を停止しました。', '{id} was withdrawn.'],
  'users.reset_title': ['{id}のパスワードを再発行します', 'Reset the password of {id}'],
  'users.reset_text': ['今のパスワードとログイン中のセッションは使えなくなり、一度だけ使えるパスワードを発行します。', 'The password and all sessions end; a one-time password is issued.'],
  'users.once': ['ワンタイムパスワード', 'One-time password'],
  'users.once_text': ['{id}さんに安全な方法で渡してください。この画面を閉じると二度と表示されません。最初のログインで変更が必要です。', 'Hand it to {id} in a safe way. It is not shown again, and must be changed at the first login.'],
  'users.exists': ['このIDの利用者は登録済みです。', 'There is such a user already.'],
  'users.bad_id': ['英小文字・数字・-・_ の3〜32文字で入力してください。', '3 to 32 of a-z, 0-9, - and _.'],
});

const PROGRAMS = ['medical_subsidy', 'immunization', 'health_checkup'];
const ROLES = ['viewer', 'officer', 'admin'];
const today = () => new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Tokyo' }).format(new Date());
const programName = (p) => (p === '*' ? t('users.all') : PROGRAMS.includes(p) ? t(`program.${p}`) : p);

export default {
  path: 'users', title: 'users.title', nav: 'users.nav', icon: 'key',
  may: (who) => who.role === 'admin',
  open({ signal, paint, who }) {
    let users = null, filter = '', all = false;
    const source = loader({ signal, paint }, async () => { ({ users } = await get('/v1/staff/users', { signal })); });
    source.load();

    // what the route takes: what is left out is off
    const asked = (u, more) => ({ display_name: u.display_name, role: u.role, programs: u.programs, reveal: u.reveal, state: u.state, ...(u.from ? { from: u.from } : {}), ...(u.until ? { until: u.until } : {}), ...more });
    const put = (id, json) => call('PUT', `/v1/staff/users/${encodeURIComponent(id)}`, { json, signal });

    async function once(id, answer) {
      if (!answer?.one_time_password) return;
      const at = document.createElement('output');
      at.className = 'once mono';
      at.translate = false;
      at.textContent = answer.one_time_password;
      delete answer.one_time_password;
      const shown = dialog({ title: t('users.once'), body: () => html`<p>${t('users.once_text', { id })}</p><div id="once-here"></div>` });
      document.getElementById('once-here').append(at);
      await shown;
      at.textContent = '';
    }

    const grants = who.allPrograms ? ['*', ...PROGRAMS] : who.programs;

    async function edit(user) {
      const u = user ?? { user_id: '', display_name: '', role: 'viewer', programs: [], reveal: false, state: 'active' };
      let chosen = new Set(u.programs), wrong = {};
      const answer = await dialog({
        title: user ? `${t('users.edit')}: ${u.user_id}` : t('users.add'), yes: user ? t('users.save') : t('users.add'),
        body: (again) => html`
          ${user ? nothing : html`<div class="field"><label for="user-id">${t('users.id')}</label><input id="user-id" name="id" class="mono" required maxlength="32" autocomplete="off" spellcheck="false" autocapitalize="off" aria-describedby="user-id-hint user-id-wrong" aria-invalid=${wrong.id ? 'true' : 'false'} @input=${() => { if (wrong.id) { wrong = { ...wrong, id: null }; again(); } }}><span class="hint" id="user-id-hint">${t('users.id_hint')}</span><span class="wrong" id="user-id-wrong" role="alert">${wrong.id ? t(wrong.id) : nothing}</span></div>`}
          <div class="field"><label for="user-name">${t('users.name')}</label><input id="user-name" name="name" required maxlength="64" autocomplete="off" value=${u.display_name}></div>
          <div class="field"><label for="user-role">${t('users.role')}</label><select id="user-role" name="role" aria-describedby="user-role-hint">${ROLES.map((r) => html`<option value=${r} ?selected=${u.role === r}>${t(`role.${r}`)}</option>`)}</select><span class="hint" id="user-role-hint">${t('users.role_hint')}</span></div>
          <fieldset><legend>${t('users.programs')}</legend>${grants.map((p) => html`<label class="choice"><input type="checkbox" name="program" value=${p} .checked=${chosen.has(p)} ?disabled=${p !== '*' && chosen.has('*')} @change=${(e) => { if (e.target.checked) chosen.add(p); else chosen.delete(p); if (p === '*' && e.target.checked) chosen = new Set(['*']); wrong = { ...wrong, programs: null }; again(); }}>${programName(p)}</label>`)}<span class="wrong" role="alert">${wrong.programs ? t(wrong.programs) : nothing}</span></fieldset>
          <div class="field"><label class="choice"><input type="checkbox" name="reveal" ?checked=${u.reveal} aria-describedby="user-reveal-hint">${t('users.reveal')}</label><span class="hint" id="user-reveal-hint">${t('users.reveal_hint')}</span></div>
          <div class="row bottom"><div class="field grow"><label for="user-from">${t('users.from')}</label><input id="user-from" name="from" type="date" value=${u.from ?? ''}></div><div class="field grow"><label for="user-until">${t('users.until')}</label><input id="user-until" name="until" type="date" value=${u.until ?? ''}></div></div>
          ${u.second_factor ? html`<label class="choice"><input type="checkbox" name="reset_totp">${t('users.totp_reset')}</label>` : nothing}`,
        submit: async (form) => {
          const f = new FormData(form), id = user ? u.user_id : f.get('id').trim();
          wrong = { id: user ? null : !/^[a-z0-9_-]{3,32}$/.test(id) ? 'users.bad_id' : users.some((x) => x.user_id === id) ? 'users.exists' : null, programs: chosen.size ? null : 'users.programs_need' };
          if (wrong.id || wrong.programs) return null;
          const made = await put(id, asked({ ...u, display_name: f.get('name').trim(), role: f.get('role'), programs: [...chosen], reveal: f.has('reveal'), from: f.get('from'), until: f.get('until') }, f.has('reset_totp') ? { reset_totp: true } : {}));
          return { id, made };
        },
      });
      if (!answer) return;
      toast(t('users.saved', { id: answer.id }), 'ok');
      await once(answer.id, answer.made);
      source.load();
    }

    async function change(u, { title, text, yes, kind, more, done }) {
      let answer = null;
      const go = await dialog({ title: t(title, { id: u.user_id }), yes: t(yes), kind, body: () => html`<p>${t(text)}</p>`, submit: async () => { answer = await put(u.user_id, asked(u, more)); return true; } });
      if (!go) return;
      if (done) toast(t(done, { id: u.user_id }), 'ok');
      await once(u.user_id, answer);
      source.load();
    }

    const withdraw = (u) => change(u, { title: 'users.withdraw_title', text: 'users.withdraw_text', yes: 'users.withdraw', kind: 'danger', more: { state: 'withdrawn' }, done: 'users.withdraw_done' });
    const restore = (u) => change(u, { title: 'users.reset_title', text: 'users.reset_text', yes: 'users.restore', more: { state: 'active', reset_password: true }, done: 'users.saved' });
    const reset = (u) => change(u, { title: 'users.reset_title', text: 'users.reset_text', yes: 'users.reset', more: { reset_password: true } });

    const state = (u) => (u.state === 'withdrawn' ? badge('wait', t('users.withdrawn')) : u.until && u.until < today() ? badge('warn', t('users.over')) : u.from && u.from > today() ? badge('info', t('users.not_yet')) : badge('ok', t('users.active')));
    const covers = (u) => who.allPrograms || u.programs.every((p) => who.programs.includes(p));
    const acts = (u) => (u.user_id === who.user ? html`<span class="badge">${t('users.you')}</span>` : !covers(u) ? nothing : html`<div class="row tight">
      ${u.state === 'withdrawn' ? html`<button type="button" @click=${() => restore(u)}>${t('users.restore')}</button>` : html`<button type="button" @click=${() => edit(u)}>${t('users.edit')}<span class="visually-hidden"> ${u.user_id}</span></button>
        <button type="button" class="quiet" @click=${() => reset(u)}>${t('users.reset')}<span class="visually-hidden"> ${u.user_id}</span></button><button type="button" class="danger" @click=${() => withdraw(u)}>${t('users.withdraw')}<span class="visually-hidden"> ${u.user_id}</span></button>`}</div>`);
    const line = (u) => html`<tr><th scope="row"><span class="mono">${u.user_id}</span><br><span class="name">${u.display_name}</span></th><td data-label=${t('users.role')} class="tight">${t(`role.${u.role}`)}</td>
      <td data-label=${t('users.programs')}>${u.programs.map(programName).join('、')}</td><td data-label=${t('users.reveal')} class="tight">${u.reveal ? badge('info', t('users.may')) : html`<span class="soft">${t('users.may_not')}</span>`}</td>
      <td data-label=${t('users.state')}>${state(u)} ${u.must_change_password && u.state === 'active' ? badge('wait', t('users.first')) : nothing} ${u.second_factor ? html`<span class="small soft">${t('users.factor')}</span>` : nothing}${u.from || u.until ? html`<br><span class="small soft">${t('users.days', { from: u.from ? date(u.from) : '', until: u.until ? date(u.until) : '' })}</span>` : nothing}</td>
      <td data-label=${t('users.acts')}>${acts(u)}</td></tr>`;

    return () => {
      const word = filter.trim().toLowerCase();
      const shown = (users ?? []).filter((u) => (all || u.state === 'active') && (!word || u.user_id.includes(word) || u.display_name.toLowerCase().includes(word)));
      return html`<div class="wrap stack"><div class="spread"><h1 tabindex="-1">${t('users.title')}</h1><button type="button" class="primary" @click=${() => edit(null)}>${icon('person')}${t('users.add')}</button></div>
        ${source.problem ? problemNote(source.problem) : nothing}
        <div class="row bottom"><div class="field narrow-field"><label for="users-filter">${t('users.search')}</label><input id="users-filter" type="search" autocomplete="off" @input=${(e) => { filter = e.target.value; paint(); }}></div>
          <label class="choice"><input type="checkbox" @change=${(e) => { all = e.target.checked; paint(); }}>${t('users.withdrawn_too')}</label><span class="soft small" role="status">${users ? t('users.shown', { n: number(shown.length) }) : nothing}</span></div>
        ${!users ? (source.problem ? nothing : loading()) : !shown.length ? empty(t('users.none')) : html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t('users.list')}><table class="cards users"><thead><tr><th scope="col">${t('users.id')} / ${t('users.name')}</th>${['role', 'programs', 'reveal', 'state', 'acts'].map((k) => html`<th scope="col">${t(`users.${k}`)}</th>`)}</tr></thead><tbody>${shown.map(line)}</tbody></table></div>`}</div>`;
    };
  },
};
