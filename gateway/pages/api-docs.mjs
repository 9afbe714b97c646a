// Writes the description of the API as pages that need nothing: no program runs in them, nothing is loaded from elsewhere.
//
//     node api-docs.mjs DOCS OUT [PREFIX]      DOCS: docs/; OUT: folder for index.html, <door>.html, errors.html, api.css, <door>.json
//
// <door>.json is the same description in one piece, for programs. PREFIX: where the pages are served, with a slash at its end; without it they lead to each other as files do.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { load } from 'js-yaml';

const [docs, out, prefix = ''] = process.argv.slice(2);
const DOORS = ['municipal', 'clinic', 'portal'];
const METHODS = ['get', 'put', 'post', 'delete'];
const INDEX = prefix ? prefix.slice(0, -1) : 'index.html';

// ---- reading ----

const files = new Map();
const read = (path) => {
  if (!files.has(path)) files.set(path, load(readFileSync(path, 'utf8')));
  return files.get(path);
};
const at = (doc, pointer) => pointer.split('/').slice(1).reduce((d, key) => d[key.replace(/~1/g, '/').replace(/~0/g, '~')], doc);

// References followed; `title` of what was named is its name.
function whole(node, file) {
  if (Array.isArray(node)) return node.map((n) => whole(n, file));
  if (node === null || typeof node !== 'object') return node;
  if (typeof node.$ref === 'string') {
    const [path, pointer] = node.$ref.split('#');
    const there = path ? resolve(dirname(file), path) : file;
    const found = at(read(there), pointer);
    const to = whole(found, there);
    const name = pointer.split('/').pop();
    return /\/schemas\//.test(there) || pointer.includes('/schemas/') ? { 'x-name': name, ...to } : to;
  }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, whole(value, file)]));
}

// In one file: what is referred to stands under components, by its name, with that of its file where two have one.
function bundled(name) {
  const root = resolve(docs, 'api', `${name}.yaml`), components = {}, names = new Map();
  const place = (there, pointer) => {
    const named = pointer.split('/').pop(), of = /\/schemas\/[^/]+$/.test(there) ? 'schemas' : pointer.split('/')[1];
    if (!['schemas', 'responses', 'headers', 'parameters'].includes(of)) return null;
    const key = `${there}#${pointer}`;
    if (!names.has(key)) {
      components[of] ??= {};
      const free = named in components[of] ? `${there.split('/').pop().replace('.yaml', '')}${named}` : named;
      names.set(key, `#/components/${of}/${free}`);
      components[of][free] = {};
      components[of][free] = walk(at(read(there), pointer), there);
    }
    return names.get(key);
  };
  const walk = (node, file) => {
    if (Array.isArray(node)) return node.map((n) => walk(n, file));
    if (node === null || typeof node !== 'object') return node;
    if (typeof node.$ref !== 'string') return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, walk(value, file)]));
    const [path, pointer] = node.$ref.split('#');
    const there = path ? resolve(dirname(file), path) : file;
    const to = place(there, pointer);
    return to ? { $ref: to } : walk(at(read(there), pointer), there);
  };
  const whole = walk(read(root), root);
  return { ...whole, components: { ...whole.components, ...components } };
}

