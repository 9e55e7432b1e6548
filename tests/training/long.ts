/**
 * The long form of `long_run_test.ts`: 20,000 steps of a tiny network without files, and as many with
 * all of them. What process and device hold must be the same in the first and the last quarter, and so
 * must the time of a step.
 *
 *   deno task long [steps]
 */

import assert from "node:assert/strict";
import { Gpu, ops } from "../../mod.ts";
import { assertConstant, type Held, inQuarter, longRun } from "../support/long_run.ts";

/** Of memory in the first quarter; medians of what is left after garbage collection. */
const MEMORY = 0.02;

/** How much each quantity may grow from the first to the last quarter. */
const BOUNDS = {
  rss: MEMORY,
  objects: MEMORY,
  // Its part that is code, and what V8 knows of it, grows for as long as V8 finds something to
  // compile. It is in the resident set, which is bounded.
  heapUsed: Infinity,
  external: MEMORY,
  // On a machine that others use, too, bare times of two moments cannot be compared: the share of
  // fixed work's time that is measured after each epoch is bounded instead.
  milliseconds: Infinity,
  relative: 0.1,
} as const;

/** Milliseconds of work that is always the same, of many small dispatches as a tiny step is. */
function fixedWorkOn(gpu: Gpu): () => Promise<number> {
  const program = gpu.compile({ w: [8, 8] }, ({ w }) => {
    let y = ops.matmul(w, w);
    for (let i = 0; i < 60; i++) y = ops.matmul(y, w);
    return { y };
  });
  return async () => {
    const w = new Float32Array(64).fill(0.125);
    const runs = 150;
    const since = performance.now();
    for (let i = 0; i < runs; i++) program.run({ w });
    await gpu.idle();
    return (performance.now() - since) / runs;
  };
}

function report(name: string, held: readonly Held[]): void {
  console.log(`\n${name}`);
  const grown: string[] = [];
  for (const [key, most] of Object.entries(BOUNDS) as [keyof typeof BOUNDS, number][]) {
    const quarters = [0, 1, 2, 3].map((quarter) => inQuarter(held, quarter, key));
    const change = quarters[3] / quarters[0] - 1;
    const numbers = quarters.map((n) => Number.isInteger(n) ? `${n}` : n.toFixed(3));
    console.log(`  ${key.padEnd(12)} ${numbers.join("  ")}  ${(100 * change).toFixed(2)}%`);
    if (change > most) grown.push(`${key} by ${(100 * change).toFixed(2)}%`);
  }
  const { buffers, bytes, listeners } = held.at(-1)!;
  console.log(`  ${buffers} buffers, ${bytes} bytes, ${listeners} listeners, at every epoch`);
  assertConstant(held);
  assert.deepEqual(grown, [], "what grew from the first to the last quarter");
}

if (import.meta.main) {
  const steps = Number(Deno.args[0] ?? 20_000);
  using gpu = await Gpu.request();
  const options = { stepsAnEpoch: Math.ceil(steps / 80), fixedWork: fixedWorkOn(gpu) };
  await options.fixedWork();
  const dir = await Deno.makeTempDir();
  try {
    // Some hundred steps first: the process's own libraries are loaded and its code is compiled.
    await longRun(500, { outDir: `${dir}/first` });
    report(`${steps} steps, no files`, await longRun(steps, options));
    const outDir = `${dir}/run`;
    report(`${steps} steps, all files`, await longRun(steps, { ...options, outDir }));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
