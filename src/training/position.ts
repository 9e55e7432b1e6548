/**
 * Where a run stands: the part of a checkpoint that is neither a tensor nor an option.
 *
 * @module
 */

import { CheckpointError } from "../errors.ts";
import { quote } from "../formats/json.ts";

/** One trained epoch. */
export interface EpochEvent {
  /** Counted from 1. */
  readonly epoch: number;
  /** Steps of the whole run so far. */
  readonly step: number;
  /** Steps trained in it; fewer than the data set gives where the run was cut. */
  readonly steps: number;
  /** Mean over its steps. */
  readonly generatorLoss: number;
  /** Mean over its steps. */
  readonly discriminatorLoss: number;
  /**
   * Wall-clock time of its training, without what was done with events; of an epoch that was resumed
   * in its middle, since then.
   */
  readonly seconds: number;
  /** See `Trainer.distance`. */
  readonly distance?: number;
  /** The image that `trainDCGAN` wrote, if it did. */
  readonly image?: string;
}

/** Where a run stands, kept in its checkpoints. */
export interface Position {
  /** The epoch under way, counted from 1. */
  readonly epoch: number;
  /** Images of it that are trained. */
  readonly at: number;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps of the epoch under way, and the sums of their losses. */
  readonly sums: { steps: number; generator: number; discriminator: number };
  /** Epochs so far. */
  readonly history: readonly EpochEvent[];
}

const isWhole = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;

/**
 * Refuses what a foreign or damaged file claims to be a position.
 *
 * @param count images of the data set
 * @param file what messages call the source
 * @throws {CheckpointError} naming what is wrong.
 */
export function requirePosition(position: Position, count: number, file: string): void {
  const refuse = (what: string, value: unknown): never => {
    throw new CheckpointError(
      `The position in ${file} is damaged: ${what} ${quote(value)}. Use another checkpoint`,
    );
  };
  const { epoch, at, steps, sums, history } = position ?? {};
  if (!isWhole(epoch, 1)) refuse("its epoch is", epoch);
  if (!isWhole(at, 0) || at >= count) refuse(`of ${count} images it has trained`, at);
  if (!isWhole(steps, 0)) refuse("its steps are", steps);
  const { generator, discriminator } = sums ?? {};
  if (!isWhole(sums?.steps, 0) || ![generator, discriminator].every((n) => typeof n === "number")) {
    refuse("its sums are", sums);
  }
  const ofEpoch = (entry?: Partial<EpochEvent>) =>
    isWhole(entry?.epoch, 1) && isWhole(entry.step, 0) && isWhole(entry.steps, 0) &&
    [entry.generatorLoss, entry.discriminatorLoss, entry.seconds, entry.distance ?? 0]
      .every((n) => typeof n === "number");
  if (!Array.isArray(history) || !history.every(ofEpoch)) refuse("its history is", history);
}
