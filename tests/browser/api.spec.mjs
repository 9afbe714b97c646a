// The description of the API: found from the console by an officer, read by an integrator with the certificate of its system. Nothing runs in these pages.
import { must, WIDTHS } from './rig.mjs';
import { login } from './console.mjs';

export const rank = 40;

const MUNI = 'muni-331007';
const DOORS = { // an operation of each, what its answer is called, a code that it may refuse with
  municipal: { title: '自治体の窓口', operation: 'setControlFlags', refused: 'unknown_resident' },
  clinic: { title: '医療機関の窓口', operation: 'readSession', refused: 'no_session' },
  portal: { title: 'ポータルの窓口', operation: 'listConsents', refused: 'nothing' },
};

const index = (rig) => `${rig.url('municipal')}/console/api`;

// The officer's way: a link in the frame, in the language of the console, to a page of its own
async function fromTheConsole(rig, user) {
  const page = await rig.page({ cert: MUNI, by: 'officer' });
  await login(rig, page, user);
  await page.locator('nav#nav a', { hasText: 'API仕様' }).waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'English' }).click();
  const [opened] = await Promise.all([page.waitForEvent('popup'), page.locator('nav#nav a', { hasText: 'API reference' }).click()]);
  await opened.locator('h1', { hasText: 'pmhgw API' }).waitFor();
  must(opened.url() === index(rig) && (await opened.evaluate(() => window.opener)) === null, 'it is the index, and knows nothing of the console');
  must((await opened.locator('.doors li').count()) === Object.keys(DOORS).length + 1, 'a card for each door, and one for the errors');
  await judged(rig, opened, 'api');
  await page.context().close();
}

// What holds for each of the pages
async function judged(rig, page, name, more = {}) {
  must((await page.locator('script').count()) === 0, `${name}: a program in a page that needs none`);
  await said(page, name);
  await rig.look(page, name, { shot: 'window', alike: 'main section:nth-of-type(n+4), main tbody tr:nth-of-type(n+13)', ...more });
  for (const [width, [w, h]] of Object.entries(WIDTHS)) {
    await page.setViewportSize({ width: w, height: h });
    const cut = await page.evaluate(() => [...document.querySelectorAll('.table')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => (e.closest('section') ?? e.parentNode).id));
    must(cut.length === 0, `${name}, ${width}: tables are cut off in ${cut}`);
  }
}

// Both languages stand beside each other: what is English alone is said to be, for who hears the page
async function said(page, name) {
  const wrong = await page.evaluate(() => {
    const japanese = /[\u3040-\u30ff\u4e00-\u9fff]/, words = (e) => {
      const copy = e.cloneNode(true);
      for (const c of copy.querySelectorAll('code')) c.remove();
      return copy.textContent;
    };
    const english = (e) => /[a-z]{2}/i.test(words(e)) && !japanese.test(words(e));
    return [...document.querySelectorAll('main p, main td')].filter((e) => english(e) !== (e.closest('[lang]').lang === 'en')).map((e) => e.textContent.slice(0, 60));
  });
  must(wrong.length === 0, `${name}: the language is not said, or wrongly: ${wrong.slice(0, 3).join(' | ')}`);
}

// Where the address leads is shown beneath the header, and marked
async function ledTo(page, id, marked) {
  await page.waitForURL(new RegExp(`#${id}$`));
  await page.locator(marked).waitFor();
  const at = await page.evaluate((to) => ({ top: document.getElementById(to).getBoundingClientRect().top, head: document.querySelector('header').getBoundingClientRect().bottom, high: innerHeight }), id);
  must(at.top > at.head - 1 && at.top < at.high / 2, `${id} is not where one looks: ${JSON.stringify(at)}`);
}

async function operation(rig, page, door, { operation: id, refused }) {
  for (const [width, [w, h]] of Object.entries(WIDTHS)) {
    await page.goto(`${index(rig)}/${door}.html`);
    await page.setViewportSize({ width: w, height: h });
    await page.locator(`nav.toc a[href="#${id}"]`).click();
    await ledTo(page, id, `section:target[id="${id}"]`);
    await rig.look(page, `api-${door}-operation`, { widths: [width], shot: 'window', axe: [] });
  }
  const section = page.locator(`section[id="${id}"]`), more = section.locator('details').first();
  if (await more.count()) {
    await more.locator('summary').focus();
    await page.keyboard.press('Enter');
    await more.locator('table, pre').first().waitFor();
  }
  await section.locator(`a[href$="errors.html#${refused}"]`).click();
  await ledTo(page, refused, `tr:has(:target) th:has-text("${refused}")`);
}

// As one document for programs: as many operations as the page has
async function forPrograms(page, door) {
  const sections = await page.locator('main section').count(), methods = ['get', 'put', 'post', 'delete'];
  const [kind, doc] = await page.locator(`main a[href$="${door}.json"]`).evaluate(async (a) => {
    const answer = await fetch(a.href);
    return [answer.headers.get('content-type'), await answer.json()];
  });
  must(kind.startsWith('application/json') && doc.openapi.startsWith('3.1'), `${door}.json is no OpenAPI 3.1`);
  const told = Object.values(doc.paths).flatMap((item) => methods.filter((m) => item[m])).length;
  must(sections > 10 && told === sections, `${door}: ${told} operations in JSON, ${sections} in the page`);
}

async function described(rig, door, about) {
  const page = await rig.page({ cert: MUNI, by: 'integrator' });
  await page.goto(index(rig));
  await page.locator('.doors a', { hasText: about.title }).click();
  await page.locator('h1', { hasText: about.title }).waitFor();
  await judged(rig, page, `api-${door}`);
  await forPrograms(page, door);
  await operation(rig, page, door, about);
  await page.context().close();
}

async function errors(rig) {
  const page = await rig.page({ cert: MUNI, by: 'integrator', scheme: 'dark' });
  await page.goto(index(rig));
  await page.keyboard.press('Tab');
  must((await page.evaluate(() => document.activeElement.getAttribute('href'))) === '#main', 'the first stop leads past the navigation');
  await page.locator('header a', { hasText: 'エラー一覧' }).click();
  await page.locator('h1', { hasText: 'エラー一覧' }).waitFor();
  await judged(rig, page, 'api-errors-dark');
  await page.context().close();
}

export async function run(rig) {
  const officer = await rig.staff('reader', 'officer');
  await Promise.all([fromTheConsole(rig, officer).then(() => errors(rig)), described(rig, 'municipal', DOORS.municipal), ...['clinic', 'portal'].map((door) => described(rig, door, DOORS[door]))]);
}
