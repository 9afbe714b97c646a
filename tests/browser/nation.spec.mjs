// The pages of the mock nation: a clinic's tablet, a citizen's phone, the map. All that they show was asked of the gateway that runs here.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { must, ROOT, until } from './rig.mjs';

export const rank = 60;

const MUNI = '271403', PROGRAM = 'covid-19-special', CLINIC = '3319900019';
const BIN = process.env.PMHGW_BIN ?? path.join(ROOT, 'build/release/bin');

// ---- a municipality whose residents have cards ----

const send = (rig, door, method, to, body, { cert, type = 'application/json', token } = {}) => new Promise((resolve, reject) => {
  const files = cert ? { cert: fs.readFileSync(path.join(rig.state, `certs/${cert}.pem`)), key: fs.readFileSync(path.join(rig.state, `certs/${cert}.key`)) } : {};
  const q = https.request(`${rig.url(door)}${to}`, { method, ...files, ca: fs.readFileSync(path.join(rig.state, 'certs/ca.pem')), headers: { ...(body ? { 'Content-Type': type } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) } }, (a) => {
    let text = '';
    a.setEncoding('utf8').on('data', (t) => { text += t; }).on('end', () => resolve({ status: a.statusCode, json: text.startsWith('{') ? JSON.parse(text) : null }));
  });
  q.on('error', reject).end(body);
});
const ask = (rig, to, body) => send(rig, 'control', 'POST', to, JSON.stringify(body));

async function settle(rig) {
  const data = path.join(rig.state, 'data'), pid = path.join(rig.state, 'run/pmhgw-mocks.pid');
  const synth = (...more) => execFileSync(path.join(BIN, 'pmhgw-synth'), ['--muni', MUNI, '--count', '40', '--seed', '20', '--out', data, ...more], { timeout: 60000 });
  synth();
  for (const form of ['vaccination', 'ticket']) synth('--form', form, '--no-cards');
  const cards = fs.readFileSync(path.join(data, `${MUNI}.cards.jsonl`), 'utf8').trim().split('\n').map((l) => JSON.parse(l));
  for (const c of cards) rig.numbers.add(c.my_number);
  const old = fs.readFileSync(pid, 'utf8');
  process.kill(Number(old)); // it reads the cards when it starts
  await until('the nation knows its cards', async () => { try { return fs.readFileSync(pid, 'utf8') !== old && (await send(rig, 'control', 'GET', '/cards')).json?.cards.length > 0; } catch { return false; } });
  rig.command('import', path.join(data, `${MUNI}.json`), '--muni', MUNI);
  for (const form of ['vaccination', 'ticket']) rig.command('import', path.join(data, `${MUNI}.${form}.json`), '--form', form, '--muni', MUNI);
  const token = (await send(rig, 'municipal', 'POST', '/oauth2/token', 'grant_type=client_credentials', { cert: `muni-${MUNI}`, type: 'application/x-www-form-urlencoded' })).json.access_token;
  const template = fs.readFileSync(path.join(ROOT, 'mocks/samples/yobo-1.json'));
  must((await send(rig, 'municipal', 'PUT', '/v1/vaccination/questionnaire-templates/yobo-1', template, { cert: `muni-${MUNI}`, token })).status < 300, 'the template was not taken');
  return { cards, tickets: JSON.parse(fs.readFileSync(path.join(data, `${MUNI}.ticket.json`), 'utf8')) };
}

// Somebody who has a certificate and a ticket that are good today
async function pick(rig, { cards, tickets }) {
  for (const card of cards.filter((c) => !c.not_disclosed && tickets.some((t) => t.municipalityIdentityKey === c.resident_key && t.vaccinationProgramId === PROGRAM))) {
    const heard = await until('an account of the citizen', async () => { const a = await ask(rig, '/portal/v1/eligibility', { card_serial: card.card_serial }); return a.status < 500 && a; });
    if (heard.status === 200) return card;
  }
  throw new Error('nobody has both');
}

