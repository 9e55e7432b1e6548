/**
 * The same seed on the same adapter gives the same bits, in one process and in the next.
 *
 * @module
 */

import assert from "node:assert/strict";

/** Trains in a process of its own: the hash of all weights, moments, statistics and losses. */
async function train(seed: number): Promise<string> {
  const worker = new URL("../support/worker.ts", import.meta.url).href;
  const { success, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "--no-lock", "--no-prompt", worker, String(seed)],
  }).output();
  const text = new TextDecoder();
  assert(success, text.decode(stderr));
  return text.decode(stdout).trim();
}

Deno.test("training gives the same bits in two processes, and others with another seed", async () => {
  const first = await train(1);
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(await train(1), first);
  assert.notEqual(await train(2), first);
});
