/**
 * Small training runs on made-up images, for the tests of whole steps. As a program it trains and
 * prints a hash of everything that the training changed:
 *
 *   deno run tests/support/worker.ts <seed>
 */

import { createHash } from "node:crypto";
import { type Dataset, Gpu, type Hyperparameters } from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";

/** Images of a bright disc each, at a place of its own. */
function discs(count: number): Dataset {
  const images = new Uint8Array(count * 28 * 28);
  for (let i = 0; i < images.length; i++) {
    const [n, y, x] = [Math.floor(i / 784), Math.floor(i / 28) % 28, i % 28];
    const distance = Math.hypot(y - 8 - 5 * n % 13, x - 8 - 7 * n % 13);
    images[i] = Math.round(Math.max(0, Math.min(1, 7 - distance)) * 255);
  }
  return { images, count, height: 28, width: 28, channels: 1 };
}

/** Networks under training, with a method that trains many steps. */
export class SmallRun extends DCGAN {
  #next = 0;

  constructor(gpu: Gpu, options: Hyperparameters = {}, private readonly dataset = discs(40)) {
    super(gpu, dataset, {
      noiseDim: 8,
      learningRate: 1e-3,
      generatorWidths: [6, 5, 4],
      discriminatorWidths: [4, 6],
      ...options,
    });
  }

  /** Enqueues steps; gives the losses of the generator and the discriminator in each. */
  train(steps: number, batch: number): Promise<[number, number][]> {
    for (let step = 0; step < steps; step++) {
      this.step(Uint32Array.from({ length: batch }, () => this.#next++ % this.dataset.count));
    }
    return this.losses.take(steps);
  }
}

/** A hash of what a run of this seed trained, and of its losses. */
export async function trainedHash(gpu: Gpu, seed: number): Promise<string> {
  using run = new SmallRun(gpu, { seed });
  const losses = [...await run.train(6, 6), ...await run.train(2, 4)]; // as at an epoch's end
  const hash = createHash("sha256").update(Float32Array.from(losses.flat()));
  for (const variable of run.variables().values()) hash.update(await variable.read());
  return hash.digest("hex");
}

if (import.meta.main) {
  using gpu = await Gpu.request();
  console.log(await trainedHash(gpu, Number(Deno.args[0])));
}