// ---- the clinic ----

const button = (page, name) => page.getByRole('button', { name });
const lay = async (page, card) => { await page.locator('#q').fill(card.name); await page.locator(`[data-serial="${card.card_serial}"]`).click(); };

async function clinic(rig, card, hidden) {
  const page = await rig.page({ width: 'tablet', by: 'a clinic' });
  page.expected.push('404', '409', '422');
  await page.goto(`${rig.url('control')}/clinic`);
  await page.locator('.deck button').first().waitFor();
  await rig.look(page, 'clinic-reception', { axe: ['tablet'] });
  await lay(page, card);
  await page.getByLabel('診察・会計').check();
  await rig.look(page, 'clinic-consent', { widths: ['tablet'] });
  await button(page, '同意する').click();
  await page.locator('.cert').first().waitFor();
  await button(page, 'もう一度使う').click();
  await page.locator('.log .note.warn', { hasText: '使用済み' }).waitFor();
  await button(page, '模擬総合病院として使う').click();
  await page.locator('.log .note.info', { hasText: '表示できる情報はありません' }).waitFor();
  await rig.look(page, 'clinic-entitlement', { widths: ['phone', 'tablet'], axe: ['tablet'] });

  await button(page, '同意をとり直す').click();
  await page.getByLabel('予防接種', { exact: true }).check();
  await button(page, '同意する').click();
  await page.locator('#ticket').waitFor();
  await button(page, 'スマートフォンの接種券').click();
  await page.locator('.samples button', { hasText: '特例臨時' }).first().click();
  await page.locator('.note.ok', { hasText: '接種券を確認しました' }).waitFor();
  await button(page, '期限切れの箱').click();
  await page.getByLabel('接種への同意を確認').check();
  await button(page, 'この内容で記録する').click();
  await page.locator('.note.bad', { hasText: 'この接種は記録できません' }).waitFor();
  await button(page, 'ワクチンの箱').click();
  await button(page, 'この内容で記録する').click();
  await page.locator('tbody tr', { hasText: 'A1B2' }).waitFor();
  await rig.look(page, 'clinic-vaccination', { widths: ['tablet'] });
  await page.locator('tbody tr').getByRole('button', { name: '訂正' }).click();
  await page.locator('#c-lot').fill('B2C3');
  await page.locator('dialog button[type=submit]').click();
  await page.locator('tbody tr', { hasText: 'B2C3' }).waitFor();

  await button(page, 'カードを読み取る').click(); // somebody about whom nothing is told
  await lay(page, hidden);
  await button(page, '同意する').click();
  await page.locator('.chain .no').waitFor();
  await button(page, '予約患者の一括照会').click();
  await button(page, '全員を選ぶ').click();
  await button(page, '人を照会する').click();
  await page.locator('tbody .badge.ok').first().waitFor();
  await rig.look(page, 'clinic-list', { widths: ['tablet'] });
  return page;
}

async function doctor(rig, page, card) {
  await page.locator('.patient', { hasText: card.name }).click();
  await button(page, '予診票').click();
  if (await button(page, '読み直す').count()) await button(page, '読み直す').click();
  await page.locator('tr.alarm', { hasText: '体温' }).waitFor();
  await page.locator('#d-seen').selectOption('yes');
  await page.getByLabel('効果と副反応を説明した').check();
  await page.getByLabel('接種に同意を得た').check();
  await rig.look(page, 'clinic-questionnaire', { widths: ['tablet'] });
  await button(page, '通知').click(); // the gateway has told the clinic's app by itself
  await page.locator('.heard li', { hasText: '予診票を提出しました' }).first().waitFor();
  await rig.look(page, 'clinic-messages', { widths: ['tablet'] });
  await page.locator('dialog').getByRole('button', { name: '閉じる' }).click();
  await button(page, '予診を完了する').click();
  await page.locator('.badge.ok', { hasText: '予診済み' }).waitFor();
  await button(page, 'English').click();
  await rig.look(page, 'clinic-english', { widths: ['desk'], axe: [] });
}

