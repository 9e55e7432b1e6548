/**
 * Every dispatch of a full-size training step, from timestamp queries, and the sums by kernel; and a
 * trace that Perfetto or chrome://tracing opens.
 *
 *   deno task profile [--batch N] [--trace FILE]
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Gpu, type Timing } from "../mod.ts";
import { DCGAN } from "../src/dcgan.ts";
import { measurePeak } from "./support/peak.ts";

const { values } = parseArgs({
  options: { batch: { type: "string", default: "256" }, trace: { type: "string" } },
});
const batch = Number(values.batch);

using gpu = await Gpu.request();
const images = Uint8Array.from({ length: batch * 784 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
using model = new DCGAN(gpu, {
  images,
  labels: new Uint8Array(batch),
  count: batch,
  height: 28,
  width: 28,
  channels: 1,
}, { seed: 0, generator: {}, discriminator: {}, adam: { learningRate: 1e-4 } });
const indices = Uint32Array.from({ length: batch }, (_, i) => i);
model.step(indices);
await gpu.idle(); // compiled
const timings = await model.profile(indices);
const peak = await measurePeak(gpu);

function row(name: string, { milliseconds, flops, bytes }: Omit<Timing, "label" | "kernel">) {
  const gflops = flops / milliseconds / 1e6;
  return [
    milliseconds.toFixed(2).padStart(9),
    (flops ? gflops.toFixed(1) : "").padStart(9),
    (bytes / milliseconds / 1e6).toFixed(1).padStart(8),
    (flops ? `${(100 * gflops / peak).toFixed(0)}%` : "").padStart(6),
    ` ${name}`,
  ].join(" ");
}
const HEAD = "       ms   GFLOP/s     GB/s   peak  ";

console.log(`${HEAD}op, shape`);
for (const timing of timings) console.log(row(timing.label, timing));

console.log(`\n${HEAD}kernel`);
const byKernel = Map.groupBy(timings, (t) => t.kernel);
const sums = [...byKernel].map(([kernel, list]) => ({
  kernel: `${kernel} (${list.length})`,
  milliseconds: list.reduce((sum, t) => sum + t.milliseconds, 0),
  flops: list.reduce((sum, t) => sum + t.flops, 0),
  bytes: list.reduce((sum, t) => sum + t.bytes, 0),
}));
for (const sum of sums.sort((a, b) => b.milliseconds - a.milliseconds)) {
  console.log(row(sum.kernel, sum));
}
const total = sums.reduce((sum, s) => sum + s.milliseconds, 0);
const gemm = sums.filter((s) => s.flops > 0).reduce((sum, s) => sum + s.milliseconds, 0);
console.log(
  `\n${total.toFixed(1)} ms in ${timings.length} dispatches; ` +
    `${(100 * (1 - gemm / total)).toFixed(1)}% outside matmul-like kernels; ` +
    `peak ${peak.toFixed(0)} GFLOP/s`,
);

if (values.trace) {
  let at = 0;
  const events = timings.map(({ label, kernel, milliseconds, flops, bytes }) => {
    const event = {
      name: label,
      cat: kernel,
      ph: "X",
      pid: 1,
      tid: 1,
      ts: at,
      dur: milliseconds * 1000,
      args: { kernel, flops, bytes },
    };
    at += event.dur;
    return event;
  });
  await Deno.writeTextFile(values.trace, JSON.stringify({ traceEvents: events }));
  console.log(`wrote ${values.trace}`);
}
