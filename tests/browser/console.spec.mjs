// The console's own: the way in, tasks, files, held rows; as an officer, a viewer and an administrator.
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { must, until } from './rig.mjs';
import { csvWith, enter, login, ownPassword, view } from './console.mjs';

export const rank = 10;

const MUNI = 'muni-331007';

async function wayIn(rig, page, user) {
  await page.goto(`${rig.url('municipal')}/console`);
  await page.locator('h1', { hasText: '職員ログイン' }).waitFor();
  await rig.look(page, 'login');
  page.expected.push('401');
  await enter(page, { id: user.id, password: 'not the right one' });
  await page.locator('.note.bad', { hasText: '利用者または認証情報が正しくありません' }).waitFor();
  await rig.look(page, 'login-failed', { widths: ['phone'] });
  await enter(page, user);
  await page.locator('h1', { hasText: '新しいパスワードの設定' }).waitFor();
  await rig.look(page, 'password', { widths: ['phone', 'desk'] });
  await ownPassword(page, user);
  await page.locator('main h1').waitFor();
}

async function byKeyboard(rig, page) {
  await page.goto(`${rig.url('municipal')}/console`);
  await page.locator('input[name=user]').waitFor();
  await page.keyboard.press('Shift+Tab');
  const stops = await rig.tabs(page, 5);
  must(stops.every((s) => s === null || s.seen), `a stop without a visible focus: ${JSON.stringify(stops)}`);
  must(stops.some((s) => s?.name.includes('利用者ID')) && stops.some((s) => s?.name === 'パスワード'), `the fields are not reached: ${JSON.stringify(stops)}`);
}

// In the frame: the first stop leads past the navigation; each stop can be seen
async function framesKeys(rig, page) {
  await page.setViewportSize({ width: 1360, height: 900 });
  await page.reload();
  await page.locator('tbody tr').first().waitFor();
  await page.keyboard.press('Tab');
  must((await page.evaluate(() => document.activeElement.textContent.trim())) === '本文へ移動', 'the first stop is the way past the navigation');
  await page.keyboard.press('Enter');
  must(await page.evaluate(() => document.activeElement.id === 'main'), 'it leads to the content');
  const stops = await rig.tabs(page, 6);
  must(stops.every((s) => s?.seen), `a stop without a visible focus: ${JSON.stringify(stops)}`);
  must(stops.some((s) => s.name.includes('ファイルを登録')), `the button is not reached: ${JSON.stringify(stops)}`);
}

async function sendFile(page, file, { apply }) {
  await view(page, 'tasks', 'タスクとファイル');
  await view(page, 'upload', 'ファイルの登録');
  await page.locator('#upload-file').setInputFiles(file);
  await page.locator('button[type=submit]').click();
  await page.locator('h2', { hasText: '取り込んだ場合の変化' }).waitFor();
  if (!apply) return;
  await page.getByRole('button', { name: 'この内容で取り込む' }).click();
  await page.locator('dialog button[type=submit]').click();
  await page.waitForURL(/#\/tasks\/[0-9a-f]{32}/);
  await page.locator('main h1 .badge', { hasText: '完了' }).waitFor();
}

async function files(rig, page, made) {
  await view(page, 'tasks', 'タスクとファイル');
  await page.locator('.empty', { hasText: '受け付けたタスクはまだありません' }).waitFor();
  await rig.look(page, 'tasks-empty', { widths: ['phone'] });
  await view(page, 'upload', 'ファイルの登録');
  await rig.look(page, 'upload');

  const text = fs.readFileSync(made.csv, 'utf8');
  const bad = path.join(rig.dir, 'bad.csv');
  fs.writeFileSync(bad, csvWith(text, (c, row) => { if (row === 3 || row === 7) c['生年月日'] = '2024-13-01'; }));
  await sendFile(page, bad, { apply: false });
  await rig.look(page, 'upload-difference');
  await sendFile(page, bad, { apply: true });
  await page.locator('.rows tbody tr').first().waitFor();
  await rig.look(page, 'task-with-errors');

  await page.locator('#rows-result').selectOption('failed');
  await until('two failed rows are shown', async () => (await page.locator('.rows tbody tr').count()) === 2);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'エラー・保留の行をCSVで保存' }).click()]);
  const kept = fs.readFileSync(await download.path(), 'utf8');
  must(kept.split('\r\n').length === 4 && kept.includes('refused'), `failed rows as CSV: ${kept}`);
  must([...rig.numbers].every((n) => !kept.includes(n)), 'a number in the file of failed rows');
  const [receipt] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: '受領証を保存' }).click()]);
  must(/^[\w-]+\.[\w-]+\.[\w-]+\s*$/.test(fs.readFileSync(await receipt.path(), 'utf8')), 'the receipt is a JWS');
  return page.url().split('/').pop();
}

