/** The time of a training step in this runtime, on the adapter that it has. */

import { Trainer } from "../../mod.ts";
import { syntheticDataset } from "./model.ts";

/** What a step takes here. */
export interface StepTime {
  /** Seconds until the first step is done, compilation included. */
  readonly first: number;
  /** Seconds of later steps, one by one, each waited for. */
  readonly later: readonly number[];
}

/** Trains the tutorial's networks, with all widths multiplied by `width`. */
export async function stepTime(
  { batch, width, steps }: Readonly<Record<"batch" | "width" | "steps", number>>,
): Promise<StepTime> {
  const scaled = (channels: number) => Math.round(channels * width);
  using trainer = await Trainer.create({
    dataset: syntheticDataset(batch),
    batchSize: batch,
    generatorWidths: [scaled(256), scaled(128), scaled(64)],
    discriminatorWidths: [scaled(64), scaled(128)],
    evaluateEvery: Infinity,
  });
  const time = async () => {
    const begun = performance.now();
    await trainer.step();
    return (performance.now() - begun) / 1000;
  };
  const first = await time();
  const later: number[] = [];
  while (later.length < steps) later.push(await time());
  return { first, later };
}
