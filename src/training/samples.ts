/**
 * Images of a generator under training.
 *
 * @module
 */

import type { Gpu } from "../graph/gpu.ts";
import type { Generator } from "../model/generator.ts";
import { Sampler, seedNoise } from "../model/sampler.ts";

/** Numbers of images whose samplers stay compiled, and on the device: grids, distances, two more. */
const KEPT = 4;

/** Samplers by number of images. They are compiled when needed, and the ones used last stay. */
export class Samples implements Disposable {
  /** The one that was used last comes last. */
  readonly #samplers = new Map<number, Sampler>();
  #reading = 0;

  constructor(private readonly gpu: Gpu, private readonly generator: Generator) {}

  /**
   * Images of the generator as it stands after everything enqueued so far.
   *
   * @param seed of the noise
   * @returns [count, height, width, channels] on [-1, 1]
   */
  async sample(count: number, seed: number): Promise<Float32Array<ArrayBuffer>> {
    const sampler = this.#samplers.get(count) ?? new Sampler(this.gpu, this.generator, count);
    this.#samplers.delete(count);
    this.#samplers.set(count, sampler); // as the newest
    this.#reading++;
    try {
      return await sampler.sample(seedNoise(count, this.generator.noiseDim, seed));
    } finally {
      // Nothing is freed while images are still read from it.
      if (--this.#reading === 0) this.#free(KEPT);
    }
  }

  /** Frees all samplers. The next ones are compiled with the kernels that are chosen by then. */
  [Symbol.dispose](): void {
    this.#free(0);
  }

  #free(keep: number): void {
    const surplus = Math.max(0, this.#samplers.size - keep);
    for (const [count, sampler] of [...this.#samplers].slice(0, surplus)) {
      sampler[Symbol.dispose]();
      this.#samplers.delete(count);
    }
  }
}