// ---- writing ----

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
const rich = (text) => escape(text)
  .replace(/`([^`]+)`/g, '<code>$1</code>').replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>').replace(/\[([^\]]+)\]\(([^)]+)\)/g, (_, words, to) => link(words, to));
const code = (text) => `<code>${breaks(escape(text))}</code>`;
// Where a long name may go on in the next line.
const breaks = (text) => text.replace(/[_/](?=\w)/g, '$&<wbr>');
// The pages are in Japanese; what has none of it is said to be English, for who hears them.
function spoken(text) {
  const words = text.replace(/<code>.*?<\/code>|`[^`]*`|<[^>]*>|&\w+;/g, ' ');
  return /[\u3040-\u30ff\u4e00-\u9fff]/.test(words) || !/[a-z]{2}/i.test(words) ? '' : ' lang="en"';
}
const small = (html) => `<p class="small"${spoken(html)}>${html}</p>`;
const paragraph = (text) => `<p${spoken(text)}>${rich(text)}</p>`;
// heads: of the columns, said again in each cell for windows too narrow for a table; rows: the cells' HTML with what is spoken in them, the first one heads the row.
function grid(heads, rows, kind = 'table') {
  const cell = (c, i) => (i ? `<td data-head="${heads[i].replace(/<[^>]*>/g, '')}"${spoken(c)}>${c}</td>` : `<th scope="row">${c}</th>`);
  const row = ({ depth, cells }) => `<tr${depth === undefined ? '' : ` class="d${Math.min(depth, 4)}"`}>${cells.map(cell).join('')}</tr>`;
  return `<div class="${kind}"><table><thead><tr>${heads.map((h) => `<th scope="col">${h}</th>`).join('')}</tr></thead><tbody>${rows.map(row).join('')}</tbody></table></div>`;
}
const problem = (slug) => `<a href="${prefix}errors.html#${escape(slug)}">${code(slug)}</a>`;

// Of links in documents those stay that lead to one of these pages, or out.
function link(words, to) {
  if (to.startsWith('#') || to.startsWith('https://')) return `<a href="${to}">${words}</a>`;
  return /(^|\/)errors\.md/.test(to) ? `<a href="${prefix}errors.html">${words}</a>` : words;
}

const page = (title, body, toc = '') => `<!doctype html>
<html lang="ja">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${prefix}api.css">
</head>
<body>
<a class="skip" href="#main">本文へ / to the content</a>
<header><nav aria-label="窓口 / doors"><a class="home" href="${INDEX}">pmhgw API</a>
<a href="${prefix}municipal.html">自治体</a><a href="${prefix}clinic.html">医療機関</a><a href="${prefix}portal.html">ポータル</a><a href="${prefix}errors.html">エラー一覧</a></nav></header>
<div class="columns">
${toc ? `<nav class="toc" aria-label="目次 / contents">${toc}</nav>` : ''}
<main id="main" tabindex="-1">${body}</main>
</div>
</body>
</html>
`;

// ---- schemas ----

function kind(s) {
  if (s.const !== undefined) return code(JSON.stringify(s.const));
  if (s.enum) return s.enum.map((v) => code(v)).join(' ');
  const type = Array.isArray(s.type) ? s.type.join(' | ') : s.type ?? (s.allOf ? 'object' : s.oneOf || s.anyOf ? 'one of' : 'any');
  const of = s.items ? ` of ${s.items['x-name'] ?? s.items.type ?? 'object'}` : '';
  return escape(type + of + (s.format ? ` (${s.format})` : ''));
}

function limits(s) {
  const words = [];
  const span = (least, most, what) => {
    if (least !== undefined && least === most) words.push(`${least} ${what}`);
    else if (least !== undefined || most !== undefined) words.push(`${least ?? 0} – ${most ?? '…'} ${what}`);
  };
  span(s.minLength, s.maxLength, '文字 / characters');
  span(s.minItems, s.maxItems, '件 / items');
  span(s.minimum, s.maximum, '');
  if (s['x-max-bytes']) words.push(`${s['x-max-bytes']} バイトまで / bytes at most`);
  if (s.pattern) words.push(code(s.pattern));
  if (s.default !== undefined) words.push(`既定値 / default ${code(s.default)}`);
  return words.join(', ');
}

const named = (name, needed) => code(name) + (needed ? '<span class="needed" title="必須 / required">*</span>' : '');

