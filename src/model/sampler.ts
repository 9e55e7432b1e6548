/**
 * Pictures from a generator.
 *
 * @module
 */

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

/** Pictures that are made at once, at most: more need more memory and are not faster. */
const AT_ONCE = 64;

/**
 * Pictures of any number of noise vectors, with the memory of a few.
 *
 * @param noise [count, noiseDim]
 * @returns [count, height, width, channels] on [-1, 1]
 */
export async function generate(
  gpu: Gpu,
  generator: Generator,
  noise: Float32Array,
): Promise<Float32Array<ArrayBuffer>> {
  const { noiseDim, outputShape } = generator;
  const count = noise.length / noiseDim;
  const size = sizeOf(outputShape);
  const pictures = new Float32Array(count * size);
  using sampler = new Sampler(gpu, generator, Math.min(count, AT_ONCE));
  // The last bunch is filled up, so that one program serves all.
  const bunch = new Float32Array(sampler.count * noiseDim);
  for (let at = 0; at < count; at += sampler.count) {
    const here = Math.min(sampler.count, count - at);
    bunch.set(noise.subarray(at * noiseDim, (at + here) * noiseDim));
    pictures.set((await sampler.sample(bunch)).subarray(0, here * size), at * size);
  }
  return pictures;
}
