/**
 * A training step and generation at full size, with the adapter's arithmetic peak from the same run.
 *
 *   deno task bench:step [--batch N] [--steps N] [--json FILE] [--data DIR] [--cold]
 *
 * The last line is for programs: s_per_step=… gflops=… peak_gflops=… fraction=…
 *
 * GFLOP are those of the dense definition of every matrix product and convolution; padding counts.
 * `s_per_step` is the median of steps that are each waited for, `s_per_step_enqueued` that of steps
 * which share a wait, as in training. `s_first_step` has the compilation of every shader in it. On
 * Mesa that depends on its cache on disk: `--cold` gives it an empty folder for this run
 * (MESA_SHADER_CACHE_DIR), MESA_SHADER_CACHE_DISABLE=true none, and without either a second run on
 * the same machine is the warm one. Other drivers have caches of their own.
 *
 * @module
 */

import { Gpu } from "../mod.ts";
import { seedNoise } from "../src/model/sampler.ts";
import { batchOf, compileGeneration, datasetFrom, makeModel, stepFlops } from "./support/model.ts";
import { options, path, whole } from "./support/options.ts";
import { measurePeak } from "./support/peak.ts";
import {
  hasTimestamps,
  median,
  profileRuns,
  secondsAmongMany,
  secondsOf,
  shareOutside,
} from "./support/time.ts";

const { batch, steps, json, data, cold } = options("bench:step", {
  batch: [256, "N", "images a step (256)", whole],
  steps: [5, "N", "how often each time is taken (5)", whole],
  json: [undefined, "FILE", "write all numbers there, too", path],
  data: [undefined, "DIR", "MNIST's IDX files (default: synthetic bytes)", path],
  cold: [false, "", "compile every shader anew (Mesa: an empty cache folder)", Boolean],
});

if (cold) {
  // Before the driver is loaded, which reads it.
  const dir = Deno.makeTempDirSync();
  Deno.env.set("MESA_SHADER_CACHE_DIR", dir);
  globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
}
const dataset = await datasetFrom(data, Math.max(1024, batch));

using gpu = await Gpu.request();
const peakBefore = await measurePeak(gpu);
using model = makeModel(gpu, { dataset });
const indices = batchOf(batch, dataset.count);

const enqueued: number[] = [];
const step = () => {
  const begun = performance.now();
  model.step(indices);
  enqueued.push(performance.now() - begun);
};
const waited = () => {
  step();
  return gpu.idle();
};
const [firstStep] = await secondsOf(1, waited);
await waited();
enqueued.length = 0;
const stepTimes = await secondsOf(steps, waited);
const amongMany = await secondsAmongMany(gpu, step, steps);
const outside = hasTimestamps(gpu)
  ? shareOutside((await profileRuns(3, () => model.profile(indices))).dispatches)
  : undefined;

/** Seconds of making `count` images: one call that is read, and a call among many. */
async function generation(count: number) {
  using program = compileGeneration(gpu, model, count);
  const noise = seedNoise(count, model.generator.noiseDim, 0);
  const call = () => {
    program.run({ noise });
    return program.read("images");
  };
  await call(); // compiled
  return {
    call: median(await secondsOf(steps, call)),
    amongMany: await secondsAmongMany(gpu, () => program.run({ noise }), steps),
    flops: program.stats.flops,
  };
}
const many = await generation(256);
const few = await generation(16);
const peak = Math.max(peakBefore, await measurePeak(gpu));

const { dispatches, plannedBytes, tensorBytes } = model.program(batch).stats;
const flops = stepFlops(batch);
const seconds = median(stepTimes);
const gflops = flops / seconds / 1e9;
const result = {
  adapter: gpu.info.description,
  batch,
  data: data === undefined ? "synthetic" : "MNIST",
  s_per_step: seconds,
  s_per_step_min: Math.min(...stepTimes),
  s_per_step_enqueued: amongMany,
  s_first_step: firstStep,
  ms_enqueue: median(enqueued),
  gflop_per_step: flops / 1e9,
  gflops,
  peak_gflops: peak,
  fraction: gflops / peak,
  share_outside_gemm: outside ?? null,
  dispatches,
  planned_bytes: plannedBytes,
  planned_share: plannedBytes / tensorBytes,
  s_per_generation_256: many.call,
  s_per_generation_256_enqueued: many.amongMany,
  gflops_generation_256: many.flops / many.amongMany / 1e9,
  s_per_generation_16: few.call,
  s_per_generation_16_enqueued: few.amongMany,
  gflops_generation_16: few.flops / few.amongMany / 1e9,
};
for (const [name, value] of Object.entries(result)) {
  console.log(`${name.padEnd(30)}${typeof value === "number" ? +value.toPrecision(4) : value}`);
}
if (json !== undefined) await Deno.writeTextFile(json, JSON.stringify(result, null, 2) + "\n");
console.log(
  `s_per_step=${seconds.toFixed(4)} gflops=${gflops.toFixed(1)} peak_gflops=${peak.toFixed(1)} ` +
    `fraction=${(gflops / peak).toFixed(3)}`,
);
