/**
 * Hyperparameters: what a resumed run must share with the one that it continues. One table has their
 * defaults and what values they may have, in options as well as in files.
 */

import { CheckpointError } from "../errors.ts";
import { quote } from "../formats/json.ts";

/** Options that a resumed run must share with the one that it continues; the defaults are the tutorial's. */
export interface Hyperparameters {
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
}

interface Kind<T> {
  readonly preset: T;
  readonly is: (value: unknown) => boolean;
  readonly what: string;
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;

const count = (preset: number) => ({ preset, is: isCount, what: "a whole number of at least 1" });

const widths = <T extends readonly number[]>(...preset: T) => ({
  preset,
  is: (value: unknown) =>
    Array.isArray(value) && value.length === preset.length && value.every(isCount),
  what: `${preset.length} whole numbers of at least 1`,
});

const number = (preset: number, is: (value: number) => boolean, what: string) => ({
  preset,
  is: (value: unknown) => typeof value === "number" && is(value),
  what,
});

const share = (preset: number) =>
  number(preset, (x) => x >= 0 && x < 1, "a number of at least 0 and below 1");

const isSeed = (x: number) => Number.isInteger(x) && x >= 0 && x < 2 ** 32;

const TABLE: { readonly [K in keyof Hyperparameters]-?: Kind<Required<Hyperparameters>[K]> } = {
  batchSize: count(256),
  noiseDim: count(100),
  learningRate: number(1e-4, (x) => x >= 0 && x < Infinity, "a number of at least 0"),
  beta1: share(0.9),
  beta2: share(0.999),
  generatorWidths: widths(256, 128, 64),
  discriminatorWidths: widths(64, 128),
  dropout: share(0.3),
  seed: number(0, isSeed, "a whole number below 2^32"),
};

const KINDS = Object.entries(TABLE) as [keyof Hyperparameters, Kind<unknown>][];

/**
 * All hyperparameters, and nothing else of the options.
 *
 * @throws {RangeError} when one has a value that it may not have.
 */
export function resolveHyperparameters(options: Hyperparameters): Required<Hyperparameters> {
  const resolved = KINDS.map(([name, { preset, is, what }]) => {
    const value = options[name] === undefined ? preset : options[name];
    if (is(value)) return [name, value];
    const got = typeof value === "number" ? value : quote(value); // JSON has no NaN.
    throw new RangeError(`${name} must be ${what}, got ${got}`);
  });
  return Object.fromEntries(resolved);
}

/**
 * The hyperparameters in a checkpoint's configuration, which may hold anything; these and no others: a
 * file must not decide where images go, or any other option of a run.
 *
 * @param file what messages call it
 * @throws {CheckpointError} naming the first that is not of its kind, and what it is.
 */
export function hyperparametersOf(
  configuration: Readonly<Record<string, unknown>>,
  file: string,
): Hyperparameters {
  const known = KINDS.filter(([name]) => Object.hasOwn(configuration, name));
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
