// One whole system (real daemons, mock nation) and one headless Chromium for all specs of this folder.
//
// Every page that a spec opens is watched from its first byte: what it writes to the console (a violation of the policy stands there), where its requests go.
// look() is what a page is judged by: no text without a translation, no individual number in the document, nothing that axe finds (WCAG 2.2 AA), a screenshot for people.
import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';

export const ROOT = path.resolve(import.meta.dirname, '../..');
const BIN = process.env.PMHGW_BIN ?? path.join(ROOT, 'build/release/bin');
const require = createRequire(path.join(ROOT, 'tests/npm/package.json'));
const { chromium } = require('playwright-core');
const axeSource = require('axe-core').source; // of @axe-core/playwright, whose own builder opens a page for each look
const WHOLE = process.argv.includes('--whole'); // half a minute for each long page
const PICTURES = process.argv.includes('--shots');

export const WIDTHS = { phone: [390, 844], tablet: [820, 1180], desk: [1360, 900] };
export const OFFSET = { municipal: 1, clinic: 2, portal: 3, control: 10, desk: 20 };
const SHOTS = path.join(ROOT, 'build/browser');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

export const sleep = (ms) => new Promise((r) => { setTimeout(r, ms); });

// Asks until the answer is true
export async function until(what, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(50);
  }
}

export function must(condition, what) {
  if (!condition) throw new Error(what);
}

const free = (port) => new Promise((resolve) => {
  const s = net.createServer();
  s.once('error', () => resolve(false));
  s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
});

const bases = new Set(); // of the systems of this run

