/**
 * Hyperparameters that a checkpoint was made with, taken from its file.
 *
 * @module
 */

import { CheckpointError } from "../errors.ts";
import { quote } from "../formats/json.ts";
import type { TrainerOptions } from "./options.ts";

/** Those that a checkpoint's configuration says. */
export type Hyperparameters = Pick<
  TrainerOptions,
  | "batchSize"
  | "noiseDim"
  | "learningRate"
  | "beta1"
  | "beta2"
  | "generatorWidths"
  | "discriminatorWidths"
  | "dropout"
  | "seed"
>;

interface Kind {
  readonly is: (value: unknown) => boolean;
  readonly what: string;
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;

const COUNT: Kind = { is: isCount, what: "a whole number of at least 1" };

const widths = (count: number): Kind => ({
  is: (value) => Array.isArray(value) && value.length === count && value.every(isCount),
  what: `${count} whole numbers of at least 1`,
});

const number = (is: (value: number) => boolean, what: string): Kind => ({
  is: (value) => typeof value === "number" && is(value),
  what,
});

const SHARE = number((x) => x >= 0 && x < 1, "a number of at least 0 and below 1");

const KINDS: Readonly<Record<keyof Hyperparameters, Kind>> = {
  batchSize: COUNT,
  noiseDim: COUNT,
  learningRate: number((x) => x >= 0 && x < Infinity, "a number of at least 0"),
  beta1: SHARE,
  beta2: SHARE,
  generatorWidths: widths(3),
  discriminatorWidths: widths(2),
  dropout: SHARE,
  seed: number((x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32, "a whole number below 2^32"),
};

/**
 * The hyperparameters in a checkpoint's configuration, which may hold anything; these and no others: a
 * file must not set where images go, or what else a run can be told.
 *
 * @param file what messages call it
 * @throws {CheckpointError} naming the first that is not of its kind, and what it is.
 */
export function hyperparametersOf(
  configuration: Readonly<Record<string, unknown>>,
  file: string,
): Hyperparameters {
  const known = Object.entries(KINDS).filter(([name]) => Object.hasOwn(configuration, name));
  for (const [name, { is, what }] of known) {
    const value = configuration[name];
    if (is(value)) continue;
    throw new CheckpointError(
      `The configuration in ${file} is damaged: its ${name} is ${quote(value)}, not ${what}. ` +
        "Use another checkpoint",
    );
  }
  return Object.fromEntries(known.map(([name]) => [name, configuration[name]]));
}
