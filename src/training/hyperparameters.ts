/**
 * Hyperparameters: what a resumed run must share with the one that it continues. One table has their
 * defaults and what values they may have, in options as well as in files.
 */

import { CheckpointError } from "../errors.ts";
import { quote } from "../formats/json.ts";
import { type Augmentation, AUGMENTATIONS } from "../model/augment.ts";
import { defaultWidths } from "../model/sizes.ts";
import { type ObjectiveName, OBJECTIVES } from "../model/objectives.ts";

/**
 * Options that a resumed run must share with the one that it continues; the defaults are the
 * tutorial's. `docs/recipes.md` says when to use which.
 */
export interface Hyperparameters {
  /** Default 256. The last, smaller batch of an epoch is trained too. */
  readonly batchSize?: number;
  /** Length of the noise vector. Default 100. */
  readonly noiseDim?: number;
  /** Of both Adams. Default 1e-4. */
  readonly learningRate?: number;
  /** Of the discriminator's Adam (Heusel et al. 2017). Default `learningRate`. */
  readonly discriminatorLearningRate?: number;
  /** Both learning rates fall linearly to 0 over so many steps; 0 (default): they stay. */
  readonly decaySteps?: number;
  /** Of both Adams. Default 0.9. */
  readonly beta1?: number;
  /** Of both Adams. Default 0.999. */
  readonly beta2?: number;
  /**
   * Channels of the generator's hidden layers, from the first to the last; each but the first doubles
   * the size of the one before. Default by the size of the images: [256, 128, 64] for 28 x 28.
   */
  readonly generatorWidths?: readonly number[];
  /** Channels of the discriminator's hidden layers, each half as large as the one before. Default as above: [64, 128]. */
  readonly discriminatorWidths?: readonly number[];
  /** Batch normalization in the generator (default), or none and initial weights that need none. */
  readonly normalization?: "batch" | "none";
  /** Share of the discriminator's activations dropped in training. Default 0.3. */
  readonly dropout?: number;
  /** What the networks minimize. Default "nonsaturating". */
  readonly objective?: ObjectiveName;
  /** Weight gamma of the penalty R1, on the discriminator's gradient at real images; 0 (default): none. */
  readonly r1?: number;
  /** Weight gamma of the penalty R2, on the discriminator's gradient at generated images; 0 (default): none. */
  readonly r2?: number;
  /** Weight of WGAN-GP's penalty. Default 10 with the objective "wgan-gp"; other objectives have none. */
  readonly gradientPenalty?: number;
  /** Real images have the label 1 - labelSmoothing; for "nonsaturating" only. Default 0. */
  readonly labelSmoothing?: number;
  /** The generator is updated in every Nth step only. Default 1. */
  readonly discriminatorSteps?: number;
  /** How both networks' images are changed at random before the discriminator sees them. Default []. */
  readonly augment?: readonly Augmentation[];
  /**
   * Decay of a moving average of the generator's weights, for each of its updates; 0 (default): none.
   * A decay of 0.997 averages over about 300 steps.
   */
  readonly ema?: number;
  /** Whether both networks are given the data set's labels. Default false. */
  readonly conditional?: boolean;
  /** Of weights, order, noise and dropout, 0 to 2^32 - 1. Default 0. Same seed, same adapter: same bits. */
  readonly seed?: number;
}

/** All hyperparameters. */
export type ResolvedHyperparameters = Required<Hyperparameters>;

/** Height and width of the images to train on. */
interface ImageSize {
  readonly height: number;
  readonly width: number;
}

const MNIST: ImageSize = { height: 28, width: 28 };

