/**
 * The long form of `long_run_test.ts`: 20,000 steps of a tiny network without files, and as many with
 * all of them. What process and device hold must be the same in the first and the last quarter, and so
 * must the time of a step.
 *
 *   deno task long [steps]
 */

import assert from "node:assert/strict";
import { assertConstant, type Held, inQuarter, longRun } from "../support/long_run.ts";

/**
 * Of memory in the first quarter; medians of what is left after garbage collection. The heap's part that
 * is code, and what V8 knows of it, is printed and not bounded: it grows for as long as V8 finds something
 * to compile. It is in the resident set, which is bounded.
 */
const MEMORY = 0.02;

/**
 * Of a step's time in the first quarter, as a share of fixed work's time that is measured after each
 * epoch: on a machine that others use, too, bare times of two moments cannot be compared.
 */
const TIME = 0.1;

function report(name: string, held: readonly Held[]): void {
  console.log(`\n${name}`);
  const bounds = {
    rss: MEMORY,
    objects: MEMORY,
    heapUsed: Infinity,
    external: MEMORY,
    milliseconds: Infinity,
    relative: TIME,
  } as const;
  const grown: string[] = [];
  for (const [key, most] of Object.entries(bounds) as [keyof typeof bounds, number][]) {
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
  // Some hundred steps first: the process's own libraries are loaded and its code is compiled.
  const stepsAnEpoch = Math.ceil(steps / 80);
  const dir = await Deno.makeTempDir();
  try {
    await longRun(500, { outDir: `${dir}/first` });
    report(`${steps} steps, no files`, await longRun(steps, { stepsAnEpoch, timed: true }));
    const outDir = `${dir}/run`;
    report(
      `${steps} steps, all files`,
      await longRun(steps, { stepsAnEpoch, timed: true, outDir }),
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
