/**
 * Pictures from a generator.
 *
 * @module
 */

import type { Gpu } from "../graph/gpu.ts";
import type { Program } from "../graph/program.ts";
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

/** A generator in inference mode, compiled for a number of pictures. */
export class Sampler {
  readonly #program: Program<"noise", "pictures">;

  constructor(gpu: Gpu, generator: Generator, readonly count: number) {
    this.#program = gpu.compile(
      { noise: [count, generator.noiseDim] },
      ({ noise }) => ({ pictures: generator.call(noise, { training: false }) }),
      { label: `sampler of ${count}` },
    );
  }

  /**
   * Pictures [count, height, width, channels] on [-1, 1].
   *
   * @param noise [count, noiseDim]
   */
  async sample(noise: ArrayLike<number>): Promise<Float32Array<ArrayBuffer>> {
    this.#program.run({ noise });
    return (await this.#program.read("pictures")).pictures;
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
