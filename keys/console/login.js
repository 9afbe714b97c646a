// The way in: user and password, then what is due (a password of one's own, a second factor).
import { html, icon, languageSwitch, note, nothing, problemNote, render } from './page.js';
import { onLang, t, texts } from './text.js';
import { changePassword, due, login, logout, proveSecondFactor, secondFactor } from './session.js';
import { qr } from './qr.js';

texts({
  'login.title': ['職員ログイン', 'Staff login'],
  'login.lead': ['この端末の証明書で接続しています。ご自身の利用者IDでログインしてください。', 'This computer is connected by its certificate. Log in with your own user ID.'],
  'login.user': ['利用者ID', 'User ID'],
  'login.password': ['パスワード', 'Password'],
  'login.totp': ['認証コード(6桁)', 'One-time code (6 digits)'],
  'login.totp_hint': ['二要素認証を登録している場合に入力します。', 'If you have enrolled a second factor.'],
  'login.go': ['ログイン', 'Log in'],
  'login.missing': ['利用者IDとパスワードを入力してください。', 'Enter user ID and password.'],
  'login.show': ['パスワードを表示', 'Show the password'],
  'login.idle': ['操作がなかったため、ログアウトしました。', 'You were logged out because nothing was done.'],
  'login.over': ['ログインの有効期間が終わりました。もう一度ログインしてください。', 'Your login has ended. Log in again.'],
  'login.left': ['ログアウトしました。', 'You have logged out.'],
  'login.steps': ['ログインの手順', 'Steps of the login'],
  'password.title': ['新しいパスワードの設定', 'Set a password of your own'],
  'password.lead': ['続けるには、ご自身のパスワードを設定してください。', 'Set a password of your own to go on.'],
  'password.now': ['現在のパスワード(初回は渡されたもの)', 'Present password (at first, the one you were given)'],
  'password.new': ['新しいパスワード', 'New password'],
  'password.again': ['新しいパスワード(確認)', 'New password, again'],
  'password.rules': ['12文字以上。数字だけのもの、推測されやすい語、利用者IDに近いもの、最近5回に使ったものは使えません。', 'At least 12 characters. Not digits alone, nothing easily guessed or close to the user ID, none of the last five.'],
  'password.short': ['12文字以上で入力してください。', 'Use at least 12 characters.'],
  'password.differ': ['確認の入力が一致しません。', 'The two entries differ.'],
  'password.go': ['設定する', 'Set'],
  'totp.title': ['二要素認証の登録', 'Enrol a second factor'],
  'totp.lead': ['スマートフォンなどの認証アプリを用意し、パスワードを入力してください。', 'Have an authenticator app at hand, and enter your password.'],
  'totp.begin': ['登録を始める', 'Begin'],
  'totp.scan': ['認証アプリでこのコードを読み取ってください。', 'Scan this code with your authenticator app.'],
  'totp.type': ['読み取れない場合は、次の文字列を入力します。', 'If it cannot be scanned, type this in:'],
  'totp.code': ['アプリに表示された6桁のコード', 'The six digits that the app shows'],
  'totp.go': ['登録を完了する', 'Finish'],
  'totp.qr': ['認証アプリに登録するためのQRコード', 'QR code for the authenticator app'],
  'login.away': ['ログアウト', 'Log out'],
});

const value = (form, name) => form.elements.namedItem(name).value;