async function freeBase() {
  for (let tries = 0; tries < 100; tries++) {
    const base = 30000 + 25 * Math.floor(Math.random() * 80);
    if (bases.has(base)) continue;
    bases.add(base);
    const all = await Promise.all([1, 2, 3, ...Array.from({ length: 11 }, (_, i) => 10 + i)].map((o) => free(base + o)));
    if (all.every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

// How an individual number could stand in a document
function forms(number) {
  const full = [...number].map((c) => String.fromCharCode(0xff10 + Number(c))).join('');
  const fours = [0, 4, 8].map((i) => number.slice(i, i + 4));
  return [number, [...number].reverse().join(''), full, fours.join(' '), fours.join('-'), Buffer.from(number).toString('hex'), Buffer.from(number).toString('base64').slice(0, 15)];
}

export class Rig {
  constructor() {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pmhgw-browser-'));
    this.state = path.join(this.dir, 'state');
    this.numbers = new Set();
    this.users = {};
    this.walked = []; // [page, who, width]
    this.findings = [];
    this.checks = 0;
    this.violations = 0;
  }

  // ---- life ----

  async start() {
    this.base = await freeBase();
    this.log = path.join(this.dir, 'up.log');
    const log = fs.openSync(this.log, 'a');
    this.process = spawn(path.join(BIN, 'pmhgw'), ['up', '--mocks', '--state', this.state, '--base-port', String(this.base), '--workers', '1'], { stdio: ['ignore', log, log], env: this.env() });
    this.ended = new Promise((resolve) => { this.process.once('exit', resolve); });
    const browser = chromium.launch({ executablePath: process.env.PMHGW_CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
    await until(`pmhgw up is ready; see ${this.log}`, () => {
      must(this.process.exitCode === null, `pmhgw up ended: ${fs.readFileSync(this.log, 'utf8').slice(-2000)}`);
      return fs.existsSync(path.join(this.state, 'run/ready'));
    }, 90);
    this.browser = await browser;
    fs.mkdirSync(SHOTS, { recursive: true });
    return this;
  }

  async stop() {
    await this.browser?.close();
    if (this.process && this.process.exitCode === null) {
      this.process.kill('SIGINT');
      await Promise.race([this.ended, sleep(20000)]);
      if (this.process.exitCode === null) this.process.kill('SIGKILL');
    }
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  env() {
    return { PMHGW_SHARE: path.join(ROOT, 'config'), ...process.env, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', SOFTHSM2_CONF: path.join(this.state, 'softhsm2.conf') };
  }

  // One pmhgw command; its output
  command(...argv) {
    return execFileSync(path.join(BIN, 'pmhgw'), [...argv, '--state', this.state], { env: this.env(), encoding: 'utf8', timeout: 60000 });
  }

  // A daemon with other settings: "release_two_officers: 1"
  async setting(daemon, ...lines) {
    const pid = () => { try { return fs.readFileSync(path.join(this.state, `run/pmhgw-${daemon}.pid`), 'utf8').trim(); } catch { return ''; } };
    const before = pid();
    fs.appendFileSync(path.join(this.state, `conf/${daemon}.yaml`), lines.map((l) => `${l}\n`).join(''));
    process.kill(Number(before), 'SIGKILL');
    await until(`pmhgw-${daemon} is back`, () => pid() && pid() !== before);
    await until('everything answers', () => { try { this.command('status', '--quick'); return true; } catch { return false; } });
  }

  url(door) { return `https://127.0.0.1:${this.base + OFFSET[door]}`; }

  // URL of a way of the desk (mocks/desk): for browsers without a certificate. "console", "clinic" ...
  desk(name) {
    const line = fs.readFileSync(path.join(this.state, 'mocks/desk'), 'utf8').split('\n').find((l) => l.startsWith(`${name}\t`));
    return line.split('\t')[1];
  }

  // ---- the people in it ----

  // Rows of a synthetic municipality; their numbers are canaries
  synth(count, { muni = '331007', seed = 1 + Math.floor(Math.random() * 1e9) } = {}) {
    const out = path.join(this.dir, `synth-${seed}`);
    for (const form of [[], ['--csv']]) execFileSync(path.join(BIN, 'pmhgw-synth'), ['--muni', muni, '--count', String(count), '--seed', String(seed), ...form, '--out', out], { timeout: 60000 });
    this.otherKeys(out, muni);
    const rows = JSON.parse(fs.readFileSync(path.join(out, `${muni}.json`), 'utf8'));
    for (const row of rows) this.numbers.add(row.myNumber);
    return { rows, csv: path.join(out, `${muni}.csv`), cards: path.join(out, `${muni}.cards.jsonl`) };
  }

  // The generator counts resident keys from the same first one each time: two calls would tie one key to two numbers. Those of each call begin differently here.
  otherKeys(out, muni) {
    this.made = (this.made ?? 1) + 1;
    const keys = JSON.parse(fs.readFileSync(path.join(out, `${muni}.json`), 'utf8')).map((r) => r.municipalityIdentityKey).filter(Boolean);
    for (const name of [`${muni}.json`, `${muni}.csv`]) {
      let text = fs.readFileSync(path.join(out, name), 'utf8');
      for (const key of new Set(keys)) text = text.replaceAll(key, `9${this.made}${key.slice(2)}`);
      fs.writeFileSync(path.join(out, name), text);
    }
  }

  // A member of staff with a password of its own. more: options of `pmhgw staff add`
  async staff(id, role, more = ['--programs', '*']) {
    const told = JSON.parse(this.command('staff', 'add', '331007', id, '--role', role, '--name', id, ...more, '--json'));
    this.users[id] = { id, once: told.one_time_password, password: null };
    return this.users[id];
  }

  // Screenshots of what a spec that failed has open
  async failed(name) {
    const pages = this.browser.contexts().flatMap((c) => c.pages()).map((page, i) => [page, path.join(SHOTS, `failed-${name}-${i}.png`)]);
    for (const [page, to] of pages) await page.screenshot({ path: to, timeout: 5000 }).catch(() => null);
    return pages.map(([, to]) => path.relative(ROOT, to));
  }

  // ---- pages ----

  // A page of a browser of its own. cert: name in certs/ shown to the doors; by: what findings are told with
  async page({ width = 'desk', cert = null, by = 'somebody', scheme = 'light', lang = 'ja' } = {}) {
    const [w, h] = WIDTHS[width];
    const files = cert && { certPath: path.join(this.state, 'certs', `${cert}.pem`), keyPath: path.join(this.state, 'certs', `${cert}.key`) };
    const context = await this.browser.newContext({
      viewport: { width: w, height: h }, ignoreHTTPSErrors: true, locale: lang === 'ja' ? 'ja-JP' : 'en-GB', timezoneId: 'Asia/Tokyo', colorScheme: scheme, reducedMotion: 'reduce', acceptDownloads: true,
      clientCertificates: files ? ['municipal', 'clinic', 'portal'].map((door) => ({ origin: this.url(door), ...files })) : undefined,
    });
    context.setDefaultTimeout(45000);
    context.on('page', (opened) => { // this one, and those that it opens
      opened.by = by;
      this.watch(opened);
    });
    return context.newPage();
  }

  watch(page) {
    page.expected = []; // messages of the browser's console that are no finding: refusals that a spec provokes
    page.on('console', (m) => {
      if (!['error', 'warning'].includes(m.type()) || page.expected.some((x) => m.text().includes(x))) return;
      this.findings.push(`${page.by}: the browser's console: ${m.text()}`);
    });
    page.on('pageerror', (e) => this.findings.push(`${page.by}: error in the page: ${e.message}`));
    page.on('request', (r) => {
      const url = new URL(r.url());
      if (!['data:', 'blob:'].includes(url.protocol) && url.hostname !== '127.0.0.1' && !url.hostname.endsWith('.localhost')) this.findings.push(`${page.by}: a request leaves the host: ${url.host}`);
      for (const n of this.numbers) if (r.url().includes(n)) this.findings.push(`${page.by}: a number in an address`);
    });
  }

  // Judges what is shown now, at each width; name: of the page in findings and pictures. shown: numbers that may stand there (revealed); shot 'window': of what the window shows, for
  // pages that are too long for a picture
  async look(page, name, { widths = Object.keys(WIDTHS), shown = [], shot = true, axe = widths.filter((w) => w !== 'tablet' || widths.length === 1), alike = '' } = {}) {
    for (const width of widths) {
      const [w, h] = WIDTHS[width];
      await page.setViewportSize({ width: w, height: h });
      await this.judge(page, `${name} (${page.by}, ${width})`, shown, axe.includes(width), alike);
      if (shot && PICTURES) await page.screenshot({ path: path.join(SHOTS, `${name}-${width}.png`), fullPage: shot !== 'window' && width !== 'desk' });
      this.walked.push([name, page.by, width]);
    }
  }

  // alike: what axe need not see, because it is of one make with what it does see; with --whole it sees all
  async judge(page, name, shown, axe, alike = '') {
    const found = await page.evaluate(() => ({
      text: document.documentElement.outerHTML, values: [...document.querySelectorAll('input, textarea')].map((e) => e.value).join('\n'),
      kept: JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, location.href, document.title]),
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    }));
    this.checks++;
    const all = found.text + found.values + found.kept;
    for (const n of this.numbers) if (!shown.includes(n) && forms(n).some((f) => all.includes(f))) this.findings.push(`${name}: an individual number is in the document`);
    for (const key of new Set(found.text.match(/⟦[^⟧]*⟧/g) ?? [])) this.findings.push(`${name}: no text for ${key}`);
    for (const word of ['undefined', 'NaN', '[object Object]']) if (new RegExp(`>[^<]*${word.replace('[', '\\[')}`).test(found.text)) this.findings.push(`${name}: "${word}" is shown`);
    if (found.wide > 0) this.findings.push(`${name}: the page is ${found.wide} px wider than the window`);
    if (axe) {
      if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(axeSource);
      const { violations } = await page.evaluate(async ([tags, out]) => {
        const away = out ? [...document.querySelectorAll(out)].map((e) => [e, document.createComment('')]) : []; // what axe passes over costs as much as what it sees
        for (const [e, place] of away) e.replaceWith(place);
        const seen = await globalThis.axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'], iframes: false });
        for (const [e, place] of away.reverse()) place.replaceWith(e);
        return seen;
      }, [TAGS, WHOLE ? '' : alike]);
      for (const v of violations) {
        this.violations++;
        this.findings.push(`${name}: axe: ${v.id} (${v.impact}): ${v.help}: ${v.nodes.slice(0, 3).map((x) => `${x.target} ${x.any?.[0]?.message ?? ''}`).join(' | ')}`);
      }
    }
  }

  // The judge itself: a page with every fault must be found guilty of each. Nothing of it counts.
  async judgeIsAwake() {
    const before = { ...this, numbers: this.numbers, findings: this.findings };
    Object.assign(this, { findings: [], numbers: new Set(['12345678901x']), violations: 0 });
    const page = await this.page({ by: 'the judge', width: 'phone' });
    await page.route('http://judge.localhost/', (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: '<!doctype html><html lang="ja"><title>x</title><main><h1>x</h1><input value="12345678901x"><p>⟦no.text⟧</p><p>undefined</p><div style="width:900px">x</div></main>' }));
    await page.goto('http://judge.localhost/');
    await page.evaluate(() => console.error('a fault'));
    await page.evaluate(() => fetch('https://elsewhere.invalid/').catch(() => null));
    await this.judge(page, 'a bad page', [], true);
    await page.context().close();
    const { findings } = this;
    Object.assign(this, before);
    for (const what of ['individual number', '⟦no.text⟧', '"undefined"', 'wider than the window', 'axe: label', 'a fault', 'leaves the host']) must(findings.some((f) => f.includes(what)), `the judge overlooks: ${what}; it found ${findings.join(' | ')}`);
  }

  // What a person without a mouse meets: [text or label of each stop] of n presses of Tab
  async tabs(page, n) {
    const stops = [];
    for (let i = 0; i < n; i++) {
      await page.keyboard.press('Tab');
      stops.push(await page.evaluate(() => {
        const e = document.activeElement;
        if (!e || e === document.body) return null;
        const seen = e.matches(':focus-visible') && getComputedStyle(e).outlineStyle !== 'none';
        return { name: (e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent || e.id).trim().replace(/\s+/g, ' ').slice(0, 40), seen };
      }));
    }
    return stops;
  }
}
