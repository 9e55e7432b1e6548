/**
 * A training step and generation at full size, with the adapter's arithmetic peak from the same run.
 *
 *   deno task bench:step [--batch N] [--steps N] [--json FILE]
 *
 * The last line is for programs: s_per_step=… gflops=… peak_gflops=… fraction=…
 * GFLOP are those of the dense definition of every matrix product and convolution; padding counts.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Gpu } from "../mod.ts";
import { DCGAN } from "../src/dcgan.ts";
import { Sampler, seedNoise } from "../src/model/sampler.ts";
import { measurePeak } from "./support/peak.ts";

const { values } = parseArgs({
  options: {
    batch: { type: "string", default: "256" },
    steps: { type: "string", default: "5" },
    json: { type: "string" },
  },
});
const batch = Number(values.batch);
const steps = Number(values.steps);

function median(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Seconds of each of `runs` calls, after one that compiles. */
async function time(runs: number, call: () => Promise<unknown>): Promise<number[]> {
  await call();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const begun = performance.now();
    await call();
    times.push((performance.now() - begun) / 1000);
  }
  return times;
}

using gpu = await Gpu.request();
const count = Math.max(batch, 1024);
const images = Uint8Array.from({ length: count * 784 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
using model = new DCGAN(gpu, {
  images,
  labels: new Uint8Array(count),
  count,
  height: 28,
  width: 28,
  channels: 1,
}, { seed: 0, generator: {}, discriminator: {}, adam: { learningRate: 1e-4 } });
const indices = Uint32Array.from({ length: batch }, (_, i) => i);

let enqueue = Infinity;
const first = performance.now();
model.step(indices);
await gpu.idle();
const firstStep = (performance.now() - first) / 1000;
const stepTimes = await time(steps, async () => {
  const begun = performance.now();
  model.step(indices);
  enqueue = Math.min(enqueue, performance.now() - begun);
  await gpu.idle();
});
using sampler = new Sampler(gpu, model.generator, batch);
const noise = seedNoise(batch, 100, 0);
const sampleTimes = await time(steps, () => sampler.sample(noise));
const peak = await measurePeak(gpu);

const { flops, plannedBytes, tensorBytes } = model.stats(batch);
const seconds = median(stepTimes);
const gflops = flops / seconds / 1e9;
const result = {
  adapter: gpu.info.description,
  batch,
  s_per_step: seconds,
  s_per_step_min: Math.min(...stepTimes),
  s_first_step: firstStep,
  ms_enqueue: enqueue,
  s_per_generation: median(sampleTimes),
  gflop_per_step: flops / 1e9,
  gflops,
  peak_gflops: peak,
  fraction: gflops / peak,
  planned_share: plannedBytes / tensorBytes,
};
for (const [name, value] of Object.entries(result)) {
  console.log(`${name.padEnd(18)}${typeof value === "number" ? +value.toPrecision(4) : value}`);
}
if (values.json) await Deno.writeTextFile(values.json, JSON.stringify(result, null, 2) + "\n");
console.log(
  `s_per_step=${seconds.toFixed(3)} gflops=${gflops.toFixed(1)} peak_gflops=${peak.toFixed(1)} ` +
    `fraction=${(gflops / peak).toFixed(3)}`,
);
