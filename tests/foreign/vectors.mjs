// The verifier of README.md (as fleet_verify.mjs beside this file) against the contract's vectors.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { openVerifysign, signatureIsOurs } from "./fleet_verify.mjs";

const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url)));
let checks = 0;

function refuses(...all) {
  checks += 1;
  assert.throws(() => openVerifysign(...all), JSON.stringify(all));
}

const encode = (envelope) => Buffer.from(JSON.stringify(envelope)).toString("base64");

for (const { secret, body, signature } of vectors.signature) {
  const bytes = Buffer.from(body);
  assert(signatureIsOurs(secret, bytes, signature));
  for (const wrong of [
    [secret + "x", bytes, signature],
    [secret, Buffer.from(body + " "), signature],
    [secret, bytes, ""],
    [secret, bytes, signature.slice(0, -1)],
  ]) {
    assert(!signatureIsOurs(...wrong), JSON.stringify(wrong));
    checks += 1;
  }
}

for (const { key, serialised, text, sign: ready, envelope: parts } of vectors.verifysign) {
  const sign = ready ?? encode(parts);
  assert.equal(openVerifysign(key, sign, serialised), text);
  refuses("another 16 bytes", sign, serialised);
  if (!serialised) refuses(key, sign, true);
  const envelope = JSON.parse(Buffer.from(sign, "base64").toString());
  for (const part of ["iv", "value", "mac"]) {
    const first = envelope[part][0] === "B" ? "C" : "B";
    refuses(key, encode({ ...envelope, [part]: first + envelope[part].slice(1) }), serialised);
  }
  refuses(key, "", serialised);
  refuses(key, "e30=", serialised);
  checks += 1;
}

console.log(JSON.stringify({ checks }));
