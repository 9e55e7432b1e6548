/** Where a run stands: the part of a checkpoint that is neither a tensor nor an option. */

import { CheckpointError } from "../errors.ts";
import { quote } from "../formats/json.ts";
import { evaluationIn, type EvaluationMetrics } from "../formats/metrics.ts";
import { pathOf, readSource, type Source } from "../formats/source.ts";
import { type Checkpoint, decodeCheckpoint } from "./checkpoint.ts";
import type { EpochEvent, StepEvent } from "./events.ts";
import type { ResolvedOptions } from "./options.ts";

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

/** A snapshot, and what messages call it. */
export interface NamedSnapshot {
  readonly snapshot: Snapshot;
  readonly name: string;
}

/** Reads a checkpoint file. @throws {CheckpointError} when it cannot be opened or is damaged. */
export async function readSnapshot(source: Source): Promise<NamedSnapshot> {
  const path = pathOf(source);
  if (path !== undefined) {
    const { readCheckpoint } = await import("../files/checkpoints.ts");
    return { snapshot: await readCheckpoint<Position>(path), name: path };
  }
  const { bytes, name } = await readSource(source, "checkpoint");
  return { snapshot: decodeCheckpoint<Position>(bytes, name), name };
}

const NO_STEPS: Position["sums"] = { steps: 0, generator: 0, discriminator: 0 };

/** Where a run begins. */
export const BEGINNING: Position = { epoch: 1, at: 0, steps: 0, sums: NO_STEPS, history: [] };

/** With the losses of the last steps, which are of the epoch under way; and the events of those. */
export function afterLosses(
  position: Position,
  losses: readonly (readonly [generator: number, discriminator: number])[],
  { batchSize, totalSteps, dataset: { count } }: ResolvedOptions,
): { readonly position: Position; readonly events: StepEvent[] } {
  const { epoch } = position;
  const sums = { ...position.sums };
  const events = losses.map(([generatorLoss, discriminatorLoss], i) => {
    sums.steps++;
    sums.generator += generatorLoss;
    sums.discriminator += discriminatorLoss;
    const step = position.steps - losses.length + i + 1;
    const images = (epoch - 1) * count + Math.min(sums.steps * batchSize, count);
    return { step, epoch, generatorLoss, discriminatorLoss, images, totalSteps };
  });
  return { position: { ...position, sums }, events };
}

/** The beginning of the next epoch, and the event of the one whose last step was trained. */
export function afterEpoch(
  { epoch, steps, sums, history }: Position,
  seconds: number,
  evaluation: Partial<EvaluationMetrics>,
): { readonly position: Position; readonly event: EpochEvent } {
  const event = {
    epoch,
    step: steps,
    steps: sums.steps,
    generatorLoss: sums.generator / sums.steps,
    discriminatorLoss: sums.discriminator / sums.steps,
    seconds,
    ...evaluation,
  };
  const next = { epoch: epoch + 1, at: 0, steps, sums: NO_STEPS };
  return { position: { ...next, history: [...history, event] }, event };
}

const isWhole = (value: unknown, least = 0): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;

const areNumbers = (...values: unknown[]) => values.every((value) => typeof value === "number");

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
  if (!isWhole(at) || at >= count) refuse(`of ${count} images it has trained`, at);
  if (!isWhole(steps)) refuse("its steps are", steps);
  if (!isWhole(sums?.steps) || !areNumbers(sums.generator, sums.discriminator)) {
    refuse("its sums are", sums);
  }
  const isEpoch = (entry?: Partial<EpochEvent>) =>
    isWhole(entry?.epoch, 1) && isWhole(entry.step) && isWhole(entry.steps) &&
    areNumbers(entry.generatorLoss, entry.discriminatorLoss, entry.seconds) &&
    areNumbers(entry.distance ?? 0, ...Object.values(evaluationIn(entry)));
  if (!Array.isArray(history) || !history.every(isEpoch)) refuse("its history is", history);
  return structuredClone({ ...position, history: history.filter((entry) => entry.epoch < epoch) });
}
