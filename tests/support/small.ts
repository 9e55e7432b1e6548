/** A device, a run on it that takes a second or two, and what the tests of whole runs share. */

import {
  type Dataset,
  type EpochEvent,
  Gpu,
  type ImageEvent,
  type StepEvent,
  trainDCGAN,
  type TrainOptions,
} from "../../mod.ts";
import { SMALL as ENDLESS } from "./dataset.ts";
import { inFolder } from "./folder.ts";

export const gpu = await Gpu.request();

/** Gray images of 8 x 8 with a soft blob each: a step costs a fifth of one on images of MNIST's size. */
export function tinyBlobs(count: number): Dataset {
  const images = Uint8Array.from({ length: count * 64 }, (_, i) => {
    const [n, y, x] = [Math.floor(i / 64), Math.floor(i / 8) % 8, i % 8];
    return Math.max(0, 255 - 30 * ((y - 2 - n * 5 % 4) ** 2 + (x - 2 - n * 7 % 3) ** 2));
  });
  return { images, labels: new Uint8Array(count), count, height: 8, width: 8, channels: 1 };
}

/** Three epochs of five steps: four full batches and one of six. */
export const SMALL = {
  ...ENDLESS,
  ...{ dataset: tinyBlobs(70), gpu, epochs: 3, evaluateEvery: Infinity },
} satisfies TrainOptions;

/** Trains a run of SMALL that differs in some options; its result, and what it reported. */
export async function train(options: Partial<TrainOptions> = {}) {
  const stepEvents: StepEvent[] = [];
  const epochEvents: EpochEvent[] = [];
  const imageEvents: ImageEvent[] = [];
  const messages: string[] = [];
  const run = await trainDCGAN({
    ...SMALL,
    onStep: (event) => void stepEvents.push(event),
    onEpoch: (event) => void epochEvents.push(event),
    onImage: (event) => void imageEvents.push(event),
    onMessage: (text) => void messages.push(text),
    ...options,
  });
  return { ...run, stepEvents, epochEvents, imageEvents, messages };
}

/** A test with a folder of its own. */
export function test(name: string, body: (dir: string) => Promise<void>): void {
  Deno.test(name, () => inFolder(body));
}
