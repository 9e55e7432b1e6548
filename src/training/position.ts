/**
 * Where a run stands: the part of a checkpoint that is neither a tensor nor an option.
 *
 * @module
 */

import { CheckpointError } from "../errors.ts";
import { quote } from "../formats/json.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { EpochEvent } from "./events.ts";

/** Where a run stands, kept in its checkpoints. */
export interface Position {
  /** The epoch under way, counted from 1. */
  readonly epoch: number;
  /** Images of it that are trained. */
  readonly at: number;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps of the epoch under way, and the sums of their losses. */
  readonly sums: {
    readonly steps: number;
    readonly generator: number;
    readonly discriminator: number;
  };
  /** The complete epochs so far. */
  readonly history: readonly EpochEvent[];
}

/** All state of a run at one moment. */
export type Snapshot = Checkpoint<Position>;

const NO_STEPS: Position["sums"] = { steps: 0, generator: 0, discriminator: 0 };

/** Where a run begins. */
export const BEGINNING: Position = { epoch: 1, at: 0, steps: 0, sums: NO_STEPS, history: [] };

/** With the losses of one more step of the epoch under way. */
export function afterLosses(
  position: Position,
  generatorLoss: number,
  discriminatorLoss: number,
): Position {
  const { steps, generator, discriminator } = position.sums;
  const sums = {
    steps: steps + 1,
    generator: generator + generatorLoss,
    discriminator: discriminator + discriminatorLoss,
  };
  return { ...position, sums };
}

/** The event of the epoch under way, whose last step was trained. */
export function epochOf(
  { epoch, steps, sums }: Position,
  seconds: number,
  distance: number | undefined,
): EpochEvent {
  return {
    epoch,
    step: steps,
    steps: sums.steps,
    generatorLoss: sums.generator / sums.steps,
    discriminatorLoss: sums.discriminator / sums.steps,
    seconds,
    ...(distance === undefined ? {} : { distance }),
  };
}

/** The beginning of the next epoch. */
export function afterEpoch({ epoch, steps, history }: Position, event: EpochEvent): Position {
  return { epoch: epoch + 1, at: 0, steps, sums: NO_STEPS, history: [...history, event] };
}

const isWhole = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;

/**
 * A position as a file or a caller has it, checked and copied. Version 0.1.0 kept an epoch that was cut
 * in the history; it is left out.
 *
 * @param count images of the data set
 * @param file what messages call the source
 * @throws {CheckpointError} naming what is wrong.
 */
export function requirePosition(position: Position, count: number, file: string): Position {
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
  const isEpoch = (entry?: Partial<EpochEvent>) =>
    isWhole(entry?.epoch, 1) && isWhole(entry.step, 0) && isWhole(entry.steps, 0) &&
    [entry.generatorLoss, entry.discriminatorLoss, entry.seconds, entry.distance ?? 0]
      .every((n) => typeof n === "number");
  if (!Array.isArray(history) || !history.every(isEpoch)) refuse("its history is", history);
  return structuredClone({
    ...position,
    history: history.filter((entry) => entry.epoch < epoch),
  });
}
