/** Images from a generator. */

import type { Gpu } from "../graph/gpu.ts";
import type { Program } from "../graph/program.ts";
import { sizeOf } from "../graph/tensor.ts";
import { compileFitting } from "./fitting_batch.ts";
import type { Generator } from "./generator.ts";
import { gridLabels, requireClasses } from "./labels.ts";
import { RandomSequence, STREAM } from "./threefry.ts";

/** Noise vectors [count, noiseDim] of a seed, the same each time. */
export function seedNoise(count: number, noiseDim: number, seed: number) {
  const random = new RandomSequence(seed, STREAM.samples);
  return Float32Array.from({ length: count * noiseDim }, () => random.normal());
}

/** Most images in one run: the activations of some thousands are larger than a binding may be. */
const MOST_AT_ONCE = 256;

/**
 * A generator in inference mode, compiled for a batch of images: as many as are asked for, at most
 * 256. Where they do not fit into the device's memory, half as many, a quarter, and so on.
 */
export class Sampler {
  readonly #program: Program<"noise" | "labels", "images">;
  readonly #batch: number;

  /** @throws {OutOfMemoryError} when not even one image fits into the device's memory. */
  constructor(gpu: Gpu, private readonly generator: Generator, count: number) {
    const { program, batch } = compileFitting(Math.min(count, MOST_AT_ONCE), (batch) =>
      gpu.compile(
        { noise: [batch, generator.noiseDim], labels: { shape: [batch], dtype: "u32" } },
        ({ noise, labels }) => {
          const ofClass = generator.classes ? { labels } : {};
          return { images: generator.call(noise, { training: false, ...ofClass }) };
        },
        { label: `sampler of ${batch}` },
      ));
    this.#program = program;
    this.#batch = batch;
  }

  /**
   * Images [count, height, width, channels] on [-1, 1], made with the weights as they are now.
   *
   * @param noise [count, noiseDim]
   * @param labels [count], the class of each image, for a generator with classes. By default a row of
   *   one class each in a square grid, one class after another
   * @throws {RangeError} when a label is no class of the generator, or it has no classes.
   * @throws {TypeError} when there are not as many labels as images.
   */
  async sample(
    noise: Float32Array,
    labels?: ArrayLike<number>,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { noiseDim, outputShape, classes } = this.generator;
    const count = noise.length / noiseDim;
    if (labels) requireClasses(labels, count, classes);
    const classOf = labels ? Uint32Array.from(labels) : gridLabels(count, Math.max(classes, 1));
    const batches: Promise<{ images: Float32Array }>[] = [];
    // All are enqueued before any is awaited: a training step that is enqueued meanwhile comes after.
    for (let at = 0; at < count; at += this.#batch) {
      // The last batch is padded with zeros, so that one program makes all of them.
      const padded = new Float32Array(this.#batch * noiseDim);
      padded.set(noise.subarray(at * noiseDim, (at + this.#batch) * noiseDim));
      const paddedLabels = new Uint32Array(this.#batch);
      paddedLabels.set(classOf.subarray(at, at + this.#batch));
      this.#program.run({ noise: padded, labels: paddedLabels });
      batches.push(this.#program.read("images"));
    }
    const images = new Float32Array(count * sizeOf(outputShape));
    let at = 0;
    for (const batch of await Promise.all(batches)) {
      images.set(batch.images.subarray(0, images.length - at), at);
      at += batch.images.length;
    }
    return images;
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}

/**
 * Images of any number of noise vectors, made 64 at a time: more need more memory and are not faster.
 *
 * @param noise [count, noiseDim]
 * @param labels as {@linkcode Sampler.sample} takes them
 * @returns [count, height, width, channels] on [-1, 1]
 */
export async function generate(
  gpu: Gpu,
  generator: Generator,
  noise: Float32Array,
  labels?: Uint32Array,
) {
  using sampler = new Sampler(gpu, generator, Math.min(noise.length / generator.noiseDim, 64));
  return await sampler.sample(noise, labels);
}
