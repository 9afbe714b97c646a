// What whoever is responsible looks at: overview with charts, residents, certificates, operation log, users; as an administrator, an officer of one program, a viewer;
// and the way in for a browser without a certificate (mocks/desk).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { must, until } from './rig.mjs';
import { login, view } from './console.mjs';

export const rank = 20;

const MUNI = 'muni-331007';

// Rows of residents who are registered
function registered(rig) {
  const made = rig.synth(12);
  rig.command('import', path.join(path.dirname(made.cards), '331007.json'), '--muni', '331007');
  return made.rows.filter((r) => r.municipalityIdentityKey);
}

// Two days in which something happened, as pmhgw-intake keeps them; four hours of the night in which the gateway did not run
function hours(rig) {
  const now = Math.floor(Date.now() / 3600000), lines = [];
  for (let back = 1; back < 48; back++) {
    const of = (now - back + 9) % 24, day = Math.max(0, Math.sin(((of - 6) / 14) * Math.PI));
    if (back > 26 && back <= 30) continue;
    const counts = { registered: day * 900, updated: day * 340, unchanged: day * 200, refused: day * 22, quarantined: day * 9, told_clinic: day * 410, told_citizen: day * 120 + 8, requests_refused: of % 5, oldest_s: of === 2 ? 5400 : day * 240 };
    lines.push(`HSET cs:331007:${now - back} seen 1 ${Object.entries(counts).map(([k, v]) => `${k} ${Math.round(v * (1 + (back % 3) / 9))}`).join(' ')}`);
  }
  const password = fs.readFileSync(path.join(rig.state, 'keys/redis-link-intake.pass'), 'utf8').trim();
  const said = execFileSync('redis-cli', ['-s', path.join(rig.state, 'run/redis-link.sock'), '--user', 'intake', '--pass', password, '--no-auth-warning'], { input: `${lines.join('\n')}\n`, encoding: 'utf8' });
  must(said.trim().split('\n').length === lines.length && !/[A-Z]{3}/.test(said), `redis-cli: ${said.slice(0, 200)}`);
}

async function overview(rig, page) {
  await view(page, 'overview', '概況');
  await page.locator('.note.ok', { hasText: 'すべて正常' }).waitFor();
  await page.locator('#plot-rows canvas').waitFor();
  must((await page.getAttribute('#plot-rows', 'aria-label')).includes('反映: 合計'), 'the chart says nothing to whoever does not see it');
  await rig.look(page, 'overview');
  must((await page.locator('.plot canvas').count()) === 4, 'each chart is drawn');
  must((await page.locator('figure', { hasText: '処理した行' }).locator('td', { hasText: '記録なし' }).count()) === 4 * 4, 'hours that nobody knows are told as such');
  await page.locator('figure', { hasText: '処理した行' }).locator('summary').click();
  must((await page.locator('figure', { hasText: '処理した行' }).locator('tbody tr').count()) === 48, 'the chart as a table has an hour a row');
}

async function certificates(rig, page) {
  await view(page, 'certificates', '証明書の期限');
  await page.locator('.month').first().waitFor();
  must((await page.locator('tbody tr', { hasText: 'このシステム' }).count()) === 1, 'the certificate of this system is in the list');
  await rig.look(page, 'certificates', { axe: ['phone'] });
}

async function users(rig, page) {
  await view(page, 'users', '利用者と権限');
  await page.getByRole('button', { name: '利用者を追加' }).click();
  await page.locator('#user-id').fill('Not An Id');
  await page.locator('#user-name').fill('開発　花子');
  await page.locator('dialog button[type=submit]').click();
  await page.locator('#user-id-wrong', { hasText: '英小文字' }).waitFor();
  await page.locator('#user-id').fill('new-officer');
  await page.locator('#user-role').selectOption('officer');
  await page.locator('dialog input[value=medical_subsidy]').check();
  await rig.look(page, 'users-add', { widths: ['phone', 'desk'], axe: ['desk'] });
  await page.locator('dialog button[type=submit]').click();
  await page.locator('output.once').waitFor();
  const once = await page.locator('output.once').innerText();
  must(once.length >= 16, 'a one-time password is shown');
  await rig.look(page, 'users-once', { widths: ['desk'], shot: false });
  await page.locator('dialog').getByRole('button', { name: '閉じる' }).click();
  await page.locator('tbody tr', { hasText: 'new-officer' }).waitFor();
  must(!(await page.content()).includes(once), 'the one-time password is still in the page');
  await rig.look(page, 'users');
  const row = page.locator('tbody tr', { hasText: 'new-officer' });
  await row.getByRole('button', { name: '変更' }).click();
  await page.locator('#user-until').fill('2099-03-31');
  await page.locator('dialog button[type=submit]').click();
  await row.filter({ hasText: '2099' }).waitFor();
  await row.getByRole('button', { name: '利用停止' }).click();
  await page.locator('dialog button[type=submit]').click();
  await until('who was withdrawn is not in the list', async () => (await row.count()) === 0);
  must((await page.locator('tbody tr', { hasText: 'あなた' }).getByRole('button').count()) === 0, 'an administrator is offered to change itself');
}