// A file whose rows look like somebody else: held, one discarded, the rest released, by two officers
async function held(rig, page, made, other) {
  const text = fs.readFileSync(made.csv, 'utf8');
  const mixed = path.join(rig.dir, 'mixed.csv');
  fs.writeFileSync(mixed, csvWith(text, (c, row) => { if ([1, 2, 4].includes(row)) { c['氏名'] = '別人　太郎'; c['生年月日'] = '1950-02-03'; } else if (row === 5 || row === 6) c['住所'] = `${c['住所']}２－３`; }));
  await sendFile(page, mixed, { apply: true });
  await page.locator('.note.warn', { hasText: '保留中の行' }).waitFor();
  await page.locator('.rows tbody input[type=checkbox]').first().waitFor();
  await rig.look(page, 'task-held');
  await page.locator('.rows tbody input[type=checkbox]').first().check();
  await page.locator('.note.warn').getByRole('button', { name: '破棄' }).click();
  page.expected.push('409');
  await page.locator('dialog[open]').waitFor();
  await rig.look(page, 'held-dialog', { widths: ['phone', 'desk'] });
  await page.locator('dialog button[type=submit]').click();
  await page.locator('.toast', { hasText: '1行を処理しました' }).waitFor();
  await page.locator('.note.warn', { hasText: '保留中の行: 2件' }).waitFor();
  await order(page, '保留を解除');
  await page.locator('dialog[open]', { hasText: '別の職員の承認が必要です' }).waitFor();
  await rig.look(page, 'held-second-officer', { widths: ['phone'] });
  await page.locator('dialog[open] button').click();

  const second = await rig.page({ cert: MUNI, by: 'second officer' });
  await withSecondFactorDue(rig, second, other);
  await second.evaluate((to) => { location.hash = to; }, new URL(page.url()).hash);
  await second.locator('.note.warn', { hasText: '保留中の行: 2件' }).waitFor();
  await order(second, '保留を解除');
  await second.locator('.toast', { hasText: '2行を処理しました' }).waitFor();
  await second.context().close();
  await page.reload();
  await page.locator('main h1 .badge', { hasText: '完了' }).waitFor();
  must((await page.locator('.note.warn', { hasText: '保留中の行' }).count()) === 0, 'a row is still held');
}

async function order(page, what) {
  await page.locator('.note.warn').getByRole('button', { name: what }).click();
  await page.locator('dialog button[type=submit]').click();
}

// An upload that is broken off: it goes on by itself, and it goes on when somebody comes back with the file
async function brokenOff(page, made) {
  await view(page, 'upload', 'ファイルの登録');
  await page.locator('#upload-file').setInputFiles(made.csv);
  page.expected.push('ERR_FAILED', 'ERR_CONNECTION');
  await page.route('**/v1/files/*', (route) => (route.request().method() === 'PUT' ? route.abort() : route.continue()));
  await page.locator('button[type=submit]').click();
  await page.locator('.note.warn', { hasText: '自動で再送します' }).waitFor();
  await view(page, 'tasks', 'タスクとファイル');
  await page.unroute('**/v1/files/*');
  await page.getByRole('link', { name: '続きを送る' }).click();
  await page.locator('.note', { hasText: '続きを送ります' }).waitFor();
  await page.locator('#upload-file').setInputFiles({ name: 'other.csv', mimeType: 'text/csv', buffer: Buffer.from('x') });
  await page.locator('.wrong', { hasText: '大きさが違います' }).waitFor();
  await page.locator('#upload-file').setInputFiles(made.csv);
  await page.locator('button[type=submit]').click();
  await page.waitForURL(/#\/tasks\/[0-9a-f]{32}/);
  await page.locator('main h1 .badge', { hasText: '完了' }).waitFor();
}

async function undo(page) {
  await page.getByRole('button', { name: '取り込みを取り消す' }).click();
  await page.locator('dialog button[type=submit]').click();
  await page.locator('dd', { hasText: '取り消し' }).waitFor();
  await page.locator('main h1 .badge', { hasText: '完了' }).waitFor();
}

async function reload(page) {
  await page.reload();
  await page.locator('nav#nav').waitFor({ state: 'attached' });
  must((await page.locator('input[name=password]').count()) === 0, 'opening the page again asked for the password');
}

async function english(rig, page) {
  await page.getByRole('button', { name: 'English' }).click();
  await page.locator('main h1', { hasText: 'Tasks and files' }).waitFor();
  must((await page.getAttribute('html', 'lang')) === 'en', 'the document says its language');
  await rig.look(page, 'tasks-english', { widths: ['desk'] });
  await page.getByRole('button', { name: '日本語' }).click();
  await page.locator('main h1', { hasText: 'タスクとファイル' }).waitFor();
}

// 15 minutes pass in the page: it warns two minutes before, and ends by itself
async function idle(rig, user) {
  const page = await rig.page({ cert: MUNI, by: 'officer' });
  await page.clock.install();
  await login(rig, page, user);
  await page.clock.runFor(13 * 60 * 1000 + 5000);
  await page.locator('dialog[open]', { hasText: 'まもなくログアウトします' }).waitFor();
  await rig.look(page, 'idle-warning', { widths: ['desk'] });
  await page.locator('dialog[open] button[type=submit]').click();
  await page.clock.runFor(5000);
  must((await page.locator('dialog[open]').count()) === 0 && (await page.locator('nav#nav').count()) === 1, 'who goes on working stays logged in');
  await page.clock.runFor(15 * 60 * 1000 + 5000);
  await page.locator('.note', { hasText: '操作がなかったため' }).waitFor();
  await rig.look(page, 'idle-over', { widths: ['phone'] });
  await page.context().close();
}

// RFC 6238, as an authenticator app reckons it
function totp(secret) {
  const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2))), step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const h = createHmac('sha1', key).update(step).digest(), at = h[19] & 15;
  return String((h.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, '0');
}