// Members with those of objects inside, as rows.
function members(s, depth = 0, seen = []) {
  const rows = [];
  for (const part of s.allOf ?? []) rows.push(...members(part, depth, seen));
  for (const [name, m] of Object.entries(s.properties ?? {})) {
    const needed = (s.required ?? []).includes(name);
    rows.push({ depth, cells: [named(name, needed), kind(m), limits(m), rich(m.description ?? '')] });
    const inner = m.items ?? m;
    const id = inner['x-name'] ?? '';
    if ((inner.properties || inner.allOf || inner.oneOf) && depth < 4 && !(id && seen.includes(id))) rows.push(...members(inner, depth + 1, id ? [...seen, id] : seen));
  }
  for (const part of s.oneOf ?? s.anyOf ?? []) if (part.properties) rows.push(...members(part, depth, seen));
  return rows;
}

function schema(s) {
  const inner = s.type === 'array' ? s.items : s;
  const rows = members(inner);
  const said = `${s.type === 'array' ? `配列 / array, ${limits(s) || 'items'}: ` : ''}${rich(inner.description ?? '')}`;
  const head = said && small(said);
  if (!rows.length) return head + small(`${kind(inner)} ${limits(inner)}`);
  return head + grid(['項目 / member', '型 / type', '制限 / limits', '説明'], rows, 'table members');
}

// ---- operations ----

const SCHEME = { municipality: '自治体の証明書', vrs: 'VRS の証明書', operator: '運用者の証明書', clinic: '医療機関の証明書', portal: 'ポータルの証明書', kiosk: '端末の証明書', token: 'トークン', staff: '職員のログイン' };
const who = (security) => security.length ? security.map((way) => Object.keys(way).map((s) => SCHEME[s]).join(' + ')).join('、または ') : '誰でも / anyone';

function codesOf(schemaOf) {
  const own = (schemaOf?.allOf ?? []).flatMap((part) => part.properties?.code?.enum ?? []);
  return own.map(problem).join(' ');
}

function answers(responses) {
  const rows = [], bodies = [], shown = new Set();
  for (const [status, r] of Object.entries(responses)) {
    const [media, content] = Object.entries(r.content ?? {})[0] ?? [];
    const codes = codesOf(r.content?.['application/problem+json']?.schema);
    rows.push({ cells: [code(status), codes || rich(r.description), media ? code(media) : '–'] });
    const name = content?.schema['x-name'];
    if (status.startsWith('2') && content && !shown.has(name)) {
      shown.add(name);
      bodies.push(`<details><summary>${escape(status)} の本文 / body${name ? `: ${escape(name)}` : ''}</summary>${schema(content.schema)}${example(content)}</details>`);
    }
  }
  return grid(['status', '意味、または code', '本文の種類'], rows) + bodies.join('');
}

const example = (content) => content.example === undefined ? '' : `<p class="small">例 / example</p><pre tabindex="0">${escape(typeof content.example === 'string' ? content.example : JSON.stringify(content.example, null, 2))}</pre>`;

function parameters(list) {
  if (!list.length) return '';
  const rows = list.map((p) => ({ cells: [named(p.name, p.required), escape(p.in), `${kind(p.schema)} ${limits(p.schema)}`, rich(p.description ?? '')] }));
  return `<h4>パラメーター / parameters</h4>${grid(['名前', '場所', '型', '説明'], rows)}`;
}

function operation(path, method, item, o) {
  const body = Object.entries(o.requestBody?.content ?? {}).map(([media, c]) => `<h4>要求の本文 / request body <code>${escape(media)}</code></h4>${schema(c.schema)}${example(c)}`).join('');
  return `<section id="${escape(o.operationId)}"><h3><span class="method ${method}">${method.toUpperCase()}</span> ${code(path)}</h3>
<p class="summary">${escape(o.summary)}</p>${paragraph(o.description)}
<p class="small"><code>${escape(o.operationId)}</code> · ${escape(who(o.security))}</p>
${parameters([...(item.parameters ?? []), ...(o.parameters ?? [])])}${body}
<h4>応答 / answers</h4>${answers(o.responses)}</section>`;
}

