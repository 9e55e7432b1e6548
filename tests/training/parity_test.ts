/**
 * Losses of the first steps from a fixed seed, pinned.
 *
 * Other adapters add up in another order and round exp, log and cos otherwise, which Adam makes
 * grow: it divides each gradient by its own size, and so moves a weight of a gradient near zero as
 * far as any other. Within 1e-3 it is the same training; another mask, batch or rate is outside.
 */

import { type GemmVariant, Gpu, type Hyperparameters } from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { SmallRun } from "../support/worker.ts";

const gpu = await Gpu.request();

// Of the generator and the discriminator, step by step.
const SMALL = [
  [0.702331, 1.286524],
  [0.672535, 1.312007],
  [0.682987, 1.189990],
  [0.653156, 1.206025],
  [0.648567, 1.237456],
  [0.645281, 1.184978],
  [0.663846, 1.001529],
  [0.656323, 1.014831],
  [0.685171, 1.020585],
  [0.630006, 1.130643],
];
const FULL_SIZE = [[0.707064, 1.437891], [0.685093, 1.398771]];

async function test(pinned: readonly number[][], options: Hyperparameters = {}): Promise<void> {
  using run = new SmallRun(gpu, { seed: 3, ...options });
  const losses = await run.train(pinned.length, 8);
  assertClose(losses.flat(), pinned.flat(), { rtol: 1e-3, what: "losses" });
}

for (const gemm of ["auto", "winograd", "texture", "tiled", "direct"] satisfies GemmVariant[]) {
  Deno.test(`the first ten steps of a small network, dropout on, ${gemm} kernels`, async () => {
    const { tuning } = gpu;
    gpu.tune({ gemm });
    await test(SMALL);
    gpu.tune(tuning);
  });
}

Deno.test("the first two steps of the full-size network, dropout on", () =>
  test(FULL_SIZE, {
    noiseDim: 100,
    learningRate: 1e-4,
    generatorWidths: [256, 128, 64],
    discriminatorWidths: [64, 128],
  }));
