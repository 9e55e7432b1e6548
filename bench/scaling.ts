/**
 * How time and memory of a training step grow with the batch and with the width of the network.
 *
 *   deno task bench:scaling [--batches LIST] [--widths LIST] [--batch N] [--steps N] [--json FILE]
 *
 * A width multiplies the channels of every hidden layer: 256, 128, 64 of the generator and 64, 128
 * of the discriminator; the work of most layers grows with its square. Times are those of steps that
 * share a wait, as in training. "planned" is the memory that the tensors of a step share, "state"
 * the weights, the moments of both Adams and the moving statistics, the same for every batch.
 *
 * @module
 */

import { Gpu, OutOfMemoryError } from "../mod.ts";
import { batchOf, makeModel, stepFlops, syntheticDataset } from "./support/model.ts";
import { list, options, path, whole, width } from "./support/options.ts";
import { measurePeak } from "./support/peak.ts";
import { columns, mebibytes } from "./support/table.ts";
import { secondsAmongMany } from "./support/time.ts";

const { batches, widths, batch, steps, json } = options("bench:scaling", {
  batches: [[1, 16, 64, 256, 1024], "LIST", "batches at width 1 (1,16,64,256,1024)", list(whole)],
  widths: [[0.25, 0.5, 1, 2], "LIST", "widths at --batch (0.25,0.5,1,2)", list(width)],
  batch: [64, "N", "images a step where the width varies (64)", whole],
  steps: [3, "N", "how often each time is taken (3)", whole],
  json: [undefined, "FILE", "write all numbers there, too", path],
});

using gpu = await Gpu.request();

/** One row; none where the adapter has too little memory. */
async function measure(batch: number, width: number) {
  try {
    const dataset = syntheticDataset(batch);
    const before = gpu.context.memory.bytes;
    using model = makeModel(gpu, { batch, width, dataset });
    const state = gpu.context.memory.bytes - before - dataset.images.length;
    const indices = batchOf(batch);
    const seconds = await secondsAmongMany(gpu, () => model.step(indices), steps);
    const { plannedBytes } = model.program(batch).stats;
    const flops = stepFlops(batch, width);
    return {
      batch,
      width,
      s_per_step: seconds,
      s_per_image: seconds / batch,
      gflop_per_step: flops / 1e9,
      gflops: flops / seconds / 1e9,
      planned_bytes: plannedBytes,
      state_bytes: state,
      bytes: plannedBytes + state,
      bytes_per_image: (plannedBytes + state) / batch,
    };
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error;
    console.error(`batch ${batch}, width ${width}: ${error.message}`);
  }
}

type Row = NonNullable<Awaited<ReturnType<typeof measure>>>;

async function measureAll(cases: readonly (readonly [number, number])[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [batch, width] of cases) {
    const row = await measure(batch, width);
    if (row) rows.push(row);
  }
  return rows;
}

const HEAD = "batch,width,ms/step,ms/image,GFLOP/s,of peak,planned MiB,state MiB,sum MiB,MiB/image"
  .split(",");

function print(rows: readonly Row[], peak: number): void {
  console.log(columns([
    HEAD,
    ...rows.map((row) => [
      `${row.batch}`,
      `x${row.width}`,
      (row.s_per_step * 1e3).toFixed(1),
      (row.s_per_image * 1e3).toFixed(3),
      row.gflops.toFixed(1),
      `${(100 * row.gflops / peak).toFixed(0)}%`,
      mebibytes(row.planned_bytes),
      mebibytes(row.state_bytes),
      mebibytes(row.bytes),
      mebibytes(row.bytes_per_image),
    ]),
  ]));
}

const peakBefore = await measurePeak(gpu);
const byBatch = await measureAll(batches.map((batch) => [batch, 1]));
const byWidth = await measureAll(widths.map((width) => [batch, width]));
const peak = Math.max(peakBefore, await measurePeak(gpu));

console.log(`${gpu.info.description}, peak ${peak.toFixed(1)} GFLOP/s\n`);
print(byBatch, peak);
console.log();
print(byWidth, peak);
if (json !== undefined) {
  const result = {
    adapter: gpu.info.description,
    peak_gflops: peak,
    by_batch: byBatch,
    by_width: byWidth,
  };
  await Deno.writeTextFile(json, JSON.stringify(result, null, 2) + "\n");
}
