/**
 * Everything that a training step reads and changes, in one place: both networks, both optimizers,
 * the data set, the random state.
 */

import type { Dataset } from "../data/dataset.ts";
import type { Timing } from "../gpu/commands.ts";
import { once } from "../gpu/once.ts";
import type { CompileProgress } from "../gpu/pipelines.ts";
import type { Gpu } from "../graph/gpu.ts";
import type { Program } from "../graph/program.ts";
import type { Variable } from "../graph/variable.ts";
import { requireState } from "./checkpoint.ts";
import type { SafeTensor } from "../formats/safetensors.ts";
import { Adam } from "../optim/adam.ts";
import { Discriminator } from "../model/discriminator.ts";
import { Generator } from "../model/generator.ts";
import { type Hyperparameters, resolveHyperparameters } from "./hyperparameters.ts";
import { LossRing } from "./loss_ring.ts";
import { recordStep, type StepState } from "./step.ts";

/** The networks under training. */
export class DCGAN implements StepState, Disposable {
  readonly generator: Generator;
  readonly discriminator: Discriminator;
  readonly losses: LossRing;
  readonly generatorOptimizer: Adam;
  readonly discriminatorOptimizer: Adam;
  readonly images: Variable<"u8">;
  readonly random: Variable<"u32">;
  readonly #programs = new Map<number, Program<"indices">>();

  /** Makes the weights and puts the data set on the device. */
  constructor(private readonly gpu: Gpu, dataset: Dataset, options: Hyperparameters) {
    const { count, height, width, channels } = dataset;
    const resolved = resolveHyperparameters(options);
    const { noiseDim, dropout, seed, learningRate, beta1, beta2 } = resolved;
    const image = { height, width, channels, seed };
    // Frees the parts made so far when a later one refuses its options.
    const made: { dispose(): void }[] = [];
    const own = <T extends { dispose(): void }>(part: T): T => {
      made.push(part);
      return part;
    };
    const adam = ({ trainableVariables }: Generator | Discriminator) =>
      own(new Adam(gpu, trainableVariables, { learningRate, beta1, beta2 }));
    const bytes = { name: "images", dtype: "u8", trainable: false } as const;
    const counters = { name: "random", dtype: "u32", trainable: false } as const;
    try {
      this.generator = own(
        new Generator(gpu, { ...image, noiseDim, widths: resolved.generatorWidths }),
      );
      this.discriminator = own(
        new Discriminator(gpu, { ...image, dropout, widths: resolved.discriminatorWidths }),
      );
      this.losses = own(new LossRing(gpu));
      this.generatorOptimizer = adam(this.generator);
      this.discriminatorOptimizer = adam(this.discriminator);
      this.images = own(gpu.variable([count, height, width, channels], dataset.images, bytes));
      this.random = own(gpu.variable([2], [seed, 0], counters));
    } catch (error) {
      for (const part of made) part.dispose();
      throw error;
    }
  }

  /** Enqueues one step on the images with these indices; its losses go to the ring. */
  step(indices: Uint32Array): void {
    this.program(indices.length).run({ indices });
  }

  /** The step of a batch size, compiled when it is first used. */
  program(batch: number): Program<"indices"> {
    return once(this.#programs, batch, () => this.gpu.compile(...recordStep(this, batch)));
  }

  /** Whether the step of a batch size is compiled. */
  isCompiled(batch: number): boolean {
    return this.#programs.has(batch);
  }

  /** Compiles the step of a batch size beside other work, if it is not compiled yet. */
  async prepare(batch: number, onCompile: (progress: CompileProgress) => void): Promise<void> {
    if (this.isCompiled(batch)) return;
    const [inputs, body, options] = recordStep(this, batch);
    const program = await this.gpu.compileAsync(inputs, body, { ...options, onCompile });
    this.#programs.set(batch, program);
  }

  /** Drops compiled steps; the next ones are compiled with the kernels that are chosen by then. */
  recompile(): void {
    for (const program of this.#programs.values()) program[Symbol.dispose]();
    this.#programs.clear();
  }

  /** Runs one step with timestamps around each dispatch. */
  profile(indices: Uint32Array): Promise<Timing[]> {
    this.step(indices);
    return this.program(indices.length).profile();
  }

  /** All state by name, as it stands after everything enqueued so far. */
  async save(): Promise<Map<string, SafeTensor>> {
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
    const { generatorOptimizer, discriminatorOptimizer, images, random, losses } = this;
    for (const part of [generatorOptimizer, discriminatorOptimizer, images, random, losses]) {
      part.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.finish();
    this.generator.dispose();
    this.discriminator.dispose();
  }

  /** All state by name: weights, moments, statistics, random state. */
  variables(): Map<string, Variable> {
    const stateOf = ({ state, moments }: Adam) => [state, ...moments];
    const parts = {
      generator: this.generator.variables,
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
