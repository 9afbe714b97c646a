// Checks that what the gateway says of the access log stands in the log: the signature of the checkpoint (C2SP signed-note, Ed25519), the way from each entry to the
// signed root (RFC 6962), and that what is shown is what the entry says. Nothing here is asked of anybody: the browser computes it.
import { EVENTS } from './events.js';

const RESULTS = ['ok', 'nothing', 'used', 'refused', 'failed'];
const AT = { result: 1, event: 2, wall: 16, seq: 160 }; // of the 176 bytes of a leaf (docs/audit-log.md)
const LEAF = 176;

const text = new TextEncoder();
const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const join = (...parts) => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) { out.set(p, at); at += p.length; }
  return out;
};
const sha = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', join(...parts)));
const same = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);
const hex = (b) => [...b].map((v) => v.toString(16).padStart(2, '0')).join('');

// {size, root} of a checkpoint that one of the keys has signed. logKey: lines name+id+base64
export async function checkpoint(note, logKey) {
  const cut = note.lastIndexOf('\n\n');
  if (cut < 0) throw new Error('note');
  const signed = text.encode(note.slice(0, cut + 1));
  for (const line of logKey.trim().split('\n')) {
    const [name, id, packed] = /^([^+]+)\+([0-9a-f]{8})\+(\S+)/.exec(line)?.slice(1) ?? [];
    if (!name) continue;
    const key = bytes(packed);
    for (const s of note.slice(cut + 2).split('\n')) {
      const [dash, who, signature] = s.split(' ');
      if (dash !== '\u2014' || who !== name || !signature) continue;
      const raw = bytes(signature);
      if (hex(raw.slice(0, 4)) !== id) continue;
      const publicKey = await crypto.subtle.importKey('raw', key.slice(1), 'Ed25519', false, ['verify']);
      if (!await crypto.subtle.verify('Ed25519', publicKey, raw.slice(4), signed)) continue;
      const [origin, size, root] = note.slice(0, cut).split('\n');
      if (origin === name) return { size: Number(size), root: bytes(root) };
    }
  }
  throw new Error('signature');
}

// The same of a checkpoint whose signature nobody has looked at: what proofs lead to, and no more
export function unsigned(note) {
  const [origin, size, root] = note.split('\n');
  if (!origin || !/^[0-9]+$/.test(size) || !root) throw new Error('note');
  return { size: Number(size), root: bytes(root) };
}

// RFC 6962, 2.1.1: from the leaf up to the root; which side each step is on follows from index and size
export async function included(leaf, index, size, path, root) {
  if (!Number.isInteger(index) || index < 0 || index >= size) return false;
  const sides = [];
  let begin = 0, end = size;
  while (end - begin > 1) {
    const k = 2 ** (Math.ceil(Math.log2(end - begin)) - 1), left = index < begin + k;
    sides.push(left);
    if (left) end = begin + k; else begin += k;
  }
  if (sides.length !== path.length) return false;
  let h = await sha(Uint8Array.of(0), leaf);
  for (const [i, other] of path.entries()) h = sides[sides.length - 1 - i] ? await sha(Uint8Array.of(1), h, other) : await sha(Uint8Array.of(1), other, h);
  return same(h, root);
}

// Members of the entry that the leaf says otherwise
function differing(entry, leaf) {
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.length);
  const said = { seq: Number(view.getBigUint64(AT.seq)), at: new Date(Number(view.getBigUint64(AT.wall))).toISOString(), event: EVENTS[view.getUint16(AT.event)], result: RESULTS[leaf[AT.result]] };
  return Object.keys(said).filter((k) => said[k] !== entry[k]);
}

// 'good', or what does not fit: 'signature', 'leaf', 'path', 'shown'
export async function judge(entry, tree) {
  if (!tree) return 'signature';
  try {
    const leaf = bytes(entry.proof.leaf);
    if (leaf.length !== LEAF) return 'leaf';
    if (!await included(leaf, entry.proof.index, tree.size, entry.proof.path.map(bytes), tree.root)) return 'path';
    return differing(entry, leaf).length || entry.proof.index + 1 !== entry.seq ? 'shown' : 'good';
  } catch {
    return 'leaf';
  }
}

// The same entry with one bit turned round, where nobody looks
export function tampered(entry) {
  const leaf = bytes(entry.proof.leaf);
  leaf[60] ^= 1;
  return { ...entry, proof: { ...entry.proof, leaf: btoa(String.fromCharCode(...leaf)) } };
}
