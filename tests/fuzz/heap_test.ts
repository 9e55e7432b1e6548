/** JSON that costs far more memory than its length, in a process that dies if a reader takes too much. */

import { equal, match, notEqual } from "node:assert/strict";
import { runWithHeap } from "../support/fuzz/small_heap.ts";

const MB = 2;
/** The most heap per byte of a file. */
const TIMES = 40;
/** Megabytes that the process itself takes. */
const OWN = 24;

function run(reader: string, file: number, megabytes: number) {
  const permissions = ["--allow-read", "--allow-write", "--allow-env"];
  return runWithHeap(megabytes, "heap_worker.ts", [reader, `${file * 2 ** 20}`], permissions);
}

/** Files for each reader. */
const FILES = { safetensors: 21, weights: 21, run: 14, kernels: 14 };
for (const [reader, files] of Object.entries(FILES)) {
  Deno.test(`hostile JSON: ${reader}, at most ${TIMES} times its length`, async () => {
    const { code, stdout, stderr } = await run(reader, MB, TIMES * MB + OWN);
    equal(code, 0, stderr);
    equal(stdout.trim(), `${files}`);
  });
}

Deno.test("hostile JSON: a reader that takes too much fails", async () => {
  const { code, stderr } = await run("kernels", 4, 5 * 4 + OWN);
  notEqual(code, 0);
  match(stderr, /out of memory/i);
});