interface Kind<T> {
  /** The default, given the hyperparameters before this one in the table. */
  readonly preset: T | ((before: ResolvedHyperparameters, image: ImageSize) => T);
  readonly is: (value: unknown) => boolean;
  readonly what: string;
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;

const count = (preset: number) => ({ preset, is: isCount, what: "a whole number of at least 1" });

const widths = (name: "generator" | "discriminator", least: number) => ({
  preset: (_: unknown, { height, width }: ImageSize) => defaultWidths(height, width)[name],
  is: (value: unknown) => Array.isArray(value) && value.length >= least && value.every(isCount),
  what: `${least} or more whole numbers of at least 1`,
});

const number = <P>(preset: P, is: (value: number) => boolean, what: string) => ({
  preset,
  is: (value: unknown) => typeof value === "number" && is(value),
  what,
});

const atLeastZero = <P>(preset: P) =>
  number(preset, (x) => x >= 0 && x < Infinity, "a number of at least 0");

const share = (preset: number) =>
  number(preset, (x) => x >= 0 && x < 1, "a number of at least 0 and below 1");

const isSeed = (x: number) => Number.isInteger(x) && x >= 0 && x < 2 ** 32;

const named = (names: readonly string[]) => names.map((name) => `"${name}"`).join(" or ");

const oneOf = <T extends string>(preset: T, names: readonly string[]) => ({
  preset,
  is: (value: unknown) => names.includes(value as T),
  what: named(names),
});

const TABLE: { readonly [K in keyof Hyperparameters]-?: Kind<ResolvedHyperparameters[K]> } = {
  batchSize: count(256),
  noiseDim: count(100),
  learningRate: atLeastZero(1e-4),
  discriminatorLearningRate: atLeastZero((before: Hyperparameters) => before.learningRate!),
  decaySteps: number(0, (x) => Number.isSafeInteger(x) && x >= 0, "a whole number of at least 0"),
  beta1: share(0.9),
  beta2: share(0.999),
  generatorWidths: widths("generator", 2),
  discriminatorWidths: widths("discriminator", 1),
  normalization: oneOf("batch", ["batch", "none"]),
  dropout: share(0.3),
  objective: oneOf("nonsaturating", Object.keys(OBJECTIVES)),
  r1: atLeastZero(0),
  r2: atLeastZero(0),
  gradientPenalty: atLeastZero(({ objective }: Hyperparameters) =>
    objective === "wgan-gp" ? 10 : 0
  ),
  labelSmoothing: share(0),
  discriminatorSteps: count(1),
  augment: {
    preset: [],
    is: (value) =>
      Array.isArray(value) && value.every((name) => AUGMENTATIONS.includes(name)) &&
      new Set(value).size === value.length,
    what: `a list of ${named(AUGMENTATIONS)}, each once`,
  },
  ema: share(0),
  conditional: {
    preset: false,
    is: (value) => typeof value === "boolean",
    what: "true or false",
  },
  seed: number(0, isSeed, "a whole number below 2^32"),
};

const KINDS = Object.entries(TABLE) as [keyof Hyperparameters, Kind<unknown>][];

/** Names of all hyperparameters. */
export const HYPERPARAMETERS = Object.keys(TABLE) as readonly (keyof Hyperparameters)[];

/**
 * All hyperparameters, and nothing else of the options.
 *
 * @param image the size of the images, on which the networks' widths depend
 * @throws {RangeError} when one has a value that it may not have, alone or beside the others.
 */
export function resolveHyperparameters(
  options: Hyperparameters,
  image: ImageSize = MNIST,
): ResolvedHyperparameters {
  const resolved: Record<string, unknown> = {};
  for (const [name, { preset, is, what }] of KINDS) {
    const given = options[name];
    const value = given === undefined ? presetOf(preset, resolved, image) : given;
    if (!is(value)) {
      const got = typeof value === "number" ? value : quote(value); // JSON has no NaN.
      throw new RangeError(`${name} must be ${what}, got ${got}`);
    }
    resolved[name] = value;
  }
  const complete = resolved as unknown as ResolvedHyperparameters;
  requireFitting(complete);
  // In one order: a list in another asks for the same.
  resolved.augment = AUGMENTATIONS.filter((name) => complete.augment.includes(name));
  return complete;
}

/** A default, given the hyperparameters before it in the table. */
function presetOf(
  preset: Kind<unknown>["preset"],
  before: Readonly<Record<string, unknown>>,
  image: ImageSize,
): unknown {
  return typeof preset === "function" ? preset(before, image) : preset;
}

/** Refuses what an objective does not have. */
function requireFitting(resolved: ResolvedHyperparameters): void {
  const { objective } = resolved;
  const zeroCentered: ObjectiveName[] = ["nonsaturating", "hinge", "relativistic"];
  const belongs = {
    r1: zeroCentered,
    r2: zeroCentered,
    gradientPenalty: ["wgan-gp"],
    labelSmoothing: ["nonsaturating"],
  } as const;
  for (const name of Object.keys(belongs) as (keyof typeof belongs)[]) {
    if (resolved[name] === 0 || (belongs[name] as readonly string[]).includes(objective)) continue;
    // It may be a recipe's, so that it cannot be left out.
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new RangeError(
      `The objective "${objective}" has no ${name}, got ${resolved[name]}: set it to 0 ` +
        `(${name}: 0, --${flag} 0), or use the objective ${named(belongs[name])}`,
    );
  }
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

/** A configuration with defaults for hyperparameters that the version that wrote it did not have. */
export function withDefaults(
  configuration: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const filled = { ...configuration };
  for (const [name, { preset }] of KINDS) {
    if (!Object.hasOwn(filled, name)) filled[name] = presetOf(preset, filled, MNIST);
  }
  return filled;
}
