/**
 * Command-line flags, declared once: their parsing, their checks and their help come from one table.
 *
 * @module
 */

import { parseArgs } from "node:util";

/** A flag's declaration. */
export interface Flag {
  /** What stands behind the flag in the help: `N`, `DIR`; none for a switch. */
  readonly value?: string;
  readonly help: string;
  /** The value may be left out; this one then stands for it. */
  readonly implied?: string;
  /** Turns the text into a value; throws a sentence that says what was expected. */
  readonly parse?: (text: string) => unknown;
}

/** A command line that cannot be understood. Its message is for the person who typed it. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A whole number of at least `least`. */
export function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new UsageError(`a whole number of at least ${least}`);
    }
    return value;
  };
}

/** A number from `least` up to, without, `below`. */
export function real(least: number, below: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= least && value < below)) {
      const most = below === Infinity ? "" : ` and below ${below}`;
      throw new UsageError(`a number of at least ${least}${most}`);
    }
    return value;
  };
}

/** A number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < Infinity)) {
    throw new UsageError("a number above 0");
  }
  return value;
}

/** So many whole numbers with commas between them. */
export function wholes(count: number): (text: string) => number[] {
  return (text) => {
    const values = text.split(",");
    const one = whole(1);
    try {
      if (values.length === count) return values.map((v) => one(v.trim()));
    } catch {
      // Said below for all of them.
    }
    throw new UsageError(`${count} whole numbers such as ${[256, 128, 64].slice(0, count)}`);
  };
}

/** One of some words. */
export function oneOf<T extends string>(...words: T[]): (text: string) => T {
  return (text) => {
    if (!words.includes(text as T)) throw new UsageError(words.join(" or "));
    return text as T;
  };
}

/** Values by flag name; those that were not given are missing. */
export type Values<F extends Record<string, Flag>> = Partial<Record<keyof F, unknown>>;

/**
 * Parses a command line.
 *
 * @throws {UsageError} for an unknown flag, a missing or a wrong value.
 */
export function parseFlags<F extends Record<string, Flag>>(
  flags: F,
  args: readonly string[],
): Values<F> {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      { type: flag.value ? "string" as const : "boolean" as const },
    ]),
  );
  const spelledOut = args.map((arg, i) => {
    const implied = arg.startsWith("--") ? flags[arg.slice(2)]?.implied : undefined;
    const alone = args[i + 1] === undefined || args[i + 1].startsWith("-");
    return implied !== undefined && alone ? `${arg}=${implied}` : arg;
  });
  let parsed: Record<string, string | boolean | undefined>;
  try {
    parsed = parseArgs({ args: spelledOut, options, strict: true }).values;
  } catch (error) {
    throw new UsageError(nicer(error as Error, Object.keys(flags)));
  }
  const values: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(parsed)) {
    const { parse } = flags[name];
    try {
      values[name] = typeof given === "string" && parse ? parse(given) : given;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`--${name} takes ${error.message}, got ${JSON.stringify(given)}`);
    }
  }
  return values as Values<F>;
}

/** Node's message without its advice about `--`, and with the flag that was probably meant. */
function nicer(error: Error, known: readonly string[]): string {
  const unknown = /Unknown option '(-[^']*)'/.exec(error.message)?.[1];
  if (!unknown) return error.message.split(". ")[0];
  const bare = unknown.replace(/^-+/, "");
  const close = known.find((name) => distance(name, bare) <= 2);
  return `there is no ${unknown}${close ? `; did you mean --${close}?` : ""}`;
}

/** Edit distance between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/** The help text of all flags, two columns. */
export function describeFlags(flags: Readonly<Record<string, Flag>>): string {
  const left = Object.entries(flags).map(([name, { value, implied }]) =>
    `  --${name}${value ? implied ? ` [${value}]` : ` ${value}` : ""}`
  );
  const width = Math.max(...left.map((text) => text.length)) + 2;
  return Object.values(flags)
    .map(({ help }, i) => left[i].padEnd(width) + help.split("\n").join("\n" + " ".repeat(width)))
    .join("\n");
}
