/**
 * Everything that a training step reads and changes, in one place: both networks, both optimizers,
 * the data set, the random state.
 *
 * @module
 */

import type { Dataset } from "../data/dataset.ts";
import type { Timing } from "../gpu/commands.ts";
import type { Buffer, BufferView } from "../gpu/memory.ts";
import type { Gpu } from "../graph/gpu.ts";
import { currentGraph } from "../graph/graph.ts";
import type { GemmUse } from "../graph/tuning.ts";
import type { ProgramNeeds } from "../graph/limits.ts";
import type { Program, ProgramStats } from "../graph/program.ts";
import type { Variable } from "../graph/variable.ts";
import { requireState } from "./checkpoint.ts";
import type { SafeTensor } from "../formats/safetensors.ts";
import { Adam, type AdamOptions } from "../optim/adam.ts";
import { Discriminator, type DiscriminatorOptions } from "../model/discriminator.ts";
import { Generator, type GeneratorOptions } from "../model/generator.ts";
import { compileStep, LossRing, type StepState } from "./step.ts";

/** Options of {@linkcode DCGAN}. */
export interface DCGANOptions {
  readonly seed: number;
  readonly generator: GeneratorOptions;
  readonly discriminator: DiscriminatorOptions;
  readonly adam: AdamOptions;
}

/** The networks under training. */
export class DCGAN {
  readonly generator: Generator;
  readonly discriminator: Discriminator;
  readonly losses: LossRing;
  readonly #state: StepState;
  readonly #programs = new Map<number, Program<"indices">>();
  #health: Program | undefined;
  /** A copy of all state on the device, buffer by buffer. */
  #backup: (readonly [of: BufferView, copy: BufferView])[] | undefined;

