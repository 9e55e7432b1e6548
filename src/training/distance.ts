/**
 * How far generated images are from the data.
 *
 * @module
 */

import type { Dataset } from "../data/dataset.ts";
import { energyDistance } from "../metrics/distance.ts";
import type { Generator } from "../model/generator.ts";
import type { Samples } from "./samples.ts";

/** Images on each side. */
const IMAGES = 256;

/** Measures the energy distance of a generator from a data set, once for the same weights. */
export class Distance {
  #last: { readonly weights: string; readonly value: number } | undefined;

  /** @param seed of the noise */
  constructor(
    private readonly samples: Samples,
    private readonly generator: Generator,
    private readonly dataset: Dataset,
    private readonly seed: number,
  ) {}

  /** Of the weights as they stand after everything enqueued so far. NaN for a single image. */
  async measure(): Promise<number> {
    // Each write to a buffer raises its version. It is read first: while images are on their way, the
    // weights may change.
    const weights = this.generator.variables.map(({ view }) => view.buffer.version).join();
    if (this.#last?.weights === weights) return this.#last.value;
    const { images, count, height, width, channels } = this.dataset;
    if (count < 2) return NaN; // A single image has no distribution.
    const size = height * width * channels;
    const n = Math.min(IMAGES, count);
    const real = new Float32Array(n * size);
    for (let i = 0; i < n; i++) {
      // Evenly over the whole set, which may be sorted.
      const from = Math.floor(i * count / n) * size;
      for (let j = 0; j < size; j++) real[i * size + j] = images[from + j] / 127.5 - 1;
    }
    const value = energyDistance(await this.samples.sample(n, this.seed), real, size);
    this.#last = { weights, value };
    return value;
  }
}
