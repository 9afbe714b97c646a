// How specs of the console get in.
import { must } from './rig.mjs';

const PASSWORDS = {};

// Fills the login form; a user who has a one-time password is led on to set one of its own
export async function login(rig, page, user) {
  await page.goto(`${rig.url('municipal')}/console`);
  await enter(page, user);
  if (!user.password) {
    await page.locator('input[name=fresh]').waitFor();
    await ownPassword(page, user);
  }
  await page.locator('nav#nav').waitFor({ state: 'attached' });
}

export async function enter(page, user) {
  await page.locator('input[name=user]').fill(user.id);
  await page.locator('input[name=password]').fill(user.password ?? user.once);
  await page.locator('button[type=submit]').click();
}

export async function ownPassword(page, user, then = 'nav#nav') {
  const fresh = (PASSWORDS[user.id] ??= `Correct horse ${user.id} ${Math.random().toString(36).slice(2)}`);
  await page.locator('input[name=now]').fill(user.once);
  await page.locator('input[name=fresh]').fill(fresh);
  await page.locator('input[name=again]').fill(fresh);
  await page.locator('button[type=submit]').click();
  await page.locator(then).waitFor({ state: 'attached' });
  user.password = fresh;
}

// Goes to a view and waits for its heading
export async function view(page, address, heading) {
  await page.evaluate((to) => { location.hash = `#/${to}`; }, address);
  await page.locator('main h1', { hasText: heading }).waitFor();
}

// The rows of a CSV file as the generator writes it, changed by hand: change(cells by column, row number from 1)
export function csvWith(text, change) {
  const cellsOf = (line) => [...line.matchAll(/("((?:[^"]|"")*)"|([^,]*))(,|$)/g)].filter((m) => m[0]).map((m) => m[2]?.replaceAll('""', '"') ?? m[3]);
  const [head, ...rows] = text.replace(/^\ufeff/, '').split(/\r?\n/).filter(Boolean).map(cellsOf);
  must(head.includes('生年月日') && rows.length > 5, 'a CSV file with its header');
  const changed = rows.map((row, i) => {
    const cells = Object.fromEntries(head.map((h, k) => [h, row[k] ?? '']));
    change(cells, i + 1);
    return head.map((h) => cells[h]);
  });
  return [head, ...changed].map((row) => row.map((c) => (/[",]/.test(c) ? `"${c.replaceAll('"', '""')}"` : c)).join(',')).join('\r\n') + '\r\n';
}
