/** SHA-256 against node:crypto and a vector of FIPS 180-4. */

import { equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import { sha256 } from "../../src/formats/sha256.ts";

Deno.test("sha256: FIPS 180-4's vector; any length, shared memory too", async () => {
  equal(
    await sha256(new TextEncoder().encode("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  for (const length of [0, 1, 2 ** 20 - 1, 2 ** 20 + 7]) {
    const bytes = new Uint8Array(new SharedArrayBuffer(length + 3), 3);
    for (let i = 0; i < length; i++) bytes[i] = i * 31 >> 3;
    equal(await sha256(bytes), createHash("sha256").update(bytes).digest("hex"), `${length}`);
  }
});