// The way in of somebody whose gateway demands a second factor (its answer to the login is made to say so): password, then the QR code
async function withSecondFactorDue(rig, page, user) {
  await page.route('**/v1/staff/login', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), must_enrol_totp: true } });
  });
  await page.goto(`${rig.url('municipal')}/console`);
  await enter(page, user);
  await page.locator('input[name=fresh]').waitFor();
  await ownPassword(page, user, 'h1:has-text("二要素認証の登録")');
  await page.locator('input[name=password]').fill(user.password);
  await page.locator('button[type=submit]').click();
  await page.locator('svg.qr-code').waitFor();
  await rig.look(page, 'second-factor', { widths: ['phone'] });
  await page.locator('input[name=code]').fill(totp((await page.locator('.secret').textContent()).replaceAll(' ', '')));
  await page.locator('button[type=submit]').click();
  await page.locator('nav#nav').waitFor({ state: 'attached' });
}

async function secondFactor(rig, page, user) {
  await page.locator('a.me').click();
  await page.locator('main h1', { hasText: 'マイアカウント' }).waitFor();
  await rig.look(page, 'account', { widths: ['phone', 'desk'] });
  await page.locator('#account-password').fill(user.password);
  await page.getByRole('button', { name: '登録を始める' }).click();
  await page.locator('svg.qr-code').waitFor();
  await rig.look(page, 'account-second-factor', { widths: ['phone'] });
  await page.locator('#account-code').fill(totp((await page.locator('.secret').textContent()).replaceAll(' ', '')));
  await page.getByRole('button', { name: '登録を完了する' }).click();
  await page.locator('.note.ok', { hasText: '二要素認証は登録済みです' }).waitFor();
}

async function viewer(rig, user) {
  const page = await rig.page({ cert: MUNI, by: 'viewer', scheme: 'dark' });
  await login(rig, page, user);
  await view(page, 'tasks', 'タスクとファイル');
  await page.locator('tbody tr').first().waitFor();
  must((await page.getByRole('link', { name: 'ファイルを登録' }).count()) === 0, 'a viewer is offered to send files');
  await rig.look(page, 'tasks-viewer-dark');
  await page.locator('tbody th a').first().click();
  await page.locator('.rows tbody tr').first().waitFor();
  must((await page.getByRole('button', { name: '取り込みを取り消す' }).count()) === 0, 'a viewer is offered an undo');
  await rig.look(page, 'task-viewer-dark', { widths: ['phone', 'desk'] });
  await view(page, 'upload', 'この画面を開く権限がありません');
  await rig.look(page, 'not-yours', { widths: ['phone'] });
  await secondFactor(rig, page, user);
  await page.getByRole('button', { name: 'ログアウト' }).click();
  await page.locator('.note', { hasText: 'ログアウトしました' }).waitFor();
  must((await page.evaluate(() => sessionStorage.length)) === 0, 'something is kept after the logout');
  await page.context().close();
}

export async function run(rig) {
  const made = rig.synth(16);
  await rig.setting('intake', 'release_two_officers: 1');
  const officer = await rig.staff('sato', 'officer'), other = await rig.staff('suzuki', 'officer'), watcher = await rig.staff('tanaka', 'viewer');
  const page = await rig.page({ cert: MUNI, by: 'officer' });
  await byKeyboard(rig, page);
  await wayIn(rig, page, officer);
  await files(rig, page, made);
  await held(rig, page, made, other);
  await undo(page);
  await brokenOff(page, made);
  await reload(page);
  await view(page, 'tasks', 'タスクとファイル');
  await page.locator('tbody tr').first().waitFor();
  await framesKeys(rig, page);
  await rig.look(page, 'tasks');
  await english(rig, page);
  await page.context().close();
  await Promise.all([viewer(rig, watcher), idle(rig, officer)]);
}
