/** `train --dry-run`: what a run would be, by its first steps, of which nothing is kept. */

import { Trainer, type TrainOptions } from "../../mod.ts";
import { type ResolvedOptions, resolveTrainOptions } from "../training/options.ts";

/** Steps whose time is taken, after those that warm caches up. */
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

/** Steps after which nothing of the timed ones is compiled any more. */
function stepsToWarmUp({ dataset: { count }, batchSize, discriminatorSteps }: ResolvedOptions) {
  const perEpoch = Math.ceil(count / batchSize);
  if (count % batchSize === 0 || perEpoch > 1 + TIMED_STEPS) return 1;
  // The last, smaller batch has programs of its own: with and without an update of the generator.
  return perEpoch * discriminatorSteps;
}

/** Trains some steps in memory, and measures. */
export async function planRun(
  options: TrainOptions & { readonly epochs: number },
): Promise<Plan> {
  const resolved = resolveTrainOptions(options);
  const { dataset, epochs, evaluateEvery } = resolved;
  // An evaluation would count as time of the step after which it comes.
  using trainer = await Trainer.create({ ...resolved, evaluateEvery: Infinity });
  const marks: { readonly step: number; readonly time: number }[] = [];
  const warmUp = stepsToWarmUp(resolved);
  const last = Math.min(trainer.totalSteps, warmUp + TIMED_STEPS);
  const pauseAfter = (step: number) => step === warmUp || step === last;
  for await (const { type, step } of trainer.run({ pauseAfter })) {
    if (type !== "pause") continue;
    marks.push({ step, time: performance.now() });
    if (step === last) break;
  }
  options.signal?.throwIfAborted();
  const [first, end] = [marks[0], marks.at(-1)!];
  const timedSteps = end.step - first.step;
  // What a run makes beside its steps takes memory, too.
  await trainer.sample({ count: resolved.imageCount });
  if (evaluateEvery !== Infinity) await trainer.evaluate();
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
