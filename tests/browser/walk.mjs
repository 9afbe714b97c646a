// Starts the system, runs the specs (all, or those named), tells what was found. Exit 0: nothing was.
//   node tests/browser/walk.mjs [--figure] [NAME...]
//
// To add pages: a file NAME.spec.mjs here with
//   export const rank = 50;                         // smaller ones run first
//   export async function run(rig) { … }            // opens pages with rig.page(), judges them with rig.look(); throws when something does not work
import fs from 'node:fs';
import path from 'node:path';
import { Rig } from './rig.mjs';

const names = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const figure = process.argv.includes('--figure');
const files = fs.readdirSync(import.meta.dirname).filter((f) => f.endsWith('.spec.mjs') && (!names.length || names.includes(f.replace('.spec.mjs', ''))));
const specs = (await Promise.all(files.map(async (f) => ({ name: f.replace('.spec.mjs', ''), ...(await import(path.join(import.meta.dirname, f))) })))).sort((a, b) => (a.rank ?? 50) - (b.rank ?? 50));

const rig = new Rig();
let failed = specs.length === 0;
const from = Date.now();
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;
try {
  await rig.start();
  console.log(`ok   the system and the browser have started (${seconds(from)})`);
  await rig.judgeIsAwake();
  console.log('ok   a page with every fault is found guilty of each');
  for (const spec of specs) {
    await Promise.all(rig.browser.contexts().map((c) => c.close())); // of a spec that failed
    const begun = Date.now(), before = rig.findings.length;
    try {
      await spec.run(rig);
      console.log(`${rig.findings.length > before ? 'FAIL' : 'ok  '} ${spec.name} (${seconds(begun)})`);
    } catch (e) {
      failed = true;
      console.log(`FAIL ${spec.name} (${seconds(begun)}): ${e.stack}`);
      for (const shot of await rig.failed(spec.name)) console.log(`     what was shown then: ${shot}`);
    }
    for (const f of rig.findings.slice(before)) console.log(`     ${f}`);
  }
} catch (e) {
  failed = true;
  console.log(`FAIL ${e.stack}`);
} finally {
  await rig.stop();
}
failed ||= rig.findings.length > 0 || rig.walked.length === 0;
const kinds = (i) => new Set(rig.walked.map((w) => w[i])).size;
if (figure) console.log(`browser: ${kinds(0)} pages, ${kinds(1)} kinds of user, ${kinds(2)} widths: ${rig.walked.length} walked, axe violations = ${rig.violations}, findings = ${rig.findings.length}${failed ? ', FAILED' : ''}`);
else console.log(`${rig.walked.length} walks, ${rig.violations} violations found by axe, ${rig.findings.length} findings (${seconds(from)}); screenshots in build/browser`);
process.exit(failed ? 1 : 0);
