/**
 * Hyperparameters of a run, and the address of the page that repeats it.
 *
 * @module
 */

import {
  HYPERPARAMETERS,
  type Hyperparameters,
  type ResolvedHyperparameters as Values,
  resolveHyperparameters,
} from "../src/training/hyperparameters.ts";

/** Sizes of networks, with what goes well with them. */
export const SIZES = {
  tiny: {
    label: "Tiny: for phones, and computers without a GPU",
    generatorWidths: [32, 16, 8],
    discriminatorWidths: [16, 32],
    batchSize: 32,
    learningRate: 5e-4,
    beta1: 0.5,
  },
  small: {
    label: "Small: digits within a minute on a laptop",
    generatorWidths: [128, 64, 32],
    discriminatorWidths: [32, 64],
    batchSize: 64,
    // As `--preset quick` of the command line.
    learningRate: 2e-4,
    beta1: 0.5,
  },
  full: {
    label: "Full: the networks of TensorFlow's tutorial",
    generatorWidths: [256, 128, 64],
    discriminatorWidths: [64, 128],
    batchSize: 256,
    learningRate: 1e-4,
    beta1: 0.9,
  },
} as const satisfies Record<string, Hyperparameters & { label: string }>;

/** Name of a size. */
export type SizeName = keyof typeof SIZES;

interface Break {
  readonly title: string;
  /** What to expect. */
  readonly text: string;
  readonly change: (values: Values) => Hyperparameters;
}

/** Ways to make the training fail. */
export const BREAKS = {
  "strong-discriminator": {
    title: "The discriminator is too strong",
    text: "It sees through every fake, so the generator gets no hint of what would be better. " +
      "Watch the two histograms part, and the generator’s loss climb.",
    change: ({ discriminatorWidths: [a, b] }) => ({
      generatorWidths: [8, 8, 8],
      discriminatorWidths: [2 * a, 2 * b],
      dropout: 0,
    }),
  },
  "weak-discriminator": {
    title: "The discriminator is too weak",
    text:
      "Four filters, and it forgets 9 of 10 things it sees. It lets blots pass for digits, so " +
      "the generator has no reason to write any better.",
    change: () => ({ discriminatorWidths: [2, 2], dropout: 0.9 }),
  },
  "fast": {
    title: "Learning ten times too fast",
    text:
      "Each step overshoots. The losses jump, images flicker between extremes, and the sixteen " +
      "digits often turn into the same one.",
    change: ({ learningRate }) => ({ learningRate: 10 * learningRate }),
  },
  "no-normalization": {
    title: "No batch normalization",
    text:
      "Nothing brings the numbers inside the generator to one scale. It learns by fits and starts: " +
      "expect crumbs where strokes would be by now.",
    change: () => ({ normalization: "none" }),
  },
  "small-batch": {
    title: "Two images a step",
    text: "Batch normalization estimates an average from two images, and it is wrong each time. " +
      "Images stay noisy, and the losses never settle.",
    change: () => ({ batchSize: 2 }),
  },
} as const satisfies Record<string, Break>;

/** Name of a way to make the training fail. */
export type BreakName = keyof typeof BREAKS;

/** All that a run depends on, besides its data. */
export interface Settings extends Values {
  readonly size: SizeName;
  readonly broken?: BreakName;
}

/** The settings that the form has a field for; the address has the others by their names. */
export const FIELDS = [
  { key: "seed", name: "seed", label: "Seed", hint: "the same seed repeats the same run" },
  { key: "batch", name: "batchSize", label: "Batch size", hint: "images that one step looks at" },
  { key: "lr", name: "learningRate", label: "Learning rate", hint: "how far one step goes" },
  { key: "beta1", name: "beta1", label: "Momentum (beta 1)", hint: "0 to 1: how steady a course" },
  { key: "beta2", name: "beta2", label: "Beta 2", hint: "0 to 1: memory for the size of steps" },
  { key: "dropout", name: "dropout", label: "Dropout", hint: "0 to 1: share D forgets each step" },
  { key: "noise", name: "noiseDim", label: "Noise", hint: "random numbers that make one image" },
  { key: "g", name: "generatorWidths", label: "Generator", hint: "channels of each layer" },
  { key: "d", name: "discriminatorWidths", label: "Discriminator", hint: "channels of each layer" },
] as const satisfies { key: string; name: keyof Hyperparameters; label: string; hint: string }[];

