/**
 * Every dispatch of a training step, from timestamp queries: op and shape, time, GFLOP/s, GB/s and
 * the percentage of the adapter's peak; their sums by op and by kernel; and a trace for Perfetto
 * (ui.perfetto.dev) or chrome://tracing.
 *
 *   deno task profile [--batch N] [--runs N] [--width X] [--trace FILE] [--data DIR]
 *
 * The step is run several times; the tables have the least time of each dispatch, the trace has the
 * fastest run as it happened. Copies to textures are no dispatches: they are the gaps in the trace.
 * GB/s are of what a dispatch binds, each thing once, the whole data set where it gathers a batch. A
 * fused chain is under the op that ends it.
 *
 * @module
 */

import { Gpu, type Timing } from "../mod.ts";
import { batchOf, datasetFrom, makeModel } from "./support/model.ts";
import { options, path, whole, width as widthOf } from "./support/options.ts";
import { measureBandwidth, measurePeak } from "./support/peak.ts";
import { HEAD, row } from "./support/table.ts";
import { opOf, profileRuns, shareOutside, spanOf, sumOf } from "./support/time.ts";
import { traceOf } from "./support/trace.ts";

const { batch, runs, width, trace, data } = options("profile", {
  batch: [256, "N", "images a step (256)", whole],
  runs: [3, "N", "runs of the step (3)", whole],
  width: [1, "X", "multiplies the channels of hidden layers (1)", widthOf],
  trace: [path("trace.json"), "FILE", "where the trace goes (trace.json)", path],
  data: [undefined, "DIR", "MNIST's IDX files (default: synthetic bytes)", path],
});

using gpu = await Gpu.request();
const dataset = await datasetFrom(data, batch);
using model = makeModel(gpu, { batch, width, dataset });
const indices = batchOf(batch, dataset.count);
const before = await measurePeak(gpu);
model.step(indices);
await gpu.idle(); // compiled
const { dispatches, fastest } = await profileRuns(runs, () => model.profile(indices));
const peaks = {
  arithmetic: Math.max(before, await measurePeak(gpu)),
  bandwidth: await measureBandwidth(gpu),
};

function printSums(what: string, of: (timing: Timing) => string): void {
  console.log(`\n${HEAD}${what} (dispatches)`);
  const sums = [...Map.groupBy(dispatches, of)].map(([name, list]) => ({
    name: `${name} (${list.length})`,
    sum: sumOf(list),
  }));
  for (const { name, sum } of sums.sort((a, b) => b.sum.milliseconds - a.sum.milliseconds)) {
    console.log(row(name, sum, peaks));
  }
}

console.log(`${HEAD}op, shape`);
for (const timing of dispatches) console.log(row(timing.label, timing, peaks));
printSums("op", opOf);
printSums("kernel", ({ kernel }) => kernel);

const total = sumOf(dispatches);
const span = spanOf(fastest);
const between = span - sumOf(fastest).milliseconds;
console.log(`
training step of ${batch}, ${gpu.info.description}
${
  total.milliseconds.toFixed(1)
} ms in ${dispatches.length} dispatches, the least of ${runs} runs each
${(100 * shareOutside(dispatches)).toFixed(1)}% of it outside matmul-like kernels
${between.toFixed(1)} ms of ${
  span.toFixed(1)
} ms between dispatches: copies and starting, fastest run
peak ${peaks.arithmetic.toFixed(1)} GFLOP/s, ${peaks.bandwidth.toFixed(1)} GB/s`);

const file = traceOf(fastest, `training step of ${batch}`, { adapter: gpu.info.description });
await Deno.writeTextFile(trace, JSON.stringify(file) + "\n");
console.log(`wrote ${trace}`);
