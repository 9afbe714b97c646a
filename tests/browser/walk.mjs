// Runs the specs (all, or those named) side by side, each with a system and a browser of its own; tells what was found. Exit 0: nothing was.
//   tests/browser/run [--figure] [--whole] [--shots] [NAME...]
//
// To add pages: a file NAME.spec.mjs here with
//   export const rank = 50;                         // the order in which they are told of
//   export async function run(rig) { … }            // opens pages with rig.page(), judges them with rig.look(); throws when something does not work
import fs from 'node:fs';
import path from 'node:path';
import { Rig } from './rig.mjs';

const names = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const figure = process.argv.includes('--figure');
const files = fs.readdirSync(import.meta.dirname).filter((f) => f.endsWith('.spec.mjs') && (!names.length || names.includes(f.replace('.spec.mjs', ''))));
const specs = (await Promise.all(files.map(async (f) => ({ name: f.replace('.spec.mjs', ''), ...(await import(path.join(import.meta.dirname, f))) })))).sort((a, b) => (a.rank ?? 50) - (b.rank ?? 50));

let failed = specs.length === 0;
const rigs = [], from = Date.now();
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

async function walk(spec, rig) {
  const begun = Date.now();
  try {
    await spec.run(rig);
    console.log(`${rig.findings.length ? 'FAIL' : 'ok  '} ${spec.name} (${seconds(begun)})`);
  } catch (e) {
    failed = true;
    console.log(`FAIL ${spec.name} (${seconds(begun)}): ${e.stack}`);
    for (const shot of await rig.failed(spec.name)) console.log(`     what was shown then: ${shot}`);
  }
  for (const f of rig.findings) console.log(`     ${f}`);
}

try {
  rigs.push(...specs.map(() => new Rig()));
  await Promise.all(rigs.map((rig) => rig.start()));
  console.log(`ok   the systems and their browsers have started (${seconds(from)})`);
  await rigs[0].judgeIsAwake();
  console.log('ok   a page with every fault is found guilty of each');
  await Promise.all(specs.map((spec, i) => walk(spec, rigs[i])));
} catch (e) {
  failed = true;
  console.log(`FAIL ${e.stack}`);
} finally {
  await Promise.all(rigs.map((rig) => rig.stop()));
}
const walked = rigs.flatMap((rig) => rig.walked), sum = (of) => rigs.reduce((n, rig) => n + of(rig), 0);
const findings = sum((rig) => rig.findings.length), violations = sum((rig) => rig.violations);
failed ||= findings > 0 || walked.length === 0;
const kinds = (i) => new Set(walked.map((w) => w[i])).size;
if (figure) console.log(`browser: ${kinds(0)} pages, ${kinds(1)} kinds of user, ${kinds(2)} widths: ${walked.length} walked, axe violations = ${violations}, findings = ${findings}${failed ? ', FAILED' : ''}`);
else console.log(`${walked.length} walks, ${violations} violations found by axe, ${findings} findings (${seconds(from)})${process.argv.includes('--shots') ? '; pictures in build/browser' : ''}`);
process.exit(failed ? 1 : 0);