/** A value as text: `128,64,32` for widths. */
export const showValue = (value: unknown) => [value].flat().join(",");

/** The value that a text stands for, of the kind that another one is of. */
function valueOf(text: string, like: unknown): unknown {
  const parts = text.split(",").filter((part) => part.trim() !== "")
    .map((part) => Number.isNaN(Number(part)) ? part.trim() : Number(part));
  if (Array.isArray(like)) return parts;
  return typeof like === "boolean" && /^(true|false)$/.test(text) ? text === "true" : parts[0];
}

/** The key of a hyperparameter in the address. */
const keyOf = (name: keyof Hyperparameters): string =>
  FIELDS.find((field) => field.name === name)?.key ?? name;

/** The settings of a size, as the page begins with them or with a way to fail. */
export function settingsOf(size: SizeName, broken?: BreakName): Settings {
  const { label: _, ...sizes } = SIZES[size];
  const changed = broken ? BREAKS[broken].change(resolveHyperparameters(sizes)) : {};
  const values = resolveHyperparameters({ ...sizes, ...changed });
  return { ...values, size, ...(broken ? { broken } : {}) };
}

/**
 * Settings with fields as a person typed them.
 *
 * @param refused called with a sentence for each that is not a value of its field, which is left out
 */
export function withFields(
  settings: Settings,
  fields: Iterable<readonly [key: string, text: string]>,
  refused: (text: string) => void,
): Settings {
  let values: Settings = settings;
  for (const [key, text] of fields) {
    const name = HYPERPARAMETERS.find((name) => keyOf(name) === key);
    if (!name) continue;
    const label = FIELDS.find((field) => field.name === name)?.label ?? name;
    const changed: Hyperparameters = { ...values, [name]: valueOf(text, settings[name]) ?? NaN };
    // Both networks learn at one rate, unless the address has another one for the discriminator.
    const follows = name === "learningRate" &&
      settings.discriminatorLearningRate === settings.learningRate;
    const rates = follows ? { discriminatorLearningRate: changed.learningRate } : {};
    try {
      values = { ...values, ...resolveHyperparameters({ ...changed, ...rates }) };
    } catch (error) {
      refused(`${label} stays ${showValue(settings[name])}: ${(error as Error).message}`);
    }
  }
  return values;
}

/** The settings in an address, `?seed=7&size=tiny&lr=0.001`. */
export function fromAddress(search: string, refused: (text: string) => void): Settings {
  const params = new URLSearchParams(search);
  const [size, broken] = [params.get("size") ?? "small", params.get("break") ?? undefined];
  const known = Object.hasOwn(SIZES, size);
  if (!known) refused(`The address asks for networks called “${size}”: these are small ones`);
  const breaks = broken !== undefined && Object.hasOwn(BREAKS, broken);
  return withFields(
    settingsOf(known ? size as SizeName : "small", breaks ? broken as BreakName : undefined),
    params,
    refused,
  );
}

/** The part of an address that gives these settings; only what differs from the page's own is in it. */
export function toAddress(settings: Settings): string {
  const params = new URLSearchParams();
  if (settings.size !== "small") params.set("size", settings.size);
  if (settings.broken) params.set("break", settings.broken);
  const usual = settingsOf(settings.size, settings.broken);
  // Without a rate of its own, the discriminator learns at the generator's.
  const expected = usual.discriminatorLearningRate === usual.learningRate
    ? { ...usual, discriminatorLearningRate: settings.learningRate }
    : usual;
  for (const name of HYPERPARAMETERS) {
    const text = showValue(settings[name]);
    if (text !== showValue(expected[name])) params.set(keyOf(name), text);
  }
  const query = params.toString().replaceAll("%2C", ",");
  return query && `?${query}`;
}

/** The settings of a checkpoint, which has hyperparameters alone. */
export function fromHyperparameters(given: Hyperparameters): Settings {
  const values = resolveHyperparameters(given);
  const names = Object.keys(SIZES) as SizeName[];
  const widths = showValue(values.generatorWidths);
  const size = names.find((name) => showValue(SIZES[name].generatorWidths) === widths) ?? "small";
  return { ...values, size };
}
