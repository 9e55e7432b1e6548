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

/** Pictures of one run of a program, at most: of some thousands, what is between layers fits no binding. */
const A_RUN = 256;

/** A generator in inference mode, compiled for a number of pictures. */
export class Sampler {
  readonly #program: Program<"noise", "pictures">;
  readonly #noiseDim: number;
  /** Pictures of one run. */
  readonly #run: number;

  constructor(gpu: Gpu, generator: Generator, readonly count: number) {
    this.#noiseDim = generator.noiseDim;
    this.#run = Math.min(count, A_RUN);
    this.#program = gpu.compile(
      { noise: [this.#run, generator.noiseDim] },
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
    const one = async (part: ArrayLike<number>) => {
      this.#program.run({ noise: part });
      return (await this.#program.read("pictures")).pictures;
    };
    if (this.count === this.#run) return await one(noise);
    // The last run is filled up with zeros. All are enqueued now: a step that comes meanwhile is behind.
    const runs = Math.ceil(this.count / this.#run);
    const all = new Float32Array(runs * this.#run * this.#noiseDim);
    all.set(noise);
    const size = this.#run * this.#noiseDim;
    const parts = await Promise.all(
      Array.from({ length: runs }, (_, i) => one(all.subarray(i * size, (i + 1) * size))),
    );
    const each = parts[0].length / this.#run;
    const pictures = new Float32Array(this.count * each);
    for (const [i, part] of parts.entries()) {
      const at = i * part.length;
      pictures.set(part.subarray(0, pictures.length - at), at);
    }
    return pictures;
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