async function log(rig, page) {
  await view(page, 'log', '操作記録');
  await page.locator('table.log tbody tr').first().waitFor();
  await page.locator('.note.ok', { hasText: 'ハッシュ木' }).waitFor();
  must((await page.locator('.badge.bad', { hasText: '不一致' }).count()) === 0, 'a proof does not hold');
  await page.locator('#log-key').setInputFiles(path.join(rig.state, 'keys/audit.pub'));
  await page.locator('.note.ok', { hasText: '署名も確認済み' }).waitFor();
  await rig.look(page, 'log', { axe: ['desk'] });
  const other = path.join(rig.dir, 'other.pub');
  const key = fs.readFileSync(path.join(rig.state, 'keys/audit.pub'), 'utf8');
  fs.writeFileSync(other, key.replace(/\+([0-9a-f]{8})\+(.{10})/, (all, id, start) => `+${id}+${start.slice(0, 9)}${start[9] === 'A' ? 'B' : 'A'}`));
  await page.locator('#log-key').setInputFiles(other);
  await page.locator('.note.bad', { hasText: '署名が公開鍵と合いません' }).waitFor();
  await page.locator('#log-event').selectOption('staff_changed');
  await until('only changes of users are shown', async () => (await page.locator('table.log tbody tr').count()) > 0 && (await page.locator('table.log tbody tr').filter({ hasNotText: '利用者の変更' }).count()) === 0);
  await page.locator('table.log tbody tr').first().locator('summary').click();
  await page.locator('#log-word').fill('no-such-actor');
  await page.locator('.empty', { hasText: '条件に合う記録はありません' }).waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'ファイルに保存' }).click()]);
  const kept = path.join(rig.dir, 'log.jsonl');
  await file.saveAs(kept);
  must(rig.command('audit', 'check', kept, '--key', path.join(rig.state, 'keys/audit.pub')).length > 0, 'the export is checked');
  must([...rig.numbers].every((n) => !fs.readFileSync(kept, 'utf8').includes(n)), 'a number in the export');
}

async function residents(rig, user, rows) {
  const page = await rig.page({ cert: MUNI, by: 'admin' });
  await page.clock.install();
  await login(rig, page, user);
  await view(page, 'residents', '住民');
  await page.locator('#res-key').fill('123456789012');
  await page.getByRole('button', { name: 'この内容で設定' }).click();
  await page.locator('#res-key-wrong', { hasText: '個人番号と思われる値' }).waitFor();
  await page.locator('#res-key').fill(rows[0].municipalityIdentityKey);
  await inForce(page, 'この自治体が設定した制御はありません');
  await page.locator('input[name=isNotDisclosed]').check();
  await page.locator('#flags-reason').selectOption('protection');
  await rig.look(page, 'residents', { axe: ['phone'] });
  await page.getByRole('button', { name: 'この内容で設定' }).click();
  await page.locator('dialog', { hasText: '不開示' }).waitFor();
  await page.locator('dialog button[type=submit]').click();
  await page.locator('.toast', { hasText: '制御を設定しました' }).waitFor();
  await flagsRead(rig, page, rows);
  await shown(rig, page, rows[0].myNumber);
  await erased(rig, page, rows[1].municipalityIdentityKey);
  await page.context().close();
}

async function inForce(page, text) {
  await page.getByRole('button', { name: '現在の設定を確認' }).click();
  await page.locator('#flags-now', { hasText: text }).waitFor();
}

// What is set is shown when it is asked for, of the resident whose key stands there and of nobody else
async function flagsRead(rig, page, rows) {
  const now = page.locator('#flags-now'), set = page.locator('input[name=isNotDisclosed]');
  await now.filter({ hasText: '不開示' }).filter({ hasText: '支援措置' }).waitFor(); // it was asked before: what was set since is shown
  await page.locator('#res-key').fill('no-such-resident');
  await until('another key has no flags shown', async () => (await now.textContent()).trim() === '');
  page.expected.push('404');
  await inForce(page, 'その自治体別本人キーの住民は登録されていません');
  await page.locator('#res-key').fill(rows[0].municipalityIdentityKey);
  await set.uncheck();
  await inForce(page, '支援措置');
  must(await set.isChecked() && !(await page.locator('input[name=isViewingStopped]').isChecked()), 'the boxes are not as the flags are');
  await rig.look(page, 'residents-flags', { axe: ['phone'] });
}

async function shown(rig, page, digits) {
  const ask = async () => {
    await page.getByRole('button', { name: '記録して表示' }).first().click();
    await page.locator('dialog button[type=submit]').click();
    await page.locator('output.number').waitFor();
    must((await page.locator('output.number').innerText()).replaceAll(' ', '') === digits, 'this is not its number');
  };
  const gone = async () => (await page.locator('output.number').count()) === 0 && !(await page.evaluate(() => document.documentElement.outerHTML)).replaceAll(' ', '').includes(digits);
  await ask();
  await rig.look(page, 'residents-revealed', { widths: ['phone', 'desk'], shown: [digits], axe: ['desk'] });
  await page.clock.runFor(31000);
  await until('the number is gone after 30 seconds', gone);
  await ask();
  await page.getByRole('button', { name: '今すぐ消す' }).click();
  await until('the number is gone when it is hidden', gone);
  await ask();
  await view(page, 'overview', '概況');
  await until('the number is gone with its page', gone);
  await view(page, 'residents', '住民');
}