// ---- the citizen ----

const go = (page, name) => page.locator('.bar button', { hasText: name }).click();

async function byKeyboard(rig, page, card) {
  await page.goto(`${rig.url('control')}/portal`);
  await page.locator('.deck button').first().waitFor();
  await rig.look(page, 'portal-login', { widths: ['phone', 'desk'], axe: ['phone'] });
  await page.setViewportSize({ width: 390, height: 844 });
  const stops = await rig.tabs(page, 3);
  must(stops.every((s) => s?.seen), `a stop without a visible focus: ${JSON.stringify(stops)}`);
  await page.keyboard.type(card.name);
  await page.locator(`[data-serial="${card.card_serial}"]`).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.locator('.pass').first().waitFor();
}

async function answer(page) {
  await go(page, '予診票');
  await page.locator('li.panel', { hasText: '特例臨時' }).getByRole('button', { name: '記入する' }).first().click();
  await page.getByLabel('体温').fill('37.8');
  for (const [question, say] of [['具合が悪いところ', 'いいえ'], ['1か月以内', 'いいえ'], ['じんましん', '軽いものがある'], ['これまでに', 'いいえ']]) await page.locator('fieldset', { hasText: question }).getByLabel(say).check();
}

async function citizen(rig, card) {
  const page = await rig.page({ width: 'phone', by: 'a citizen' });
  page.expected.push('404');
  await byKeyboard(rig, page, card);
  await page.locator('.news li', { hasText: '接種が記録されました' }).waitFor();
  await page.locator('.ticket').first().waitFor();
  await rig.look(page, 'portal-home', { axe: ['phone'] });
  await page.setViewportSize({ width: 390, height: 844 });
  await go(page, '接種記録');
  await button(page, '証明書を発行する').click();
  await page.locator('.shc img').waitFor();
  await page.locator('.plain .badge.ok', { hasText: '有効' }).waitFor();
  must(await page.locator('.shc img').evaluate((i) => i.naturalWidth > 0), 'the picture of the certificate is not shown');
  await rig.look(page, 'portal-certificate', { widths: ['phone'] });
  await answer(page);
  await rig.look(page, 'portal-questionnaire', { widths: ['phone'] });
  await button(page, '提出する').click();
  await page.locator('.badge.ok', { hasText: '提出済み' }).waitFor();
  return page;
}

// What the page's own code says of a good page of the log, and of each way to falsify it
async function falsified(page, card) {
  const said = await page.evaluate(async (serial) => {
    const { checkpoint, judge } = await import('/portal/proof.js');
    const doc = await (await fetch('/portal/v1/access-log', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ card_serial: serial, limit: '3' }) })).json();
    const { log_key: key } = await (await fetch('/portal/v1/log-key')).json();
    const tree = await checkpoint(doc.checkpoint, key), [entry] = doc.entries, proof = entry.proof;
    const other = key.replace(/.{6}\n$/, (t) => `${t[0] === 'A' ? 'B' : 'A'}${t.slice(1)}`);
    const refused = (note, k) => checkpoint(note, k).then(() => 'taken', () => 'refused');
    return {
      good: await judge(entry, tree), at: await judge({ ...entry, at: '2020-01-01T00:00:00.000Z' }, tree), event: await judge({ ...entry, event: 'token_issued' }, tree), result: await judge({ ...entry, result: 'failed' }, tree),
      index: await judge({ ...entry, proof: { ...proof, index: proof.index - 1 } }, tree), path: await judge({ ...entry, proof: { ...proof, path: [...proof.path.slice(1), proof.path[0]] } }, tree), short: await judge({ ...entry, proof: { ...proof, path: proof.path.slice(1) } }, tree),
      size: await judge(entry, { ...tree, size: tree.size * 2 }), nothing: await judge(entry, null), note: await refused(doc.checkpoint.replace(/\n(\d+)\n/, (t, n) => `\n${Number(n) + 1}\n`), key), key: await refused(doc.checkpoint, other),
    };
  }, card.card_serial);
  must(JSON.stringify(said) === JSON.stringify({ good: 'good', at: 'shown', event: 'shown', result: 'shown', index: 'path', path: 'path', short: 'path', size: 'path', nothing: 'signature', note: 'refused', key: 'refused' }), `what is falsified is told wrongly: ${JSON.stringify(said)}`);
}

