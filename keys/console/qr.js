// A QR code (ISO/IEC 18004: byte mode, level M, versions 1 to 15) as SVG, drawn in the browser: what it holds is sent to nobody.
import { svg } from './page.js';

const ECC = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24]; // code words of error correction a block
const BLOCKS = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10];

const modules = (v) => { // for data and error correction
  let n = (16 * v + 128) * v + 64;
  if (v >= 2) {
    const k = Math.floor(v / 7) + 2;
    n -= (25 * k - 10) * k - 55;
    if (v >= 7) n -= 36;
  }
  return n;
};
const capacity = (v) => Math.floor(modules(v) / 8) - ECC[v] * BLOCKS[v];

const times = (x, y) => { // in GF(256) over 0x11D
  let z = 0;
  for (let i = 7; i >= 0; i--) z = (z << 1) ^ ((z >>> 7) * 0x11d) ^ (((y >>> i) & 1) * x);
  return z;
};

function generator(degree) {
  const g = new Array(degree).fill(0);
  g[degree - 1] = 1;
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) g[j] = times(g[j], root) ^ (g[j + 1] ?? 0);
    root = times(root, 2);
  }
  return g;
}

function remainder(data, g) {
  const r = g.map(() => 0);
  for (const b of data) {
    const f = b ^ r.shift();
    r.push(0);
    g.forEach((c, i) => { r[i] ^= times(c, f); });
  }
  return r;
}

