/**
 * Everything that a training step reads and changes, in one place: both networks, both optimizers,
 * the data set, the random state.
 *
 * @module
 */

import type { Dataset } from "../data/dataset.ts";
import type { Timing } from "../gpu/commands.ts";
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
import { compileStep, type StepState } from "./step.ts";

/** The networks under training. */
export class DCGAN {
  readonly generator: Generator;
  readonly discriminator: Discriminator;
  readonly losses: LossRing;
  /** What a step reads and changes. */
  readonly state: StepState;
  readonly #programs = new Map<number, Program<"indices">>();

  /** Makes the weights and puts the data set on the device. */
  constructor(private readonly gpu: Gpu, dataset: Dataset, options: Hyperparameters) {
    const { count, height, width, channels } = dataset;
    const resolved = resolveHyperparameters(options);
    const { seed, noiseDim, dropout, learningRate, beta1, beta2 } = resolved;
    const adam = { learningRate, beta1, beta2 };
    const image = { height, width, channels, seed };
    const hidden = { trainable: false };
    // Frees the parts made so far when a later one refuses its options.
    const made: { dispose(): void }[] = [];
    const own = <T extends { dispose(): void }>(part: T): T => {
      made.push(part);
      return part;
    };
    const [g, d] = [resolved.generatorWidths, resolved.discriminatorWidths];
    try {
      this.generator = own(new Generator(gpu, { ...image, noiseDim, widths: g }));
      this.discriminator = own(new Discriminator(gpu, { ...image, dropout, widths: d }));
      this.losses = own(new LossRing(gpu));
      const { generator, discriminator, losses } = this;
      this.state = {
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
    let program = this.#programs.get(batch);
    if (!program) {
      program = compileStep(this.gpu, this.state, batch);
      this.#programs.set(batch, program);
    }
    return program;
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
    const { generatorOptimizer, discriminatorOptimizer, images, random } = this.state;
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

  /** All state by name: weights, moments, statistics, random state. */
  variables(): Map<string, Variable> {
    const { generatorOptimizer: g, discriminatorOptimizer: d, random } = this.state;
    const parts = {
      generator: this.generator.variables,
      discriminator: this.discriminator.variables,
      generator_optimizer: [g.state, ...g.moments],
      discriminator_optimizer: [d.state, ...d.moments],
    };
    const named = Object.entries(parts).flatMap(([part, variables]) =>
      variables.map((variable): [string, Variable] => [`${part}/${variable.name}`, variable])
    );
    return new Map([...named, ["random", random]]);
  }
}
