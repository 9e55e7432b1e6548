/**
 * The network that is measured: the tutorial's, on bytes that cost what MNIST costs.
 *
 * @module
 */

import { DataError, type Dataset, type Gpu, loadMNIST, type Program } from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";

const GENERATOR = [256, 128, 64] as const;
const DISCRIMINATOR = [64, 128] as const;

/** What of a model may differ from the tutorial's. */
export interface ModelOptions {
  /** Images a step. Default 256. */
  readonly batch?: number;
  /** Multiplies the channels of every hidden layer. Default 1. */
  readonly width?: number;
  /** Default: {@linkcode syntheticDataset} of a few batches. */
  readonly dataset?: Dataset;
}

/** Images of MNIST's size that look like noise and are the same every time. */
export function syntheticDataset(count: number): Dataset {
  const images = Uint8Array.from(
    { length: count * 784 },
    (_, i) => Math.imul(i, 2654435761) >>> 24,
  );
  return { images, labels: new Uint8Array(count), count, height: 28, width: 28, channels: 1 };
}

/** MNIST from a folder; without one, synthetic images. Says what is wrong with it and exits with 2. */
export async function datasetFrom(dir: string | undefined, count: number): Promise<Dataset> {
  if (dir === undefined) return syntheticDataset(count);
  try {
    return await loadMNIST({ dir });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}

/** The networks, their optimizers and their data, ready for a first step. */
export function makeModel(gpu: Gpu, { batch = 256, width = 1, dataset }: ModelOptions = {}): DCGAN {
  const [a, b, c] = GENERATOR.map((n) => Math.round(n * width));
  const [d, e] = DISCRIMINATOR.map((n) => Math.round(n * width));
  return new DCGAN(gpu, dataset ?? syntheticDataset(Math.max(1024, batch)), {
    generatorWidths: [a, b, c],
    discriminatorWidths: [d, e],
  });
}

/**
 * Floating-point operations of a training step by the definition of its layers, however they are
 * computed: a multiply-add counts as two, padding counts, biases and activations do not.
 */
export function stepFlops(batch: number, width = 1): number {
  const [a, b, c] = GENERATOR.map((n) => Math.round(n * width));
  const [d, e] = DISCRIMINATOR.map((n) => Math.round(n * width));
  const generator = [100 * 49 * a, 49 * 25 * a * b, 49 * 25 * b * c, 196 * 25 * c];
  const discriminator = [196 * 25 * d, 49 * 25 * d * e, 49 * e];
  const sum = (list: number[]) => list.reduce((x, y) => x + y, 0);
  // A layer costs the same forward, for its kernel's gradient and for its input's.
  const [g, n] = [sum(generator), sum(discriminator)];
  const ofGenerator = 3 * g - generator[0]; // noise needs no gradient
  // Real and fake images forward; both gradients of both for its own loss, though images need
  // none for that; the fake ones' again for the generator's.
  const ofDiscriminator = 2 * n + 2 * (2 * n - discriminator[0]) + n;
  return 2 * batch * (ofGenerator + ofDiscriminator);
}

/** The first `batch` places of a data set of `count` images, from the start again if they run out. */
export function batchOf(batch: number, count = batch): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: batch }, (_, i) => i % count);
}

/** The generator in inference, as it makes the images of an epoch. */
export function compileGeneration(
  gpu: Gpu,
  { generator }: DCGAN,
  count: number,
): Program<"noise", "images"> {
  return gpu.compile(
    { noise: [count, generator.noiseDim] },
    ({ noise }) => ({ images: generator.call(noise, { training: false }) }),
    { label: `generation of ${count}` },
  );
}
