/**
 * Everything that a training step reads and changes, in one place: both networks, both optimizers,
 * the data set, the random state.
 */

import { type Dataset, labelsOf, type StreamedDataset } from "../data/dataset.ts";
import type { Timing } from "../gpu/commands.ts";
import { once } from "../gpu/once.ts";
import type { CompileProgress } from "../gpu/pipelines.ts";
import type { Gpu } from "../graph/gpu.ts";
import type { Program } from "../graph/program.ts";
import type { Variable } from "../graph/variable.ts";
import { requireState } from "./checkpoint.ts";
import type { SafeTensor } from "../formats/safetensors.ts";
import { Adam, type AdamOptions } from "../optim/adam.ts";
import { GeneratorAverage } from "../model/average.ts";
import { Discriminator } from "../model/discriminator.ts";
import { Generator } from "../model/generator.ts";
import { Feed } from "./feed.ts";
import {
  type Hyperparameters,
  type ResolvedHyperparameters,
  resolveHyperparameters,
} from "./hyperparameters.ts";
import { LossRing } from "./loss_ring.ts";
import { recordStep, type StepState } from "./step.ts";

const keyOf = (batch: number, updatesGenerator: boolean) => `${batch} ${updatesGenerator}`;

/** The networks under training. */
export class DCGAN implements StepState, Disposable {
  readonly hyperparameters: ResolvedHyperparameters;
  readonly generator: Generator;
  readonly average?: GeneratorAverage;
  readonly discriminator: Discriminator;
  readonly losses: LossRing;
  readonly generatorOptimizer: Adam;
  readonly discriminatorOptimizer: Adam;
  readonly feed: Feed;
  readonly random: Variable<"u32">;
  /** Steps by batch size and whether they update the generator. */
  readonly #programs = new Map<string, Program<"indices">>();

  /**
   * Makes the weights and puts the data set on the device.
   *
   * @throws {DataError} when the networks are to be conditional, and the data set has no labels.
   */
  constructor(
    private readonly gpu: Gpu,
    dataset: Dataset | StreamedDataset,
    options: Hyperparameters,
  ) {
    const { count, height, width, channels } = dataset;
    const resolved = this.hyperparameters = resolveHyperparameters(options, dataset);
    const { noiseDim, dropout, seed, normalization, ema, conditional } = resolved;
    const { labels, classes } = conditional
      ? labelsOf(dataset)
      : { labels: new Uint8Array(), classes: 0 };
    const image = { height, width, channels, seed, classes };
    // Frees the parts made so far when a later one refuses its options.
    const made: { dispose(): void }[] = [];
    const own = <T extends { dispose(): void }>(part: T): T => {
      made.push(part);
      return part;
    };
    const adam = ({ trainableVariables }: Generator | Discriminator, options: AdamOptions) =>
      own(new Adam(gpu, trainableVariables, { ...resolved, ...options }));
    const words = { dtype: "u32", trainable: false } as const;
    try {
      const ofGenerator = { ...image, noiseDim, normalization, widths: resolved.generatorWidths };
      this.generator = own(new Generator(gpu, ofGenerator));
      if (ema > 0) {
        // Evenly over the whole set, which may be sorted.
        const labelOf = (image: number, of: number) => labels[Math.floor(image * count / of)];
        const average = new GeneratorAverage(gpu, ofGenerator, ema, labelOf);
        this.average = average;
        own(average.generator);
      }
      this.discriminator = own(
        new Discriminator(gpu, {
          ...image,
          dropout,
          widths: resolved.discriminatorWidths,
          initializer: normalization === "none" ? "heUniform" : "glorotUniform",
        }),
      );
      this.losses = own(new LossRing(gpu));
      const { discriminatorLearningRate, discriminatorSteps, decaySteps } = resolved;
      // Adam counts updates, of which the generator has fewer.
      const ofUpdates = { decaySteps: decaySteps / discriminatorSteps };
      this.generatorOptimizer = adam(this.generator, ofUpdates);
      this.discriminatorOptimizer = adam(this.discriminator, {
        learningRate: discriminatorLearningRate,
      });
      this.feed = own(new Feed(gpu, dataset, resolved.batchSize, conditional ? labels : undefined));
      this.random = own(gpu.variable([2], [seed, 0], { ...words, name: "random" }));
    } catch (error) {
      for (const part of made) part.dispose();
      throw error;
    }
  }

  get images(): Variable<"u8"> {
    return this.feed.images;
  }

