/** The same seed on the same adapter gives the same bits, in one process and in the next. */

import assert from "node:assert/strict";
import { Gpu } from "../../mod.ts";
import { output } from "../support/process.ts";
import { trainedHash } from "../support/worker.ts";

Deno.test("training gives the same bits in two processes, and others with another seed", async () => {
  using gpu = await Gpu.request();
  const first = await trainedHash(gpu, 1);
  assert.match(first, /^[0-9a-f]{64}$/);
  const worker = ["run", "--no-lock", "--no-prompt", "tests/support/worker.ts", "1"];
  assert.equal((await output(worker)).trim(), first);
  assert.notEqual(await trainedHash(gpu, 2), first);
});
