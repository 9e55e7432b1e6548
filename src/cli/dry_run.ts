/** `train --dry-run`: what a run would be, by its first steps, of which nothing is kept. */

import { Trainer, type TrainerOptions } from "../../mod.ts";

/** Steps whose time is taken, after the first, which warms caches up. */
const TIMED_STEPS = 10;

/** What a run would be. */
export interface Plan {
  /** The tables of both networks. */
  readonly networks: readonly string[];
  readonly epochs: number;
  /** Of the whole run. */
  readonly steps: number;
  /** Steps whose time was taken, and seconds of one; none if the run is too short for that. */
  readonly timedSteps: number;
  readonly secondsPerStep?: number;
  /** Bytes on the device: all of them, the images', and those for a step's tensors. */
  readonly deviceBytes: number;
  readonly imageBytes: number;
  readonly stepBytes: number;
}

/** Trains some steps in memory, and measures. */
export async function planRun(
  options: TrainerOptions & { readonly epochs: number },
): Promise<Plan> {
  const { dataset, epochs } = options;
  using trainer = await Trainer.create(options);
  const marks: { readonly step: number; readonly time: number }[] = [];
  const last = Math.min(trainer.totalSteps, 1 + TIMED_STEPS);
  const pauseAfter = (step: number) => step === 1 || step === last;
  for await (const { type, step } of trainer.run({ pauseAfter })) {
    if (type !== "pause") continue;
    marks.push({ step, time: performance.now() });
    if (step === last) break;
  }
  options.signal?.throwIfAborted();
  const [first, end] = [marks[0], marks.at(-1)!];
  const timedSteps = end.step - first.step;
  const { plannedBytes } = trainer.stats;
  return {
    networks: [trainer.generator.summary(), trainer.discriminator.summary()],
    ...{ epochs, steps: trainer.totalSteps, timedSteps },
    secondsPerStep: timedSteps ? (end.time - first.time) / 1000 / timedSteps : undefined,
    deviceBytes: trainer.gpu.context.memory.bytes,
    imageBytes: "images" in dataset ? dataset.images.length : 0,
    stepBytes: plannedBytes,
  };
}