function words(bytes, v) { // data with length and padding, then in blocks with their correction, interleaved
  const bits = [];
  const put = (value, n) => { for (let i = n - 1; i >= 0; i--) bits.push((value >>> i) & 1); };
  put(4, 4);
  put(bytes.length, v < 10 ? 8 : 16);
  for (const b of bytes) put(b, 8);
  const room = capacity(v) * 8;
  put(0, Math.min(4, room - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) put(pad, 8);
  const data = [];
  for (let i = 0; i < bits.length; i += 8) data.push(parseInt(bits.slice(i, i + 8).join(''), 2));
  const whole = Math.floor(modules(v) / 8), short = BLOCKS[v] - (whole % BLOCKS[v]), size = Math.floor(whole / BLOCKS[v]), g = generator(ECC[v]);
  const blocks = [];
  for (let i = 0, at = 0; i < BLOCKS[v]; i++) {
    const part = data.slice(at, (at += size - ECC[v] + (i < short ? 0 : 1)));
    blocks.push([part, remainder(part, g)]);
  }
  const out = [];
  for (let i = 0; i <= size - ECC[v]; i++) for (const [part] of blocks) if (i < part.length) out.push(part[i]);
  for (let i = 0; i < ECC[v]; i++) for (const [, ecc] of blocks) out.push(ecc[i]);
  return out;
}

function spots(v) {
  if (v === 1) return [];
  const n = Math.floor(v / 7) + 2, step = Math.floor((v * 8 + n * 3 + 5) / (n * 4 - 4)) * 2, at = [6];
  for (let pos = v * 4 + 10; at.length < n; pos -= step) at.splice(1, 0, pos);
  return at;
}

function frame(v) { // cells: 0, 1; undefined: of the data
  const n = v * 4 + 17, m = Array.from({ length: n }, () => new Array(n));
  const set = (x, y, on) => { if (x >= 0 && y >= 0 && x < n && y < n) m[y][x] = on ? 1 : 0; };
  for (let i = 0; i < n; i++) { set(6, i, i % 2 === 0); set(i, 6, i % 2 === 0); }
  for (const [cx, cy] of [[3, 3], [n - 4, 3], [3, n - 4]]) for (let dy = -4; dy <= 4; dy++) for (let dx = -4; dx <= 4; dx++) {
    const d = Math.max(Math.abs(dx), Math.abs(dy));
    set(cx + dx, cy + dy, d !== 2 && d !== 4);
  }
  const at = spots(v), last = at.length - 1;
  at.forEach((x, i) => at.forEach((y, j) => {
    if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
    for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) set(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
  }));
  if (v >= 7) {
    let r = v;
    for (let i = 0; i < 12; i++) r = (r << 1) ^ ((r >>> 11) * 0x1f25);
    const bits = (v << 12) | r;
    for (let i = 0; i < 18; i++) { set(n - 11 + (i % 3), Math.floor(i / 3), (bits >>> i) & 1); set(Math.floor(i / 3), n - 11 + (i % 3), (bits >>> i) & 1); }
  }
  format(m, 0);
  return m;
}

function format(m, mask) {
  const n = m.length;
  let r = mask; // level M is 0
  for (let i = 0; i < 10; i++) r = (r << 1) ^ ((r >>> 9) * 0x537);
  const bits = ((mask << 10) | r) ^ 0x5412, bit = (i) => (bits >>> i) & 1;
  for (let i = 0; i <= 5; i++) m[i][8] = bit(i);
  m[7][8] = bit(6); m[8][8] = bit(7); m[8][7] = bit(8);
  for (let i = 9; i < 15; i++) m[8][14 - i] = bit(i);
  for (let i = 0; i < 8; i++) m[8][n - 1 - i] = bit(i);
  for (let i = 8; i < 15; i++) m[n - 15 + i][8] = bit(i);
  m[n - 8][8] = 1;
}

const MASK = [(x, y) => (x + y) % 2 === 0, (x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0];

// How hard to read: long runs and big blocks of one colour
function penalty(m) {
  let p = 0, dark = 0;
  const n = m.length;
  for (const line of [...m, ...m.map((_, x) => m.map((row) => row[x]))]) {
    const s = line.join('');
    for (const run of s.match(/0{5,}|1{5,}/g) ?? []) p += run.length - 2;
    p += 40 * (s.match(/(?=10111010000|00001011101)/g) ?? []).length;
  }
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) {
    dark += m[y][x];
    if (x && y && m[y][x] === m[y - 1][x] && m[y][x] === m[y][x - 1] && m[y][x] === m[y - 1][x - 1]) p += 3;
  }
  return p + 10 * Math.floor(Math.abs((dark * 20) / (n * n) - 10));
}

// Rows of 0 and 1; null when the text is too long
export function cells(text) {
  const bytes = [...new TextEncoder().encode(text)];
  let v = 1;
  while (v <= 15 && capacity(v) * 8 < 4 + (v < 10 ? 8 : 16) + bytes.length * 8) v++;
  if (v > 15) return null;
  const fixed = frame(v), n = fixed.length, stream = words(bytes, v).flatMap((b) => [7, 6, 5, 4, 3, 2, 1, 0].map((i) => (b >>> i) & 1));
  const plain = fixed.map((row) => [...row]);
  let k = 0;
  for (let right = n - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let i = 0; i < n; i++) for (const x of [right, right - 1]) {
      const y = ((right + 1) & 2) === 0 ? n - 1 - i : i;
      if (fixed[y][x] === undefined) plain[y][x] = stream[k++] ?? 0;
    }
  }
  let best = null;
  MASK.forEach((hit, mask) => {
    const m = plain.map((row, y) => row.map((c, x) => (fixed[y][x] === undefined && hit(x, y) ? c ^ 1 : c)));
    format(m, mask);
    const p = penalty(m);
    if (!best || p < best.p) best = { p, m };
  });
  return best.m;
}

export function qr(text, label) {
  const m = cells(text);
  if (!m) return svg``;
  const path = m.map((row, y) => row.map((on, x) => (on ? `M${x + 4} ${y + 4}h1v1h-1z` : '')).join('')).join('');
  return svg`<svg class="qr-code" viewBox="0 0 ${m.length + 8} ${m.length + 8}" role="img" aria-label=${label} shape-rendering="crispEdges"><rect width="100%" height="100%" fill="#fff"></rect><path d=${path} fill="#000"></path></svg>`;
}
