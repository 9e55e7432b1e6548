/** Images of a generator under training, and how they compare with the data. */

import { type Dataset, inMemory } from "../data/dataset.ts";
import type { Gpu } from "../graph/gpu.ts";
import { evaluatorOf, generated } from "../metrics/evaluate.ts";
import type { Evaluation, Evaluator } from "../metrics/evaluator.ts";
import type { Generator } from "../model/generator.ts";
import { Sampler, seedNoise } from "../model/sampler.ts";
import type { ResolvedOptions } from "./options.ts";

/** Numbers of images whose samplers stay compiled, and on the device: grids, evaluations, two more. */
const KEPT = 4;

/** The sampler of evaluations: as many images are made at once. */
const EVALUATED = 256;

/** Samplers by number of images. They are compiled when needed, and the ones used last stay. */
export class Samples implements Disposable {
  /** The one that was used last comes last. */
  readonly #samplers = new Map<number, Sampler>();
  #reading = 0;
  #evaluator: Evaluator | undefined;
  /** What they are compared with. */
  #compared: Dataset | undefined;
  #evaluation: { readonly weights: string; readonly of: Evaluation } | undefined;

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
    return await this.#use(
      count,
      (sampler, { noiseDim }) => sampler.sample(seedNoise(count, noiseDim, seed), labels),
    );
  }

  async #use<T>(
    count: number,
    act: (sampler: Sampler, generator: Generator) => Promise<T>,
  ): Promise<T> {
    const generator = this.generatorNow();
    const sampler = this.#samplers.get(count) ?? new Sampler(this.gpu, generator, count);
    this.#samplers.delete(count);
    this.#samplers.set(count, sampler); // as the newest
    this.#reading++;
    try {
      return await act(sampler, generator);
    } finally {
      // Nothing is freed while images are still read from it.
      if (--this.#reading === 0) this.#free(KEPT);
    }
  }

  /** How such images compare with the data, measured once for the same weights. No step may begin. */
  async evaluate(): Promise<Evaluation> {
    const weights = this.#weights();
    if (this.#evaluation?.weights === weights) return this.#evaluation.of;
    const { evaluateCount: count, seed } = this.options;
    const dataset = this.#compared ??= await inMemory(this.options.dataset, count);
    const evaluator = this.#evaluator ??= await evaluatorOf(this.gpu, dataset, {
      count,
      atHand: true,
    });
    try {
      const of = await this.#use(EVALUATED, (sampler, generator) => {
        const { labels } = dataset;
        return evaluator.measure(count, generated(generator, sampler, { count, seed, labels }));
      });
      this.#evaluation = { weights, of };
      return of;
    } catch (error) {
      // The trainer may have been disposed before there was an evaluator to dispose.
      this.#freeEvaluator();
      throw error;
    }
  }

  /** The evaluation of the weights as they stand, if it was made. */
  get evaluation(): Evaluation | undefined {
    return this.#evaluation?.weights === this.#weights() ? this.#evaluation.of : undefined;
  }

  /** Each write to a buffer raises its version. */
  #weights(): string {
    return this.generatorNow().variables.map(({ view }) => view.buffer.version).join();
  }

  /** Frees everything. The next samplers are compiled with the kernels that are chosen by then. */
  [Symbol.dispose](): void {
    this.#free(0);
    this.#freeEvaluator();
  }

  #freeEvaluator(): void {
    this.#evaluator?.[Symbol.dispose]();
    this.#evaluator = undefined;
  }

  #free(keep: number): void {
    const surplus = Math.max(0, this.#samplers.size - keep);
    for (const [count, sampler] of [...this.#samplers].slice(0, surplus)) {
      sampler[Symbol.dispose]();
      this.#samplers.delete(count);
    }
  }
}
