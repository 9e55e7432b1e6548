/** The same seed on the same adapter gives the same bits, in one process and in the next. */

import assert from "node:assert/strict";
import { output } from "../support/process.ts";

/** Trains in a process of its own: the hash of all weights, moments, statistics and losses. */
const train = async (seed: number) =>
  (await output(["run", "--no-lock", "--no-prompt", "tests/support/worker.ts", `${seed}`])).trim();

Deno.test("training gives the same bits in two processes, and others with another seed", async () => {
  const first = await train(1);
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(await train(1), first);
  assert.notEqual(await train(2), first);
});
