/** Images of a generator under training, and how far they are from the data. */

import type { Gpu } from "../graph/gpu.ts";
import { energyDistance } from "../metrics/distance.ts";
import type { Generator } from "../model/generator.ts";
import { Sampler, seedNoise } from "../model/sampler.ts";
import type { ResolvedOptions } from "./options.ts";

/** Numbers of images whose samplers stay compiled, and on the device: grids, distances, two more. */
const KEPT = 4;

/** Images on each side of a distance. */
const COMPARED = 256;

/** Samplers by number of images. They are compiled when needed, and the ones used last stay. */
export class Samples implements Disposable {
  /** The one that was used last comes last. */
  readonly #samplers = new Map<number, Sampler>();
  #reading = 0;
  #distance: { readonly weights: string; readonly value: number } | undefined;

  constructor(
    private readonly gpu: Gpu,
    /** The generator as it stands, with its statistics up to date. */
    private readonly generatorNow: () => Generator,
    private readonly options: ResolvedOptions,
  ) {}

  /**
   * Images of the generator as it stands after everything enqueued so far.
   *
   * @param seed of the noise
   * @param labels as `Trainer.sample` takes them
   * @returns [count, height, width, channels] on [-1, 1]
   */
  async sample(
    count: number,
    seed: number,
    labels?: ArrayLike<number>,
  ): Promise<Float32Array<ArrayBuffer>> {
    const generator = this.generatorNow();
    const sampler = this.#samplers.get(count) ?? new Sampler(this.gpu, generator, count);
    this.#samplers.delete(count);
    this.#samplers.set(count, sampler); // as the newest
    this.#reading++;
    try {
      return await sampler.sample(seedNoise(count, generator.noiseDim, seed), labels);
    } finally {
      // Nothing is freed while images are still read from it.
      if (--this.#reading === 0) this.#free(KEPT);
    }
  }

  /** The distance, if the options ask for it. */
  async measure(): Promise<number | undefined> {
    return this.options.distance ? await this.distance() : undefined;
  }

  /**
   * The energy distance of such images from the data, measured once for the same weights. NaN for a
   * data set of a single image, which has no distribution.
   */
  async distance(): Promise<number> {
    // Each write to a buffer raises its version. It is read first: while images are on their way, the
    // weights may change.
    const weights = this.generatorNow().variables.map(({ view }) => view.buffer.version).join();
    if (this.#distance?.weights === weights) return this.#distance.value;
    const { seed, dataset: { images, count, height, width, channels } } = this.options;
    if (count < 2) return NaN;
    const size = height * width * channels;
    const n = Math.min(COMPARED, count);
    const real = new Float32Array(n * size);
    for (let i = 0; i < n; i++) {
      // Evenly over the whole set, which may be sorted.
      const from = Math.floor(i * count / n) * size;
      for (let j = 0; j < size; j++) real[i * size + j] = images[from + j] / 127.5 - 1;
    }
    const value = energyDistance(await this.sample(n, seed), real, size);
    this.#distance = { weights, value };
    return value;
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