  get labels(): Variable<"u32"> | undefined {
    return this.feed.labels;
  }

  /**
   * Enqueues one step on some images; its losses go to the ring.
   *
   * @param indices their places on the device, as the feed gives them
   * @param number of the step, which decides whether it updates the generator; by default it does
   */
  step(indices: Uint32Array, number = 0): void {
    this.program(indices.length, this.updatesGenerator(number)).run({ indices });
  }

  /** Whether the step of this number updates the generator. */
  updatesGenerator(number: number): boolean {
    return number % this.hyperparameters.discriminatorSteps === 0;
  }

  /** The step of a batch size, compiled when it is first used. */
  program(batch: number, updatesGenerator = true): Program<"indices"> {
    const make = () => this.gpu.compile(...recordStep(this, batch, updatesGenerator));
    return once(this.#programs, keyOf(batch, updatesGenerator), make);
  }

  /** The kinds of steps that there are. */
  get #kinds(): readonly boolean[] {
    return this.hyperparameters.discriminatorSteps > 1 ? [true, false] : [true];
  }

  /** Whether all steps of a batch size are compiled. */
  isCompiled(batch: number): boolean {
    return this.#kinds.every((updates) => this.#programs.has(keyOf(batch, updates)));
  }

  /** Compiles the steps of a batch size beside other work, as far as they are not compiled yet. */
  async prepare(batch: number, onCompile: (progress: CompileProgress) => void): Promise<void> {
    for (const updates of this.#kinds) {
      const key = keyOf(batch, updates);
      if (this.#programs.has(key)) continue;
      const [inputs, body, options] = recordStep(this, batch, updates);
      const program = await this.gpu.compileAsync(inputs, body, { ...options, onCompile });
      this.#programs.set(key, program);
    }
  }

  /** The generator whose images are the best: the average if there is one, with its statistics. */
  get shown(): Generator {
    return this.average?.settle() ?? this.generator;
  }

  /** Drops compiled steps; the next ones are compiled with the kernels that are chosen by then. */
  recompile(): void {
    for (const program of this.#programs.values()) program[Symbol.dispose]();
    this.#programs.clear();
    this.average?.recompile();
  }

  /** Runs one step with timestamps around each dispatch. */
  profile(indices: Uint32Array): Promise<Timing[]> {
    this.step(indices);
    return this.program(indices.length).profile();
  }

  /** All state by name, as it stands after everything enqueued so far. */
  async save(): Promise<Map<string, SafeTensor>> {
    this.average?.settle();
    const entries = [...this.variables()];
    // The reads are enqueued together and share one wait.
    const data = await Promise.all(entries.map(([, variable]) => variable.read()));
    return new Map(entries.map(([name, { dtype, shape }], i) => {
      const tensor = { dtype: dtype === "u32" ? "U32" : "F32", shape, data: data[i] };
      return [name, tensor as SafeTensor];
    }));
  }

  /**
   * Restores all state.
   *
   * @param file what messages call the source
   * @throws {CheckpointError} when a tensor is missing, unknown, or of another shape or type. Nothing
   *   is changed then.
   */
  restore(tensors: ReadonlyMap<string, SafeTensor>, file: string): void {
    const variables = this.variables();
    requireState(tensors, variables, file);
    for (const [name, variable] of variables) variable.write(tensors.get(name)!.data);
    this.losses.reset();
  }

  /** Frees everything but the networks. */
  finish(): void {
    this.recompile();
    const { generatorOptimizer, discriminatorOptimizer, feed, random, losses } = this;
    for (const part of [generatorOptimizer, discriminatorOptimizer, feed, random, losses]) {
      part.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.finish();
    for (const part of [this.generator, this.average?.generator, this.discriminator]) {
      part?.dispose();
    }
  }

  /** All state by name: weights, moments, statistics, random state. */
  variables(): Map<string, Variable> {
    const stateOf = ({ state, moments }: Adam) => [state, ...moments];
    const parts = {
      generator: this.generator.variables,
      average: this.average?.generator.variables ?? [],
      discriminator: this.discriminator.variables,
      generator_optimizer: stateOf(this.generatorOptimizer),
      discriminator_optimizer: stateOf(this.discriminatorOptimizer),
    };
    const named = Object.entries(parts).flatMap(([part, variables]) =>
      variables.map((variable): [string, Variable] => [`${part}/${variable.name}`, variable])
    );
    return new Map([...named, ["random", this.random]]);
  }
}