export function openLogin(app, why) {
  let step = due(), problem = null, wrong = {}, busy = false, seen = false, enrolment = null, gone = false;

  const field = (name, label, { type = 'text', hint, auto, mode, max } = {}) => html`<div class="field">
    <label for=${name}>${t(label)}</label>
    <input id=${name} name=${name} type=${type === 'password' && seen ? 'text' : type} autocomplete=${auto ?? 'off'} autocapitalize="none" spellcheck="false" inputmode=${mode ?? 'text'} maxlength=${max ?? 128}
      class=${mode === 'numeric' ? 'code-input' : ''} aria-invalid=${wrong[name] ? 'true' : nothing} aria-describedby=${wrong[name] ? `${name}-wrong` : hint ? `${name}-hint` : nothing}>
    ${hint ? html`<span class="hint" id="${name}-hint">${t(hint)}</span>` : nothing}
    ${wrong[name] ? html`<span class="wrong" id="${name}-wrong">${t(wrong[name])}</span>` : nothing}</div>`;

  const show = () => html`<label class="choice small"><input type="checkbox" name="seen" .checked=${seen} @change=${(e) => { seen = e.target.checked; paint(); }}>${t('login.show')}</label>`;

  const act = (check, go) => async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = event.target;
    wrong = check(form);
    problem = null;
    paint();
    const first = Object.keys(wrong)[0];
    if (first) {
      form.elements.namedItem(first).focus();
      return;
    }
    busy = true;
    paint();
    try {
      await go(form);
    } catch (e) {
      problem = e;
    }
    busy = false;
    if (gone) return;
    if (due() !== step) {
      step = due();
      seen = false;
    }
    paint();
    app.querySelector(problem ? 'input' : 'h1')?.focus();
  };

  const FORMS = {
    login: () => html`<form class="stack" novalidate @submit=${act((f) => ({ ...(value(f, 'user') ? {} : { user: 'login.missing' }), ...(value(f, 'password') ? {} : { password: 'login.missing' }) }),
      (f) => login(value(f, 'user').trim(), value(f, 'password'), value(f, 'totp').replaceAll(/\D/g, '')))}>
      ${field('user', 'login.user', { auto: 'username', max: 32 })}
      ${field('password', 'login.password', { type: 'password', auto: 'current-password' })}${show()}
      ${field('totp', 'login.totp', { mode: 'numeric', auto: 'one-time-code', hint: 'login.totp_hint', max: 7 })}
      <button type="submit" class="primary wide" ?disabled=${busy}>${t('login.go')}</button></form>`,

    password: () => html`<form class="stack" novalidate @submit=${act((f) => ({ ...(value(f, 'now') ? {} : { now: 'login.missing' }), ...([...value(f, 'fresh')].length >= 12 ? {} : { fresh: 'password.short' }),
      ...(value(f, 'fresh') === value(f, 'again') ? {} : { again: 'password.differ' }) }), (f) => changePassword(value(f, 'now'), value(f, 'fresh')))}>
      ${field('now', 'password.now', { type: 'password', auto: 'current-password' })}
      ${field('fresh', 'password.new', { type: 'password', auto: 'new-password', hint: 'password.rules' })}
      ${field('again', 'password.again', { type: 'password', auto: 'new-password' })}${show()}
      <button type="submit" class="primary wide" ?disabled=${busy}>${t('password.go')}</button></form>`,

    totp: () => (enrolment ? html`<form class="stack" novalidate @submit=${act((f) => (/^\d{6}$/.test(value(f, 'code').trim()) ? {} : { code: 'totp.code' }), (f) => proveSecondFactor(value(f, 'code').trim()))}>
      <p>${t('totp.scan')}</p><div class="qr">${qr(enrolment.uri, t('totp.qr'))}</div>
      <p class="small">${t('totp.type')}<br><code class="secret">${enrolment.secret.replaceAll(/(.{4})/g, '$1 ')}</code></p>
      ${field('code', 'totp.code', { mode: 'numeric', auto: 'one-time-code', max: 6 })}
      <button type="submit" class="primary wide" ?disabled=${busy}>${t('totp.go')}</button></form>`
      : html`<form class="stack" novalidate @submit=${act((f) => (value(f, 'password') ? {} : { password: 'login.missing' }), async (f) => { enrolment = await secondFactor(value(f, 'password')); })}>
      ${field('password', 'login.password', { type: 'password', auto: 'current-password' })}${show()}
      <button type="submit" class="primary wide" ?disabled=${busy}>${t('totp.begin')}</button></form>`),
  };

  const body = () => html`<div class="gate">
    <header class="spread"><span class="brand">${icon('shield')} ${t('console.name')}</span>${languageSwitch()}</header>
    <main class="panel stack">
      <h1 tabindex="-1">${t(`${step}.title`)}</h1>
      ${why && step === 'login' && !problem ? note(why === 'left' ? 'ok' : 'info', t(`login.${why}`)) : nothing}
      ${problem ? problemNote(problem) : nothing}
      ${enrolment ? nothing : html`<p class="soft">${t(`${step}.lead`)}</p>`}
      ${FORMS[step]()}
      ${step === 'login' ? nothing : html`<button type="button" class="quiet" @click=${() => logout()}>${t('login.away')}</button>`}
    </main></div>`;

  function paint() {
    if (gone || !due()) return;
    document.title = `${t(`${step}.title`)} – ${t('console.name')}`;
    render(body(), app);
  }

  const quiet = onLang(paint);
  paint();
  app.querySelector(why ? 'h1' : 'input')?.focus();
  return () => {
    gone = true;
    quiet();
  };
}
