/** A moving average of a generator's weights, whose images do not swing from step to step. */

import type { Gpu } from "../graph/gpu.ts";
import type { Program } from "../graph/program.ts";
import * as ops from "../ops/mod.ts";
import type { Adam } from "../optim/adam.ts";
import { compileFitting } from "./fitting_batch.ts";
import { Generator, type GeneratorOptions } from "./generator.ts";
import { RandomSequence, STREAM } from "./threefry.ts";

/** Images whose statistics the average's batch normalization has, and most of them made at once. */
const IMAGES = 512;
const MOST_AT_ONCE = 256;

/**
 * An exponential moving average of a generator's weights: after each update,
 * average += max(1 - decay, 9 / (10 + t)) * (weights - average), where t counts the updates. The
 * window grows with t up to 1 / (1 - decay) updates, so that the initial weights are soon forgotten
 * (as TensorFlow's ExponentialMovingAverage with `num_updates`).
 *
 * Averages of batch statistics would not be those of the average's own activations. So `settle`
 * takes the statistics of 512 images that the average itself generates.
 */
export class GeneratorAverage {
  /** With the average's weights. Its statistics are those of the last `settle`. */
  readonly generator: Generator;
  readonly #hasStatistics: boolean;
  #program:
    | { readonly program: Program<"noise" | "labels" | "momentum">; readonly batch: number }
    | undefined;
  #noise: Float32Array | undefined;
  /** Version of the weights that the statistics are of. */
  #settled = -1;

  /**
   * @param options the generator's, whose weights the average begins with
   * @param labelOf the class of one of so many images for the statistics
   */
  constructor(
    private readonly gpu: Gpu,
    private readonly options: GeneratorOptions,
    private readonly decay: number,
    private readonly labelOf: (image: number, of: number) => number = () => 0,
  ) {
    this.generator = new Generator(gpu, options);
    const { variables, trainableVariables } = this.generator;
    this.#hasStatistics = variables.length > trainableVariables.length;
  }

  /** Records a move toward the weights of a generator, after its optimizer was applied. */
  record({ trainableVariables: weights }: Generator, { state }: Adam): void {
    const updates = ops.slice(state, [0], [1]);
    const rate = ops.maximum(ops.div(9, ops.add(updates, 10)), 1 - this.decay);
    for (const [i, average] of this.generator.trainableVariables.entries()) {
      ops.assign(average, ops.add(average, ops.mul(ops.sub(weights[i], average), rate)));
    }
  }

  /**
   * The generator with the statistics of its weights as they are after everything enqueued so far.
   * Returns at once.
   */
  settle(): Generator {
    const { version } = this.generator.trainableVariables[0].view.buffer;
    if (!this.#hasStatistics || version === this.#settled) return this.generator;
    const { noiseDim } = this.generator;
    this.#noise ??= this.#makeNoise();
    const { program, batch } = this.#program ??= this.#compile();
    for (let at = 0; at < IMAGES; at += batch) {
      program.run({
        noise: this.#noise.subarray(at * noiseDim, (at + batch) * noiseDim),
        labels: Uint32Array.from({ length: batch }, (_, i) => this.labelOf(at + i, IMAGES)),
        momentum: [at / (at + batch)], // the mean over the batches so far
      });
    }
    this.#settled = version;
    return this.generator;
  }

  #makeNoise(): Float32Array {
    const random = new RandomSequence(this.options.seed ?? 0, STREAM.average);
    return Float32Array.from({ length: IMAGES * this.generator.noiseDim }, () => random.normal());
  }

  /** The program that moves the statistics to those of a batch, as large as fits into memory. */
  #compile() {
    return compileFitting(MOST_AT_ONCE, (batch) =>
      this.gpu.compile(
        {
          noise: [batch, this.generator.noiseDim],
          labels: { shape: [batch], dtype: "u32" },
          momentum: [1],
        },
        ({ noise, labels, momentum }) => {
          const ofClass = this.generator.classes ? { labels } : {};
          this.generator.call(noise, { training: true, momentum, ...ofClass });
          return {};
        },
        { label: `statistics of ${batch}` },
      ));
  }

  /** Drops the compiled program; the next one has the kernels that are chosen by then. */
  recompile(): void {
    this.#program?.program[Symbol.dispose]();
    this.#program = undefined;
    this.#settled = -1;
  }
}
