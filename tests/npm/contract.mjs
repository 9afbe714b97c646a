// Do answers that were heard fit the description of the API? ajv judges (JSON Schema 2020-12).
//
//     node contract.mjs FOLDER <exchanges.jsonl      FOLDER: municipal.json, clinic.json, portal.json, without references
//
// A line for each exchange that does not fit, then one with counts. Besides what the description says, an answer may have no member that it does not name, and what the
// gateway took has to be what the description lets a client send.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import Ajv from '@redocly/ajv/dist/2020.js';

const FORMATS = {
  'date': (s) => /^\d{4}-\d{2}-\d{2}$/.test(s) && !Number.isNaN(Date.parse(s)) && new Date(s).toISOString().startsWith(s),
  'date-time': (s) => /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(s) && !Number.isNaN(Date.parse(s)),
  'binary': true,
};
const ajv = new Ajv.default({ strict: false, allErrors: true, formats: FORMATS });
const compiled = new Map();

// No member that is not named, but where additionalProperties allows any. Parts of an allOf are closed by the whole.
function closed(schema, part = false) {
  if (Array.isArray(schema)) return schema.map((s) => closed(s));
  if (schema === null || typeof schema !== 'object') return schema;
  const to = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') to[key] = Object.fromEntries(Object.entries(value).map(([name, s]) => [name, closed(s)]));
    else if (key === 'allOf') to[key] = value.map((s) => closed(s, true));
    else if (key === 'items' || key === 'oneOf' || key === 'anyOf') to[key] = closed(value);
    else to[key] = value;
  }
  if (part || 'additionalProperties' in schema) return to;
  if (schema.allOf) to.unevaluatedProperties = false;
  else if (schema.properties) to.additionalProperties = false;
  return to;
}

function judge(schema, value, strictly) {
  const key = strictly ? 'closed' : 'open';
  if (!compiled.has(schema)) compiled.set(schema, {});
  const of = compiled.get(schema);
  of[key] ??= ajv.compile(strictly ? closed(schema) : schema);
  return of[key](value) ? [] : of[key].errors.slice(0, 5).map((e) => `${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}`);
}

class Door {
  constructor(document) {
    this.paths = Object.entries(document.paths).map(([path, item]) => ({
      path, item, like: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`), exact: !path.includes('{') }));
    this.paths.sort((a, b) => b.exact - a.exact);
  }
  find(method, url) {
    const path = url.split('?')[0];
    const at = this.paths.find((p) => p.like.test(path));
    return { path: at?.path, operation: at?.item[method.toLowerCase()] };
  }
}

function parsed(type, text) {
  if (/^application\/x-www-form-urlencoded/.test(type)) return Object.fromEntries(new URLSearchParams(text));
  if (/json$|json;/.test(type)) { try { return JSON.parse(text); } catch { return undefined; } }
  return text;
}

function headersFit(answer, heard, said) {
  if (!heard['x-request-id']) said.push('no X-Request-Id');
  for (const [name, header] of Object.entries(answer.headers ?? {})) {
    const value = heard[name.toLowerCase()];
    if (value === undefined) continue;
    said.push(...judge(header.schema, header.schema.type === 'integer' ? Number(value) : value, false).map((e) => `${name}: ${e}`));
  }
  if (answer.headers?.Location && !heard.location) said.push('no Location');
}

function bodyFits(answer, one, said) {
  const type = (one.answered['content-type'] ?? '').split(';')[0];
  if (!answer.content) {
    if (one.answer !== '') said.push('a body where none is described');
    return;
  }
  const media = answer.content[type];
  if (!media) { said.push(`Content-Type ${type || 'missing'} is not described`); return; }
  const value = parsed(type, one.answer);
  if (type === 'text/event-stream' || type === 'application/x-ndjson' || !one.whole) return;
  if (value === undefined) said.push('the body is no JSON');
  else said.push(...judge(media.schema, value, true));
}

// Of rows those that were not refused for their fields.
function taken(value, one, media) {
  if (!Array.isArray(value)) return value;
  const { rows } = JSON.parse(one.answer);
  return rows ? value.filter((_, i) => rows[i]?.code !== 'field_invalid') : value.slice(0, 1).fill(media.example[0]); // without: its rows are told later
}

// What the gateway took is what the description lets a client send.
function requestFits(operation, one, said) {
  const content = operation.requestBody?.content;
  if (one.status >= 300 || !content || !one.body) return;
  const media = content[(one.type ?? '').split(';')[0]];
  if (!media) said.push(`${one.type} was taken and is not described`);
  else if (!media.schema.format) said.push(...judge(media.schema, taken(parsed(one.type, one.body), one, media), false).map((e) => `taken, but: ${e}`));
}

function paramsFit(operation, one, said) {
  if (one.status >= 300) return;
  const given = new URLSearchParams(one.url.split('?')[1] ?? '');
  const known = new Map((operation.parameters ?? []).filter((p) => p.in === 'query').map((p) => [p.name, p]));
  for (const [name, value] of given) {
    const p = known.get(name);
    if (!p && !one.url.startsWith('/fhir/')) said.push(`parameter ${name} was taken and is not described`);
    else if (p) said.push(...judge(p.schema, p.schema.type === 'integer' ? Number(value) : value, false).map((e) => `${name} was taken, but: ${e}`));
  }
}

const folder = process.argv[2];
const doors = Object.fromEntries(['municipal', 'clinic', 'portal'].map((d) => [d, new Door(JSON.parse(readFileSync(join(folder, `${d}.json`), 'utf8')))]));
const seen = { answers: 0, misfits: 0, outside: 0, done: new Set(), refused: new Set(), codes: new Set() };
for await (const line of createInterface({ input: process.stdin })) {
  const one = JSON.parse(line);
  const { path, operation } = doors[one.door].find(one.method, one.url);
  const said = [];
  if (!operation) {
    seen.outside++;
    if (one.status < 400) said.push('is answered and not described');
  } else {
    seen.answers++;
    const status = String(one.status);
    const answer = operation.responses[status] ?? operation.responses[`${status[0]}XX`] ?? (one.status >= 400 ? operation.responses.default : undefined);
    if (!answer) said.push('the status is not described');
    else {
      headersFit(answer, one.answered, said);
      bodyFits(answer, one, said);
      requestFits(operation, one, said);
      paramsFit(operation, one, said);
      if ((one.status === 429 || one.status === 503) && !one.answered['retry-after']) said.push('no Retry-After');
    }
    (one.status < 400 ? seen.done : seen.refused).add(`${one.door} ${operation.operationId}`);
    if (one.status >= 400) { try { seen.codes.add(JSON.parse(one.answer).code ?? JSON.parse(one.answer).issue[0].details.coding[0].code); } catch { /* said above */ } }
  }
  if (said.length) {
    seen.misfits++;
    console.log(JSON.stringify({ door: one.door, method: one.method, path: path ?? one.url, operation: operation?.operationId, status: one.status, said, answer: one.answer.slice(0, 300) }));
  }
}
console.log(JSON.stringify({ ...seen, done: [...seen.done], refused: [...seen.refused], codes: [...seen.codes] }));
