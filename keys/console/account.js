// One's own: rights, password, second factor.
import { html, icon, nothing, note, problemNote, toast } from './page.js';
import { t, texts } from './text.js';
import { changePassword, proveSecondFactor, secondFactor } from './session.js';
import { qr } from './qr.js';

texts({
  'account.title': ['マイアカウント', 'My account'],
  'account.rights': ['権限', 'Rights'],
  'account.user': ['利用者ID', 'User ID'],
  'account.role': ['役割', 'Role'],
  'account.programs': ['担当する業務', 'Programs in charge'],
  'account.reveal': ['個人番号の閲覧', 'Revealing numbers'],
  'account.yes': ['可(本人ごとに目的を選び、記録されます)', 'Yes (one resident at a time, with a purpose, recorded)'],
  'account.no': ['不可', 'No'],
  'account.all': ['すべて', 'All'],
  'program.medical_subsidy': ['公費医療費助成', 'Medical subsidies'], 'program.immunization': ['予防接種', 'Immunization'], 'program.health_checkup': ['自治体検診', 'Municipal checkups'],
  'account.password': ['パスワードの変更', 'Change the password'],
  'account.password_now': ['現在のパスワード', 'Present password'],
  'account.password_done': ['パスワードを変更しました。ほかの端末でのログインは終了しました。', 'The password was changed. Your other sessions have ended.'],
  'account.totp': ['二要素認証', 'Second factor'],
  'account.totp_text': ['スマートフォンの認証アプリを登録すると、ログイン時に6桁のコードも確かめます。', 'With an authenticator app, the login asks for a six-digit code too.'],
  'account.totp_done': ['二要素認証を登録しました。次のログインから認証コードを入力します。', 'The second factor is enrolled; from the next login on it is asked for.'],
  'account.totp_there': ['二要素認証は登録済みです。機種変更などで使えなくなったときは、管理者に解除を依頼してください。', 'A second factor is enrolled. An administrator takes it back when you have lost it.'],
});

export default {
  path: 'account', title: 'account.title',
  open({ paint, who, signal }) {
    const problem = {};
    let busy = false, enrolment = null, there = false, wrong = '';

    const act = (name, go) => async (event) => {
      event.preventDefault();
      if (busy || !event.target.reportValidity()) return;
      const form = event.target;
      busy = true;
      problem[name] = null;
      paint();
      try {
        await go(form);
        if (name === 'password' && !wrong) form.reset();
      } catch (e) {
        if (name === 'totp' && e.code === 'conflict') there = true;
        else problem[name] = e;
      }
      busy = false;
      if (!signal.aborted) paint();
    };
    const value = (form, name) => form.elements.namedItem(name).value;
    const field = (name, label, auto, more = {}) => html`<div class="field"><label for=${`account-${name}`}>${t(label)}</label><input id=${`account-${name}`} name=${name} type=${more.type ?? 'password'} required maxlength=${more.max ?? 128}
      minlength=${more.min ?? 1} inputmode=${more.mode ?? 'text'} class=${more.mode ? 'code-input' : ''} autocomplete=${auto} spellcheck="false" aria-describedby=${more.hint ? `account-${name}-hint` : nothing}>
      ${more.hint ? html`<span class="hint" id=${`account-${name}-hint`}>${t(more.hint)}</span>` : nothing}</div>`;

    const password = act('password', async (f) => {
      wrong = value(f, 'fresh') === value(f, 'again') ? '' : 'password.differ';
      if (wrong) return;
      await changePassword(value(f, 'now'), value(f, 'fresh'));
      toast(t('account.password_done'), 'ok');
    });
    const begin = act('totp', async (f) => { enrolment = await secondFactor(value(f, 'password')); });
    const prove = act('totp', async (f) => {
      await proveSecondFactor(value(f, 'code').trim());
      enrolment = null;
      there = true;
      toast(t('account.totp_done'), 'ok');
    });

    const totp = () => (there ? note('ok', t('account.totp_there'), '') : enrolment ? html`<form class="stack" novalidate @submit=${prove}><p>${t('totp.scan')}</p><div class="qr">${qr(enrolment.uri, t('totp.qr'))}</div>
        <p class="small">${t('totp.type')}<br><code class="secret">${enrolment.secret.replaceAll(/(.{4})/g, '$1 ')}</code></p>
        ${field('code', 'totp.code', 'one-time-code', { type: 'text', mode: 'numeric', max: 6, min: 6 })}<div class="row"><button type="submit" class="primary" ?disabled=${busy}>${t('totp.go')}</button></div></form>`
      : html`<form class="stack" @submit=${begin}><p class="small soft">${t('account.totp_text')}</p>${field('password', 'login.password', 'current-password')}<div class="row"><button type="submit" ?disabled=${busy}>${icon('lock')}${t('totp.begin')}</button></div></form>`);

    return () => html`<div class="wrap middle stack"><h1 tabindex="-1">${t('account.title')}</h1>
      <section class="panel"><h2>${t('account.rights')}</h2><dl class="facts"><dt>${t('account.user')}</dt><dd class="mono">${who.user}</dd><dt>${t('account.role')}</dt><dd>${t(`role.${who.role}`)}</dd>
        <dt>${t('account.programs')}</dt><dd>${who.allPrograms ? t('account.all') : who.programs.map((p, i) => html`${i ? t('rows.comma') : ''}${t(`program.${p}`)}`)}</dd><dt>${t('account.reveal')}</dt><dd>${t(who.reveal ? 'account.yes' : 'account.no')}</dd></dl></section>
      <section class="panel"><h2>${t('account.password')}</h2><form class="stack" @submit=${password}>${problem.password ? problemNote(problem.password) : nothing}
        ${field('now', 'account.password_now', 'current-password')}${field('fresh', 'password.new', 'new-password', { min: 12, hint: 'password.rules' })}${field('again', 'password.again', 'new-password')}
        ${wrong ? html`<p class="wrong" role="alert">${t(wrong)}</p>` : nothing}<div class="row"><button type="submit" ?disabled=${busy}>${icon('key')}${t('password.go')}</button></div></form></section>
      <section class="panel"><h2>${t('account.totp')}</h2><div class="stack">${problem.totp ? problemNote(problem.totp) : nothing}${totp()}</div></section></div>`;
  },
};