async function control(rig, page) {
  await go(page, '見た人');
  await page.locator('.note.ok', { hasText: '署名された台帳にある' }).waitFor();
  must(await page.locator('.entry.ok').count() > 3 && await page.locator('.entry.bad').count() === 0, 'entries are not proved');
  await rig.look(page, 'portal-who-looked', { widths: ['phone'] });
  await page.setViewportSize({ width: 390, height: 844 });
  await button(page, '改ざんしてみる').click();
  await page.locator('.entry.bad', { hasText: '改ざんを検出' }).waitFor();
  await page.locator('.note.bad').waitFor();
  await rig.look(page, 'portal-tampered', { widths: ['phone'] });
  await button(page, '元に戻す').click();
  await page.locator('.note.ok', { hasText: '署名された台帳にある' }).waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), button(page, '証明書を保存する').click()]);
  const to = path.join(rig.dir, 'statement.json');
  await file.saveAs(to);
  execFileSync(path.join(BIN, 'pmhgw'), ['audit', 'check', to, '--key', path.join(rig.state, 'keys/audit.pub')], { env: rig.env() });
  await go(page, '同意');
  await page.locator('.plain').first().waitFor();
  await rig.look(page, 'portal-consents', { widths: ['phone'] });
  await button(page, 'すべて取り消す').click();
  await page.locator('dialog button[type=submit]').click();
  await page.locator('.badge.wait', { hasText: '取消し済み' }).first().waitFor();
  must(await button(page, '閲覧を終わらせる').count() === 0, 'a session outlived its consent');
}

// ---- the map ----

async function map(rig) {
  const page = await rig.page({ by: 'a visitor' });
  await page.goto(rig.desk('nation'));
  await page.locator('.did').waitFor();
  await page.locator('.scroll').focus();
  for (let i = 0; i < 6; i++) await page.keyboard.press('ArrowRight');
  await page.locator('.stopped').waitFor();
  must((await page.locator('.story [aria-current]').textContent()).includes('個人番号はここで止まります'), 'the list tells another step than the picture');
  await rig.look(page, 'map', { axe: ['phone'] });
  await page.locator('#f-pmh').selectOption('down');
  await page.locator('.place.faulty').waitFor();
  await rig.look(page, 'map-fault', { widths: ['desk'], axe: [] });
  await page.locator('#f-pmh').selectOption('none');
  await page.locator('.place.faulty').waitFor({ state: 'detached' });
  await button(page, '再生').click();
  await button(page, '一時停止').click();
  await button(page, 'English').click();
  await rig.look(page, 'map-english', { widths: ['desk'], axe: [] });
  const dark = await rig.page({ by: 'a visitor', scheme: 'dark' });
  await dark.goto(`${rig.url('control')}/map`);
  await dark.locator('.did').waitFor();
  await rig.look(dark, 'map-dark', { widths: ['desk'] });
}

export async function run(rig) {
  const town = await settle(rig);
  const card = await pick(rig, town);
  const tablet = await clinic(rig, card, town.cards.find((c) => c.not_disclosed) ?? town.cards.at(-1));
  const phone = await citizen(rig, card);
  await doctor(rig, tablet, card);
  await falsified(phone, card);
  await control(rig, phone);
  await map(rig);
}
