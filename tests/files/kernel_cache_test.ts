import assert from "node:assert/strict";
import { cachedRows } from "../../src/files/kernel_cache.ts";

Deno.test("kernels: a row of the cache keeps nothing but its own", () => {
  const row = { key: "__proto__", flops: 1, choice: "texture", milliseconds: { texture: 1 } };
  const text = JSON.stringify({ identity: "x", rows: [{ ...row, more: [[]] }, null, { key: 1 }] });
  assert.deepEqual(cachedRows(text, "x", "software"), [row]);
  // A number that JSON can say, and cannot write again.
  for (
    const [right, wrong] of [['"flops":1', '"flops":1e400'], ['"texture":1', '"texture":1e400']]
  ) {
    assert.deepEqual(cachedRows(text.replace(right, wrong), "x", "software"), []);
  }
  for (const text of ["", "null", "1", "[]", '{"identity":"x"}', '{"identity":"x","rows":{}}']) {
    assert.deepEqual(cachedRows(text, "x", "software"), []);
  }
});
