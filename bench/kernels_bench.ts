/**
 * Every kernel of `src/kernels` at shapes of a training step: checked against naive float64 loops,
 * then timed.
 *
 *   deno task bench [--filter TEXT]
 *
 * Deno's own table has the time of a run until the device is done, waiting included. The table after
 * it has the time on the device from timestamp queries, the least of a few runs: GFLOP/s of the
 * dense definition and the percentage of the arithmetic peak; or, where nothing is multiplied, GB/s
 * of what any kernel has to move and the percentage of the bandwidth of a plain copy.
 *
 * The families of GEMM-like kernels that suit this kind of adapter run at batch 256, the others at 64.
 *
 * @module
 */

import { type GemmVariant, Gpu } from "../mod.ts";
import { CANDIDATES } from "../src/ops/gemm/calibrate.ts";
import { TUNING } from "../src/graph/tuning.ts";
import { gemmCases } from "./support/gemm_cases.ts";
import type { KernelCase, Running } from "./support/kernel_case.ts";
import { memoryCases } from "./support/memory_cases.ts";
import { measureBandwidth, measurePeak } from "./support/peak.ts";
import { stateCases } from "./support/state_cases.ts";
import { HEAD, row } from "./support/table.ts";
import { hasTimestamps, profileRuns, type Sum, sumOf } from "./support/time.ts";

const VARIANTS = ["winograd", "texture", "tiled", "direct"] satisfies GemmVariant[];
const RUNS = 5;

const gpu = await Gpu.request();
const peaks = { arithmetic: 0, bandwidth: 0 };
const kernels = new Set(
  [...Deno.readDirSync(new URL("../src/kernels/", import.meta.url))].map(({ name }) =>
    name.replace(/\.wgsl$/, "")
  ),
);
const rows: { readonly name: string; readonly sum: Sum }[] = [];
let registered = 0;
let measured = 0;
let lastGroup: string | undefined;

/** The case that is being timed: one at a time has its memory. */
let current: { readonly of: KernelCase; readonly running: Running } | undefined;

/** Compiles, checks and profiles a case when it is first asked for. */
async function prepare(kernelCase: KernelCase, device: Gpu, group: string): Promise<Running> {
  if (current?.of === kernelCase) return current.running;
  current?.running.program[Symbol.dispose]();
  for (const part of current?.running.parts ?? []) part.dispose();
  const { name, flops, bytes, kernel } = kernelCase;
  const running = kernelCase.make(device);
  current = { of: kernelCase, running };
  await running.verify();
  const counted = running.program.stats.flops;
  if (Math.abs(counted - flops) > 1e-9 * flops) {
    throw new Error(`${name} counts ${counted} operations, not ${flops}`);
  }
  if (hasTimestamps(device)) {
    const { dispatches } = await profileRuns(RUNS, () => running.program.profile());
    const own = dispatches.filter((t) => !kernel || kernel.test(t.kernel));
    const used = [...new Set(own.map((t) => t.kernel))];
    for (const each of used) kernels.delete(each.split(".")[0]);
    const { milliseconds } = sumOf(own);
    rows.push({
      name: `${group}: ${name} (${used.join(", ")})`,
      sum: { milliseconds, flops, bytes },
    });
  }
  if (group !== lastGroup) {
    // Now and then, the best counts: the machine may be busy with something else at times.
    lastGroup = group;
    peaks.arithmetic = Math.max(peaks.arithmetic, await measurePeak(gpu));
    peaks.bandwidth = Math.max(peaks.bandwidth, await measureBandwidth(gpu));
  }
  measured++;
  return running;
}

function register(group: string, device: Gpu, cases: readonly KernelCase[]): void {
  for (const kernelCase of cases) {
    registered++;
    Deno.bench(`${group}: ${kernelCase.name}`, { n: 5, warmup: 1 }, async (b) => {
      const { program } = await prepare(kernelCase, device, group);
      b.start();
      program.run();
      await device.idle();
      b.end();
    });
  }
}

for (const gemm of VARIANTS) {
  const own = CANDIDATES[gpu.info.kind].includes(gemm) && gemm !== "direct";
  const tuning = { ...(gemm === "tiled" ? TUNING.gpu : {}), gemm };
  register(gemm, Gpu.from(gpu.device, { tuning }), gemmCases(own ? 256 : 64));
}
register("memory", gpu, [...memoryCases(256), ...stateCases(256)]);

globalThis.addEventListener("unload", () => {
  if (!rows.length) return;
  console.log(`\n${HEAD}case (kernels)`);
  for (const { name, sum } of rows) console.log(row(name, sum, peaks));
  console.log(
    `\npeak ${peaks.arithmetic.toFixed(1)} GFLOP/s, ${peaks.bandwidth.toFixed(1)} GB/s; ` +
      gpu.info.description,
  );
  // Only when nothing was filtered out.
  if (measured === registered && kernels.size) {
    console.log(`NOT MEASURED: ${[...kernels].join(", ")}`);
  }
});