  /** Makes the weights and puts the data set on the device. */
  constructor(private readonly gpu: Gpu, dataset: Dataset, options: DCGANOptions) {
    const { count, height, width, channels } = dataset;
    const { seed, adam } = options;
    const image = { height, width, channels, seed };
    const hidden = { trainable: false };
    // What was made is freed when a later part refuses its options.
    using made = new DisposableStack();
    const own = <T extends { dispose(): void }>(part: T): T =>
      made.adopt(part, (part) => part.dispose());
    this.generator = own(new Generator(gpu, { ...image, ...options.generator }));
    this.discriminator = own(new Discriminator(gpu, { ...image, ...options.discriminator }));
    this.losses = own(new LossRing(gpu));
    const { generator, discriminator, losses } = this;
    this.#state = {
      generator,
      discriminator,
      losses,
      generatorOptimizer: own(new Adam(gpu, generator.trainableVariables, adam)),
      discriminatorOptimizer: own(new Adam(gpu, discriminator.trainableVariables, adam)),
      images: own(gpu.variable([count, height, width, channels], dataset.images, {
        ...hidden,
        name: "images",
        dtype: "u8",
      })),
      random: own(gpu.variable([2], [seed, 0], { ...hidden, name: "random", dtype: "u32" })),
    };
    made.move();
  }

  /** Enqueues one step on the images with these indices; its losses go to the ring. */
  step(indices: Uint32Array): void {
    this.#program(indices.length).run({ indices });
  }

  /** What a step of a batch size costs. */
  stats(batch: number): ProgramStats {
    return this.#program(batch).stats;
  }

  /** What a step of a batch size needs of the device. */
  needs(batch: number): ProgramNeeds {
    return this.#program(batch).needs;
  }

  /** The GEMM-like ops of a step. */
  gemms(batch: number): readonly GemmUse[] {
    return this.#program(batch).gemms;
  }

  /** Forgets compiled steps, so that they are compiled with the kernels of now. */
  recompile(): void {
    for (const program of this.#programs.values()) program[Symbol.dispose]();
    this.#programs.clear();
  }

  /** Runs one step with timestamps around each dispatch. */
  profile(indices: Uint32Array): Promise<Timing[]> {
    this.step(indices);
    return this.#program(indices.length).profile();
  }

  /**
   * The first weight, statistic or moment with a number that is not finite, if there is one; after
   * everything enqueued so far.
   */
  async health(): Promise<string | undefined> {
    this.#health ??= this.gpu.compile({}, () => {
      const graph = currentGraph();
      for (const variable of this.#variables().values()) graph.variable(variable);
      return {};
    }, { label: "health of the state", watch: true });
    this.#health.run();
    return await this.#health.firstNonFinite();
  }

  /** Keeps a copy of all state on the device, which `rollBack` goes back to. */
  backUp(): void {
    if (!this.#backup) {
      const buffers = new Set([...this.#variables().values()].map(({ view }) => view.buffer));
      this.#backup = [...buffers].map((buffer) => {
        const view = (of: Buffer) => ({ buffer: of, offset: 0, bytes: of.bytes });
        return [view(buffer), view(this.gpu.context.memory.buffer(buffer.bytes, "backup"))];
      });
    }
    this.gpu.context.copy(this.#backup, "backup");
  }

  /** Goes back to the state of the last `backUp`. */
  rollBack(): void {
    this.gpu.context.copy(this.#backup!.map(([of, copy]) => [copy, of]), "roll back");
  }

  /**
   * Trains batches, one after another, until a number is not finite.
   *
   * @returns which of the batches it was, from 0, and what made the first such number; nothing if all
   *   numbers stay finite
   */
  async findNonFinite(
    batches: readonly Uint32Array[],
  ): Promise<{ readonly batch: number; readonly where: string } | undefined> {
    using made = new DisposableStack();
    const programs = new Map<number, Program<"indices">>();
    for (const [batch, indices] of batches.entries()) {
      let program = programs.get(indices.length);
      if (!program) {
        program = made.use(compileStep(this.gpu, this.#state, indices.length, { watch: true }));
        programs.set(indices.length, program);
      }
      program.run({ indices });
      const where = await program.firstNonFinite();
      this.losses.skip(1);
      if (where !== undefined) return { batch, where };
    }
    return undefined;
  }

  /** All state by name, as it stands after everything enqueued so far. */
  async save(): Promise<Map<string, SafeTensor>> {
    const entries = [...this.#variables()];
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
    const variables = this.#variables();
    requireState(tensors, variables, file);
    for (const [name, variable] of variables) variable.write(tensors.get(name)!.data);
    this.losses.reset();
  }

  /** Frees everything but the networks. */
  finish(): void {
    this.recompile();
    this.#health?.[Symbol.dispose]();
    this.#health = undefined;
    for (const [, { buffer }] of this.#backup ?? []) this.gpu.context.memory.free(buffer);
    this.#backup = undefined;
    const { generatorOptimizer, discriminatorOptimizer, images, random } = this.#state;
    for (const part of [generatorOptimizer, discriminatorOptimizer, images, random, this.losses]) {
      part.dispose();
    }
  }

  /** Frees everything. */
  [Symbol.dispose](): void {
    this.finish();
    this.generator.dispose();
    this.discriminator.dispose();
  }

  #program(batch: number): Program<"indices"> {
    let program = this.#programs.get(batch);
    if (!program) {
      program = compileStep(this.gpu, this.#state, batch);
      this.#programs.set(batch, program);
    }
    return program;
  }

  #variables(): Map<string, Variable> {
    const { generatorOptimizer, discriminatorOptimizer, random } = this.#state;
    const all = new Map<string, Variable>();
    const put = (prefix: string, variables: readonly Variable[]) => {
      for (const variable of variables) all.set(`${prefix}/${variable.name}`, variable);
    };
    put("generator", this.generator.variables);
    put("discriminator", this.discriminator.variables);
    put("generator_optimizer", [generatorOptimizer.state, ...generatorOptimizer.moments]);
    put("discriminator_optimizer", [
      discriminatorOptimizer.state,
      ...discriminatorOptimizer.moments,
    ]);
    return all.set("random", random);
  }
}
