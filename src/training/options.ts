/**
 * What a trainer is asked for, and what it tells.
 *
 * @module
 */

import type { CalibrateOptions } from "../ops/gemm/calibrate.ts";
import { type Dataset, validateDataset } from "../data/dataset.ts";
import type { Gpu } from "../graph/gpu.ts";
import { sha256 } from "../formats/sha256.ts";
import { requireCount } from "../model/validate.ts";
import type { EpochEvent } from "./position.ts";

/** One trained batch. */
export interface StepEvent {
  /** Counted from 1 over the whole run. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean binary cross-entropy over the batch. */
  readonly generatorLoss: number;
  /** Sum of those on real and on generated images. */
  readonly discriminatorLoss: number;
  /** Images trained so far. */
  readonly images: number;
  /** Steps of the whole run. */
  readonly totalSteps: number;
}

/** What a {@linkcode Trainer} tells while it trains. At "epoch" and "pause" no later step has begun. */
export type TrainEvent =
  | { readonly type: "step" } & StepEvent
  | { readonly type: "epoch" } & EpochEvent
  | { readonly type: "pause"; readonly step: number; readonly epoch: number };

/** Options of {@linkcode Trainer.create}; the defaults are the tutorial's. */
export interface TrainerOptions {
  /** What to train on; `await loadMNIST()` gives the tutorial's. */
  readonly dataset: Dataset;
  /**
   * Where to train, or how to request a device, which is the trainer's own then. Default: requested
   * with `Gpu.request`.
   */
  readonly gpu?: Gpu | (() => Promise<Gpu>);
  /**
   * How often another device is requested when the trainer's own is lost: the run then goes on from the
   * end of the last epoch, or the last snapshot or checkpoint, trains up to where it was, and tells
   * nothing twice. Default 3. A device that the caller gave is not replaced.
   */
  readonly deviceLosses?: number;
  /** Default 50. */
  readonly epochs?: number;
  /** Default 256. The last, smaller batch of an epoch is trained too. */
  readonly batchSize?: number;
  /** Length of the noise vector. Default 100. */
  readonly noiseDim?: number;
  /** Of both Adams. Default 1e-4. */
  readonly learningRate?: number;
  /** Of both Adams. Default 0.9. */
  readonly beta1?: number;
  /** Of both Adams. Default 0.999. */
  readonly beta2?: number;
  /** Channels of the generator's hidden layers. Default [256, 128, 64]. */
  readonly generatorWidths?: readonly [number, number, number];
  /** Channels of the discriminator's hidden layers. Default [64, 128]. */
  readonly discriminatorWidths?: readonly [number, number];
  /** Share of the discriminator's activations dropped in training. Default 0.3. */
  readonly dropout?: number;
  /** Of weights, order, noise and dropout, 0 to 2^32 - 1. Default 0. Same seed, same adapter: same bits. */
  readonly seed?: number;
  /** Stop after so many steps of the whole run. Default: when the epochs are done. */
  readonly maxSteps?: number;
  /**
   * Measure which kernels are fastest on this adapter before the first step, a few seconds at most
   * (see `calibrate`). Two measurements may choose differently, and then the same seed gives the same
   * training, but not the same bits; a resumed run keeps its choices. The choices stay with `gpu`.
   * Default false: kernels by kind of adapter.
   */
  readonly calibrate?: boolean | CalibrateOptions;
  /**
   * Whether epochs and checkpoints get a {@linkcode Trainer.distance}, which takes a few tenths of a
   * second for MNIST. Default true.
   */
  readonly distance?: boolean;
  /**
   * What to do when a loss, weight or moment is NaN or infinite, which is looked at whenever losses are
   * read, about twice a second. "stop" (default): go back to the state of the look before, find the
   * first op and step by training the steps since then again, and throw a `NonFiniteError`.
   * "warn": say it once, and go on. "stop" keeps a copy of all state on the device.
   */
  readonly onNonFinite?: "stop" | "warn";
  /** Stops the run after the step under way. */
  readonly signal?: AbortSignal;
  /** Called with what a person should know: losses that are not finite, a network that wins. */
  readonly onMessage?: (text: string) => void;
}

export function validateTrainerOptions(options: TrainerOptions): void {
  validateDataset(options.dataset);
  const { epochs, batchSize, noiseDim, maxSteps } = options;
  for (const [name, value] of Object.entries({ epochs, batchSize, noiseDim, maxSteps })) {
    if (value !== undefined) requireCount(name, value);
  }
  const { deviceLosses = 0, onNonFinite = "stop" } = options;
  if (!Number.isSafeInteger(deviceLosses) || deviceLosses < 0) {
    throw new RangeError(`deviceLosses must be a whole number, got ${deviceLosses}`);
  }
  if (onNonFinite !== "stop" && onNonFinite !== "warn") {
    throw new RangeError(
      `onNonFinite must be "stop" or "warn", got ${JSON.stringify(onNonFinite)}`,
    );
  }
}

/** What a resumed run must share with the one it continues, defaults filled in. */
export async function configurationOf(
  options: TrainerOptions,
): Promise<Record<string, unknown>> {
  const { images, count, height, width, channels } = options.dataset;
  return {
    dataset: [count, height, width, channels],
    images: `sha256 ${await sha256(images)}`,
    batchSize: options.batchSize ?? 256,
    noiseDim: options.noiseDim ?? 100,
    learningRate: options.learningRate ?? 1e-4,
    beta1: options.beta1 ?? 0.9,
    beta2: options.beta2 ?? 0.999,
    generatorWidths: options.generatorWidths ?? [256, 128, 64],
    discriminatorWidths: options.discriminatorWidths ?? [64, 128],
    dropout: options.dropout ?? 0.3,
    seed: options.seed ?? 0,
  };
}
