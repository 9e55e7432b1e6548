/**
 * Hyperparameters of a run, and the address of the page that repeats it.
 *
 * @module
 */

import { type Hyperparameters, resolveHyperparameters } from "../src/training/hyperparameters.ts";

type Values = Required<Hyperparameters>;

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

/** The settings that a form and the address have a field for. */
export const FIELDS = [
  { key: "seed", name: "seed", label: "Seed", hint: "the same seed repeats the same run" },
  { key: "batch", name: "batchSize", label: "Batch size", hint: "images that one step looks at" },
  { key: "lr", name: "learningRate", label: "Learning rate", hint: "how far one step goes" },
  { key: "beta1", name: "beta1", label: "Momentum (beta 1)", hint: "0 to 1: how steady a course" },
  { key: "beta2", name: "beta2", label: "Beta 2", hint: "0 to 1: memory for the size of steps" },
  { key: "dropout", name: "dropout", label: "Dropout", hint: "0 to 1: share D forgets each step" },
  { key: "noise", name: "noiseDim", label: "Noise", hint: "random numbers that make one image" },
  { key: "g", name: "generatorWidths", label: "Generator", hint: "channels of three layers" },
  { key: "d", name: "discriminatorWidths", label: "Discriminator", hint: "channels of two layers" },
] as const satisfies { key: string; name: keyof Hyperparameters; label: string; hint: string }[];

/** A value as text: `128,64,32` for widths. */
export const showValue = (value: number | readonly number[]) => [value].flat().join(",");

/** The settings of a size, as the page begins with them or with a way to fail. */
export function settingsOf(size: SizeName, broken?: BreakName): Settings {
  const { label: _, ...sizes } = SIZES[size];
  const values = resolveHyperparameters(sizes);
  const changed = broken ? BREAKS[broken].change(values) : {};
  return { ...values, ...changed, size, ...(broken ? { broken } : {}) };
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
  const values: Record<string, unknown> = { ...settings };
  for (const [key, text] of fields) {
    const field = FIELDS.find((field) => field.key === key);
    if (!field) continue;
    const numbers = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
    const value = Array.isArray(settings[field.name]) ? numbers : numbers[0];
    try {
      resolveHyperparameters({ [field.name]: value });
      values[field.name] = value;
    } catch (error) {
      refused(
        `${field.label} stays ${showValue(settings[field.name])}: ${(error as Error).message}`,
      );
    }
  }
  return values as unknown as Settings;
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
  for (const { key, name } of FIELDS) {
    const text = showValue(settings[name]);
    if (text !== showValue(usual[name])) params.set(key, text);
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