async function erased(rig, page, key) {
  await page.locator('#res-key').fill(key);
  await page.locator('#erase-reason').selectOption('moved_away');
  await page.getByRole('button', { name: '消去する' }).click();
  await page.locator('#erase-again').fill(`${key}x`);
  await page.locator('dialog button[type=submit]').click();
  await page.locator('#erase-wrong', { hasText: '一致しません' }).waitFor();
  await rig.look(page, 'residents-erase', { widths: ['phone', 'desk'], axe: ['desk'] });
  await page.locator('#erase-again').fill(key);
  await page.locator('dialog button[type=submit]').click();
  await page.locator('.toast', { hasText: '消去しました' }).waitFor();
}

// What cannot be loaded is said, and is gone with the next answer; a page that somebody has left keeps nobody waiting
async function unanswered(page) {
  page.expected.push('ERR_FAILED');
  const said = page.locator('main .note.bad', { hasText: 'ゲートウェイから応答がありません' });
  for (const [address, heading, asked, byItself] of [['overview', '概況', '**/v1/console/overview', true], ['tasks', 'タスクとファイル', '**/v1/tasks', true],
    ['certificates', '証明書の期限', '**/v1/console/certificates', false], ['users', '利用者と権限', '**/v1/staff/users', false]]) {
    await page.route(asked, (route) => route.abort());
    await view(page, address, heading);
    await said.waitFor();
    must((await page.locator('main .part, main table.cards').count()) === 0, `${address}: nothing was loaded`);
    await page.unroute(asked);
    if (!byItself) {
      await view(page, 'upload', 'ファイルの登録');
      await view(page, address, heading);
    }
    await said.waitFor({ state: 'detached' });
    await page.locator('main .part, main table.cards tbody tr').first().waitFor();
  }
}

async function others(rig, limited, viewer) {
  const page = await rig.page({ cert: MUNI, by: 'officer of one program' });
  await login(rig, page, limited);
  await view(page, 'overview', '概況');
  await page.locator('p', { hasText: '担当する業務だけ' }).or(page.locator('span', { hasText: '担当する業務だけ' })).first().waitFor();
  must((await page.locator('.plot').count()) === 0, 'the hours of all programs are shown to who is in charge of one');
  await rig.look(page, 'overview-limited', { widths: ['phone'] });
  await view(page, 'residents', '住民');
  must((await page.locator('#res-purpose').count()) === 0 && (await page.locator('#erase-reason').count()) === 0, 'a reveal or an erasure is offered to who may not');
  await view(page, 'log', 'この画面を開く権限がありません');
  await page.context().close();
  const other = await rig.page({ cert: MUNI, by: 'viewer' });
  await login(rig, other, viewer);
  for (const to of ['users', 'log', 'residents']) await view(other, to, 'この画面を開く権限がありません');
  must((await other.locator('nav#nav a[href^="#"]').count()) === 3, 'a viewer sees overview, tasks and certificates');
  must((await other.locator('nav#nav a[href="/console/api"]').count()) === 1, 'everybody finds the description of the API');
  await other.getByRole('button', { name: 'English' }).click();
  await view(other, 'overview', 'Overview');
  await other.locator('#plot-rows canvas').waitFor();
  await rig.look(other, 'overview-english', { widths: ['phone'] });
  await other.context().close();
}

// No certificate, no port of the gateway: the URL that is printed at the start
async function desk(rig, user) {
  const page = await rig.page({ by: 'at the desk', scheme: 'dark' });
  await page.goto(rig.desk('console'));
  await page.locator('input[name=user]').fill(user.id);
  await page.locator('input[name=password]').fill(user.password);
  await page.locator('button[type=submit]').click();
  await page.locator('.note.ok', { hasText: 'すべて正常' }).waitFor();
  await page.locator('#plot-rows canvas').waitFor();
  await rig.look(page, 'overview-dark', { widths: ['desk'] });
  await page.context().close();
}

export async function run(rig) {
  const rows = registered(rig);
  hours(rig);
  const [admin, limited, viewer] = await Promise.all([rig.staff('chief', 'admin', ['--programs', '*', '--reveal']), rig.staff('officer-2', 'officer', ['--programs', 'immunization']), rig.staff('viewer-2', 'viewer')]);
  const page = await rig.page({ cert: MUNI, by: 'admin' });
  await login(rig, page, admin);
  await overview(rig, page);
  await certificates(rig, page);
  await users(rig, page);
  await log(rig, page);
  await unanswered(page);
  await page.context().close();
  await residents(rig, admin, rows);
  await others(rig, limited, viewer);
  await desk(rig, admin);
}
