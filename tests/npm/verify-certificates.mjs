// Verifies certificates of vaccination with code that is not ours: jose, json-canonicalize, jsQR, and what node brings along.
//
//   node verify-certificates.mjs < {"jwks": {...}, "csca": "PEM", "certificates": [{"kind", "qr"?, "png"?: base64}]}
//
// One line of JSON for each certificate: {"ok": true, "payload": {...}} or {"ok": false, "why": "..."}. A picture, when there is one, must say what "qr" says.

import { createHash, verify as verifySignature, X509Certificate } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { calculateJwkThumbprint, compactVerify, createLocalJWKSet, decodeProtectedHeader } from "jose";
import { canonicalize } from "json-canonicalize";
import jsQR from "jsqr";
import { PNG } from "pngjs";

const VDS_SIGNER = "2.23.136.1.1.14.2";

function must(good, why) {
  if (!good) throw new Error(why);
}

function read(picture) {
  const png = PNG.sync.read(Buffer.from(picture, "base64"));
  const code = jsQR(Uint8ClampedArray.from(png.data), png.width, png.height);
  must(code, "no code in the picture");
  return Buffer.from(code.binaryData).toString("latin1");
}

function jwsOf(qr) {
  must(/^shc:\/(\d\d)+$/.test(qr), "not the form shc:/ and pairs of digits");
  return qr.slice(5).match(/\d\d/g).map((d) => String.fromCharCode(Number(d) + 45)).join("");
}

async function verifyCard(qr, world) {
  const jws = jwsOf(qr);
  must(jws.length <= 1195, "too long for one code");
  const header = decodeProtectedHeader(jws);
  must(header.alg === "ES256" && header.zip === "DEF", "algorithm or packing");
  const jwk = world.jwks.keys.find((k) => k.kid === header.kid);
  must(jwk, "unknown key");
  must((await calculateJwkThumbprint(jwk)) === header.kid, "the key's name is not its thumbprint");
  const { payload } = await compactVerify(jws, createLocalJWKSet(world.jwks));
  const text = inflateRawSync(Buffer.from(payload)).toString("utf8");
  const card = JSON.parse(text);
  must(JSON.stringify(card) === text, "not minified");
  must(Number.isInteger(card.nbf) && card.nbf <= Date.now() / 1000 + 60, "nbf");
  must(card.vc.type.includes("https://smarthealth.cards#health-card"), "type");
  must(/^[A-Za-z0-9_-]{1,24}$/.test(card.vc.rid), "rid");
  return card;
}

function verifySeal(qr, world) {
  const seal = JSON.parse(qr);
  const data = canonicalize(seal.data);
  must(qr.startsWith(`{"data":${data},`), "data is not in canonical form");
  const cert = new X509Certificate(Buffer.from(seal.sig.cer, "base64url"));
  const csca = new X509Certificate(world.csca);
  must(cert.checkIssued(csca) && cert.verify(csca.publicKey), "the signer is not the country's");
  must(cert.keyUsage?.length === 1 && cert.keyUsage[0] === VDS_SIGNER, "the signer's certificate is for something else");
  const now = Date.now();
  must(Date.parse(cert.validFrom) <= now && now <= Date.parse(cert.validTo), "the signer's certificate has ended");
  must(seal.sig.alg === "ES256", "algorithm");
  const signature = Buffer.from(seal.sig.sigvl, "base64url");
  must(signature.length === 64, "signature is not r and s");
  must(verifySignature("sha256", Buffer.from(data), { key: cert.publicKey, dsaEncoding: "ieee-p1363" }, signature), "signature");
  return { ...seal.data, sha256: createHash("sha256").update(data).digest("hex") };
}

async function verifyOne(c, world) {
  const qr = c.qr ?? read(c.png);
  if (c.png) must(read(c.png) === qr, "the picture says something else");
  return c.kind === "shc" ? verifyCard(qr, world) : verifySeal(qr, world);
}

let input = "";
for await (const piece of process.stdin) input += piece;
const world = JSON.parse(input);
for (const c of world.certificates) {
  let line;
  try {
    line = { ok: true, payload: await verifyOne(c, world) };
  } catch (e) {
    line = { ok: false, why: e.code ?? e.message };
  }
  console.log(JSON.stringify(line));
}
