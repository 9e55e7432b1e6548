/**
 * Images from a generator.
 *
 * @module
 */

import { OutOfMemoryError } from "../errors.ts";
import type { Gpu } from "../graph/gpu.ts";
import type { Program } from "../graph/program.ts";
import { sizeOf } from "../graph/tensor.ts";
import type { Generator } from "./generator.ts";
import { RandomSequence, STREAM } from "./threefry.ts";

/** `count` noise vectors of a seed, row after row: always the same for the same seed. */
export function seedNoise(
  count: number,
  noiseDim: number,
  seed: number,
): Float32Array<ArrayBuffer> {
  const random = new RandomSequence(seed, STREAM.samples);
  return Float32Array.from({ length: count * noiseDim }, () => random.normal());
}

/** Images of one run of a program, at most: of some thousands, what is between layers fits no binding. */
const A_RUN = 256;

/**
 * A generator in inference mode, compiled for a number of images at once: as many as are wanted, 256
 * at most, or the half, the quarter and so on where the device cannot hold what makes them.
 */
export class Sampler {
  readonly #program: Program<"noise", "images">;
  readonly #noiseDim: number;
  readonly #size: number;
  readonly #atOnce: number;

  /** @throws {OutOfMemoryError} when the device cannot hold what makes one image. */
  constructor(gpu: Gpu, generator: Generator, count: number) {
    const { noiseDim, outputShape } = generator;
    this.#noiseDim = noiseDim;
    this.#size = sizeOf(outputShape);
    for (let atOnce = Math.min(count, A_RUN);; atOnce = Math.ceil(atOnce / 2)) {
      try {
        this.#program = gpu.compile(
          { noise: [atOnce, noiseDim] },
          ({ noise }) => ({ images: generator.call(noise, { training: false }) }),
          { label: `sampler of ${atOnce}` },
        );
        this.#atOnce = atOnce;
        return;
      } catch (error) {
        if (!(error instanceof OutOfMemoryError) || atOnce === 1) throw error;
      }
    }
  }

  /**
   * Images [count, height, width, channels] on [-1, 1], of the weights as they are now.
   *
   * @param noise [count, noiseDim]
   */
  async sample(noise: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const count = noise.length / this.#noiseDim;
    const bunches: Promise<{ images: Float32Array }>[] = [];
    // All are enqueued before any is awaited: what trains meanwhile comes after them.
    for (let at = 0; at < count; at += this.#atOnce) {
      const bunch = noise.subarray(at * this.#noiseDim, (at + this.#atOnce) * this.#noiseDim);
      // The last one is filled up, so that one program serves all.
      const filled = new Float32Array(this.#atOnce * this.#noiseDim);
      filled.set(bunch);
      this.#program.run({ noise: filled });
      bunches.push(this.#program.read("images"));
    }
    const images = new Float32Array(count * this.#size);
    for (const [i, bunch] of (await Promise.all(bunches)).entries()) {
      const at = i * this.#atOnce;
      images.set(bunch.images.subarray(0, (count - at) * this.#size), at * this.#size);
    }
    return images;
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}

/** Images that are made at once, at most: more need more memory and are not faster. */
const AT_ONCE = 64;

/**
 * Images of any number of noise vectors, with the memory of a few.
 *
 * @param noise [count, noiseDim]
 * @returns [count, height, width, channels] on [-1, 1]
 */
export async function generate(
  gpu: Gpu,
  generator: Generator,
  noise: Float32Array,
): Promise<Float32Array<ArrayBuffer>> {
  using sampler = new Sampler(gpu, generator, Math.min(noise.length / generator.noiseDim, AT_ONCE));
  return await sampler.sample(noise);
}
