/** Trainers that repeat what one of them has trained: for tests of everything around the training. */

import { deepEqual } from "node:assert/strict";
import { type Snapshot, Trainer, type TrainEvent, type TrainOptions } from "../../mod.ts";
import { digestsOf } from "./digest.ts";

/** A trainer when it emits an event: what it says of itself, its state and its images. */
async function momentOf(trainer: Trainer, imageCount: number, event?: TrainEvent) {
  const { steps, currentEpoch, betweenEpochs, history } = trainer;
  const snapshot = await trainer.snapshot();
  const images = await trainer.sample({ count: imageCount });
  return { event, facts: { steps, currentEpoch, betweenEpochs, history }, snapshot, images };
}

/**
 * Trains once. Each call of what it gives makes a trainer that emits the same events, and has the same
 * state and images at each; it takes its own snapshots back, and no others.
 */
export async function repeating(
  { imageCount = 16, imageEverySteps = Infinity, ...options }: TrainOptions,
): Promise<() => Trainer> {
  const trainer = await Trainer.create(options);
  const moments = [await momentOf(trainer, imageCount)];
  const pauseAfter = (step: number) => step % imageEverySteps === 0;
  for await (const event of trainer.run({ pauseAfter })) {
    moments.push(await momentOf(trainer, imageCount, event));
  }
  return () => {
    let at = 0;
    const acts = {
      prepare: async () => {},
      finish: () => {},
      [Symbol.dispose]: () => {},
      sample: () => Promise.resolve(moments[at].images),
      snapshot: () => Promise.resolve(moments[at].snapshot),
      restore({ tensors, position }: Snapshot) {
        at = moments.findLastIndex(({ snapshot }) => snapshot.position.steps === position.steps);
        deepEqual(digestsOf(tensors), digestsOf(moments[at].snapshot.tensors));
        return Promise.resolve();
      },
      async *run() {
        while (at + 1 < moments.length) yield moments[++at].event!;
      },
    };
    return new Proxy(trainer, {
      get: (target, key) =>
        Reflect.get({ ...acts, ...moments[at].facts }, key) ?? Reflect.get(target, key),
    });
  };
}