function door(name) {
  const file = resolve(docs, 'api', `${name}.yaml`);
  const d = whole(read(file), file);
  const parts = [], toc = [];
  for (const tag of d.tags) {
    const found = Object.entries(d.paths).flatMap(([path, item]) => METHODS.filter((m) => item[m]?.tags[0] === tag.name).map((m) => [path, m, item, item[m]]));
    toc.push(`<p>${escape(tag['x-displayName'])}</p><ul>${found.map(([, m, , o]) => `<li><a href="#${escape(o.operationId)}"><span class="method ${m}">${m.toUpperCase()}</span> ${escape(o.summary)}</a></li>`).join('')}</ul>`);
    parts.push(`<h2 id="tag-${escape(tag.name)}">${escape(tag['x-displayName'])}</h2>${paragraph(tag.description)}`, ...found.map((f) => operation(...f)));
  }
  const intro = d.info.description.trim().split(/\n\n+/).map(paragraph).join('');
  writeFileSync(join(out, `${name}.html`), page(d.info.title, `<h1>${escape(d.info.title)}</h1>${intro}<p lang="en"><a href="${prefix}${name}.json">OpenAPI 3.1 (JSON)</a></p>${parts.join('\n')}`, toc.join('')));
  writeFileSync(join(out, `${name}.json`), JSON.stringify(bundled(name)));
  return { name, title: d.info.title, summary: d.info.summary, n: parts.length - d.tags.length };
}

// ---- docs/errors.md: headings, paragraphs, tables, code ----

function table(lines) {
  const cells = (line) => line.replace(/^\| ?| ?\|$/g, '').split(/ \| /);
  const words = (text) => escape(text).replace(/&lt;br&gt;/g, '<br>').replace(/&lt;a id=&quot;(\w+)&quot;&gt;&lt;\/a&gt;/g, '<span id="$1"></span>').replace(/`([^`]+)`/g, (_, c) => `<code>${breaks(c)}</code>`)
    .replace(/\[([^\]]+)\]\(([^)]+)\)/g, (_, w, to) => link(w, to));
  const [head, , ...rows] = lines;
  return grid(cells(head).map(words), rows.map((r) => ({ cells: cells(r).map(words) })));
}

function errors() {
  const blocks = readFileSync(join(docs, 'errors.md'), 'utf8').trim().split(/\n\n+/).map((block) => {
    const lines = block.split('\n');
    if (block.startsWith('# ')) return '<h1>エラー一覧 / Errors</h1>';
    if (block.startsWith('## ')) return `<h2${spoken(block.slice(3))}>${rich(block.slice(3))}</h2>`;
    if (block.startsWith('    ')) return `<pre tabindex="0">${escape(lines.map((l) => l.slice(4)).join('\n'))}</pre>`;
    return block.startsWith('|') ? table(lines) : paragraph(block);
  });
  writeFileSync(join(out, 'errors.html'), page('pmhgw エラー一覧', blocks.join('\n')));
}

mkdirSync(out, { recursive: true });
const doors = DOORS.map(door);
errors();
writeFileSync(join(out, 'api.css'), readFileSync(join(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), 'api.css')));
writeFileSync(join(out, 'index.html'), page('pmhgw API', `<h1>pmhgw API</h1><p>窓口ごとの API の説明です。OpenAPI 3.1 の文書から作られ、動いているゲートウェイと照合されています。<br><span lang="en">What each door takes and answers, made of the OpenAPI documents, which are compared with a running gateway.</span></p>
<ul class="doors">${doors.map((d) => `<li><a href="${prefix}${d.name}.html"><strong>${escape(d.title)}</strong></a><br><span lang="en">${escape(d.summary)}</span><br><span class="small">${d.n} 操作 / operations · <a href="${prefix}${d.name}.json">OpenAPI 3.1 (JSON)</a></span></li>`).join('')}
<li><a href="${prefix}errors.html"><strong>エラー一覧</strong></a><br><span lang="en">Codes, who must act, and whether to retry.</span></li></ul>`));
