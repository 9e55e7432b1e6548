/** What a run reports. */

import type { EvaluationMetrics } from "../formats/metrics.ts";

/** One trained batch. */
export interface StepEvent {
  /** Counted from 1 over the whole run. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /**
   * Mean over the batch, by the run's objective; with the tutorial's the binary cross-entropy, in nats.
   */
  readonly generatorLoss: number;
  /**
   * By the run's objective, without penalties; with the tutorial's the sum of the mean binary
   * cross-entropies on real and on generated images, in nats.
   */
  readonly discriminatorLoss: number;
  /** Images trained so far. */
  readonly images: number;
  /** Steps of the whole run. */
  readonly totalSteps: number;
}

/**
 * One complete epoch, with the numbers of its evaluation if it had one (see `Trainer.evaluate`). An epoch
 * that `maxSteps` or a signal cuts has no event until a resumed run ends it.
 */
export interface EpochEvent extends Partial<EvaluationMetrics> {
  /** Counted from 1. */
  readonly epoch: number;
  /** Steps of the whole run so far. */
  readonly step: number;
  /** Steps trained in it. */
  readonly steps: number;
  /** Mean over its steps. */
  readonly generatorLoss: number;
  /** Mean over its steps. */
  readonly discriminatorLoss: number;
  /**
   * Wall-clock time of its training, without the time spent on events. If the run was resumed in the
   * middle of the epoch, the time since then.
   */
  readonly seconds: number;
  /** @deprecated The energy distance, in the history of checkpoints of version 0.1.0. */
  readonly distance?: number;
  /** The image that `trainDCGAN` wrote, if it did. */
  readonly image?: string;
  /** @deprecated The name of {@linkcode EpochEvent.image} in version 0.1.0. */
  readonly picture?: string;
}

/** Images made on the way, always from the same noise. */
export interface ImageEvent {
  /** Steps trained so far. */
  readonly step: number;
  /** Counted from 1. */
  readonly epoch: number;
  /** [count, height, width, channels] on [-1, 1]. */
  readonly images: Float32Array;
  /** Images in each row of the grid; a row of a conditional run shows one class. */
  readonly columns: number;
  /** The file, if there is an `outDir` and it could be written. */
  readonly path?: string;
}

/** What a `Trainer` emits while it trains. At "epoch" and "pause" no later step has begun. */
export type TrainEvent =
  | { readonly type: "step" } & StepEvent
  | { readonly type: "epoch" } & EpochEvent
  | { readonly type: "pause"; readonly step: number; readonly epoch: number };
