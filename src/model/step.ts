/**
 * One training step of the tutorial, recorded.
 *
 * @module
 */

import ringCode from "../kernels/ring.wgsl" with { type: "text" };
import type { Gpu } from "../graph/gpu.ts";
import { currentGraph } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import type { Program } from "../graph/program.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { kernel } from "../gpu/shader.ts";
import type { Adam } from "../optim/adam.ts";
import { gatherImages } from "../ops/gather.ts";
import { grad } from "../ops/grad.ts";
import { randomNormal, type RandomState } from "../ops/random.ts";
import type { Discriminator } from "./discriminator.ts";
import type { Generator } from "./generator.ts";
import { discriminatorLoss, generatorLoss } from "./losses.ts";

const ringKernel = kernel("ring", ringCode);

/** Losses of the last steps, kept on the device so that many are read with one wait. */
export class LossRing {
  readonly #slots: Variable<"f32">;
  readonly #count: Variable<"u32">;
  #read = 0;

  constructor(gpu: Gpu, readonly capacity = 1024) {
    this.#slots = gpu.variable([capacity, 2], undefined, { name: "losses" });
    this.#count = gpu.variable([1], undefined, { name: "losses/count", dtype: "u32" });
  }

  /** Records that a pair of scalars is kept. */
  record(a: Tensor, b: Tensor): void {
    const graph = currentGraph();
    const attributes = { capacity: this.capacity, ring: this.#slots, count: this.#count };
    for (const variable of [this.#slots, this.#count]) graph.variable(variable);
    graph.add(ringOp, [a, b], attributes, []);
    for (const variable of [this.#slots, this.#count]) graph.overwrite(variable);
  }

  /** Frees its memory. */
  dispose(): void {
    this.#slots.dispose();
    this.#count.dispose();
  }

  /** The pairs kept since the last call, given how many steps were enqueued since then. */
  async take(steps: number): Promise<[number, number][]> {
    if (steps > this.capacity) {
      throw new RangeError(`The loss ring holds ${this.capacity} steps, ${steps} were enqueued`);
    }
    const values = await this.#slots.read();
    const pairs = Array.from({ length: steps }, (_, i): [number, number] => {
      const slot = (this.#read + i) % this.capacity * 2;
      return [values[slot], values[slot + 1]];
    });
    this.#read += steps;
    return pairs;
  }
}

const ringOp: Op = {
  name: "ring",
  effect: true,
  lower({ inputs: [a, b], attributes: { capacity, ring, count } }, lowering: Lowering) {
    lowering.dispatch({
      kernel: ringKernel,
      constants: { SLOTS: capacity },
      bindings: { a, b, ring: lowering.variable(ring), count: lowering.variable(count) },
      workgroups: [1, 1, 1],
    });
  },
};

/** Everything that a step reads and changes. */
export interface StepState {
  readonly generator: Generator;
  readonly discriminator: Discriminator;
  readonly generatorOptimizer: Adam;
  readonly discriminatorOptimizer: Adam;
  /** Pictures as bytes, [count, height, width, channels]. */
  readonly images: Variable<"u8">;
  /** Source of noise and dropout masks. */
  readonly random: RandomState;
  readonly losses: LossRing;
}

/**
 * Compiles one step for a batch size: one generator forward, the discriminator on real and fake
 * pictures, both losses from that same forward, both gradients before either update.
 *
 * The program's only input is `indices`, the batch's places in the data set.
 */
export function compileStep(gpu: Gpu, state: StepState, batch: number): Program<"indices"> {
  const { generator, discriminator, random } = state;
  return gpu.compile(
    { indices: { shape: [batch], dtype: "u32" } },
    ({ indices }) => {
      const training = { training: true, state: random };
      const noise = randomNormal([batch, generator.noiseDim], { state: random });
      const real = gatherImages(state.images, indices);
      const fake = generator.call(noise, training);
      const realLogits = discriminator.call(real, training);
      const fakeLogits = discriminator.call(fake, training);
      const lossOfGenerator = generatorLoss(fakeLogits);
      const lossOfDiscriminator = discriminatorLoss(realLogits, fakeLogits);
      const generatorGradients = grad(lossOfGenerator, generator.trainableVariables);
      const discriminatorGradients = grad(lossOfDiscriminator, discriminator.trainableVariables);
      state.generatorOptimizer.apply(generatorGradients);
      state.discriminatorOptimizer.apply(discriminatorGradients);
      state.losses.record(lossOfGenerator, lossOfDiscriminator);
      return {};
    },
    { label: `training step, batch ${batch}` },
  );
}
