/**
 * Small training runs on made-up images, for the tests of whole steps. As a program it trains and
 * prints a hash of everything that the training changed:
 *
 *   deno run tests/support/worker.ts <seed>
 */

import { createHash } from "node:crypto";
import { Adam, Discriminator, Generator, Gpu } from "../../mod.ts";
import type { Program, Variable } from "../../mod.ts";
import { LossRing } from "../../src/training/loss_ring.ts";
import { compileStep, type StepState } from "../../src/training/step.ts";

/** Bytes of `count` images, each a bright disc at a place of its own. */
function discs(count: number): Uint8Array<ArrayBuffer> {
  const images = new Uint8Array(count * 28 * 28);
  for (let i = 0; i < images.length; i++) {
    const [n, y, x] = [Math.floor(i / 784), Math.floor(i / 28) % 28, i % 28];
    const distance = Math.hypot(y - 8 - 5 * n % 13, x - 8 - 7 * n % 13);
    images[i] = Math.round(Math.max(0, Math.min(1, 7 - distance)) * 255);
  }
  return images;
}

interface SmallOptions {
  readonly seed?: number;
  readonly noiseDim?: number;
  readonly learningRate?: number;
  readonly generatorWidths?: readonly [number, number, number];
  readonly discriminatorWidths?: readonly [number, number];
}

const COUNT = 40;

/** Models, optimizers and images of a small run, with its compiled steps. */
export class SmallRun {
  readonly state: StepState;
  #programs = new Map<number, Program<"indices">>();
  #next = 0;

  constructor(private readonly gpu: Gpu, options: SmallOptions = {}) {
    const { seed = 0, noiseDim = 8, learningRate = 1e-3 } = options;
    const { generatorWidths = [6, 5, 4], discriminatorWidths = [4, 6] } = options;
    const generator = new Generator(gpu, { noiseDim, widths: generatorWidths, seed });
    const discriminator = new Discriminator(gpu, { widths: discriminatorWidths, seed });
    const adam = (variables: readonly Variable[]) => new Adam(gpu, variables, { learningRate });
    this.state = {
      generator,
      discriminator,
      generatorOptimizer: adam(generator.trainableVariables),
      discriminatorOptimizer: adam(discriminator.trainableVariables),
      images: gpu.variable([COUNT, 28, 28, 1], discs(COUNT), { name: "images", dtype: "u8" }),
      random: gpu.variable([2], [seed, 0], { name: "random", dtype: "u32" }),
      losses: new LossRing(gpu),
    };
  }

  /** Enqueues steps; gives the losses of the generator and the discriminator in each. */
  train(steps: number, batch: number): Promise<[number, number][]> {
    let program = this.#programs.get(batch);
    if (!program) this.#programs.set(batch, program = compileStep(this.gpu, this.state, batch));
    for (let step = 0; step < steps; step++) {
      program.run({ indices: Array.from({ length: batch }, () => this.#next++ % COUNT) });
    }
    return this.state.losses.take(steps);
  }

  /** Everything that training changes, losses aside. */
  get variables(): readonly Variable[] {
    const { generator, discriminator, random } = this.state;
    const { generatorOptimizer, discriminatorOptimizer } = this.state;
    const optimizers = [generatorOptimizer, discriminatorOptimizer];
    return [
      ...generator.variables,
      ...discriminator.variables,
      ...optimizers.flatMap(({ moments, state }) => [...moments, state]),
      random,
    ];
  }
}

if (import.meta.main) {
  using gpu = await Gpu.request();
  const run = new SmallRun(gpu, { seed: Number(Deno.args[0]) });
  const losses = [...await run.train(6, 6), ...await run.train(2, 4)]; // as at an epoch's end
  const hash = createHash("sha256").update(Float32Array.from(losses.flat()));
  for (const variable of run.variables) hash.update(await variable.read());
  console.log(hash.digest("hex"));
}
