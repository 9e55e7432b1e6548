/**
 * JSON that costs far more than its length when it is parsed: readers keep what they say of their heap,
 * in a process that dies when one takes more.
 *
 * @module
 */

import { equal, match } from "node:assert/strict";
import { fileURLToPath } from "node:url";

const MB = 2;
/** Of the heap to the file, as the readers say. */
const TIMES = 40;
/** What the process itself has loaded. */
const OWN = 24;

async function run(reader: string, file: number, megabytes: number) {
  const worker = fileURLToPath(new URL("support/fuzz/heap_worker.ts", import.meta.url));
  const args = [
    "run",
    "--lock=tests/deno.lock",
    "--frozen",
    "--no-check",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    `--v8-flags=--max-old-space-size=${megabytes}`,
    worker,
    reader,
    `${file * 2 ** 20}`,
  ];
  const root = fileURLToPath(new URL("../", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command("deno", { args, cwd: root }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}

for (
  const [reader, files] of Object.entries({ safetensors: 21, weights: 21, run: 14, kernels: 14 })
) {
  Deno.test(`hostile JSON: ${reader}, at most ${TIMES} times its length`, async () => {
    const { success, stdout, stderr } = await run(reader, MB, TIMES * MB + OWN);
    equal(success, true, stderr);
    equal(stdout.trim(), `${files}`);
  });
}

Deno.test("hostile JSON: a reader that takes too much is seen", async () => {
  const { success, stderr } = await run("kernels", 4, 5 * 4 + OWN);
  equal(success, false);
  match(stderr, /out of memory/i);
});
