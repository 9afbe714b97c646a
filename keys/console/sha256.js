// SHA-256 of a file, slice by slice: the browser's own digest wants all of it in memory.
const primes = (n) => {
  const found = [];
  for (let c = 2; found.length < n; c++) if (found.every((p) => c % p)) found.push(c);
  return found;
};
const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32) | 0;
const P = primes(64);
const K = new Int32Array(P.map((p) => fraction(Math.cbrt(p))));
const START = P.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
const W = new Int32Array(64);

function block(h, d, at) {
  for (let i = 0; i < 16; i++, at += 4) W[i] = (d[at] << 24) | (d[at + 1] << 16) | (d[at + 2] << 8) | d[at + 3];
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15], y = W[i - 2];
    W[i] = (W[i - 16] + W[i - 7] + (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)) + (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10))) | 0;
  }
  let [a, b, c, e0, e, f, g, k] = h;
  for (let i = 0; i < 64; i++) {
    const one = (k + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const two = ((((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    k = g; g = f; f = e; e = (e0 + one) | 0; e0 = c; c = b; b = a; a = (one + two) | 0;
  }
  [a, b, c, e0, e, f, g, k].forEach((v, i) => { h[i] = (h[i] + v) | 0; });
}

export function sha256() {
  const h = new Int32Array(START), rest = new Uint8Array(64);
  let n = 0, kept = 0;
  const self = {
    add(bytes) {
      n += bytes.length;
      let at = 0;
      if (kept) {
        at = Math.min(64 - kept, bytes.length);
        rest.set(bytes.subarray(0, at), kept);
        kept += at;
        if (kept < 64) return self;
        block(h, rest, 0);
        kept = 0;
      }
      for (; at + 64 <= bytes.length; at += 64) block(h, bytes, at);
      rest.set(bytes.subarray(at));
      kept = bytes.length - at;
      return self;
    },
    hex() {
      const bits = n, tail = new Uint8Array(kept < 56 ? 64 : 128);
      tail.set(rest.subarray(0, kept));
      tail[kept] = 0x80;
      const v = new DataView(tail.buffer);
      v.setUint32(tail.length - 8, Math.floor(bits / 2 ** 29));
      v.setUint32(tail.length - 4, (bits * 8) >>> 0);
      for (let at = 0; at < tail.length; at += 64) block(h, tail, at);
      return [...h].map((x) => (x >>> 0).toString(16).padStart(8, '0')).join('');
    },
  };
  return self;
}

const SLICE = 2 << 20;

// told(bytes so far); signal ends it with an AbortError
export async function sumOf(file, told, signal) {
  const sum = sha256();
  for (let at = 0; at < file.size; at += SLICE) {
    signal?.throwIfAborted();
    sum.add(new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer()));
    told(Math.min(at + SLICE, file.size));
  }
  return sum.hex();
}
