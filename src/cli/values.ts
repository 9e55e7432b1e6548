/**
 * Values of flags and arguments: each function turns the text that was typed into a value, or says
 * what it expects.
 *
 * @module
 */

import { resolve } from "node:path";

/** A value that is refused. Commander knows it by its code, and names the flag and the value. */
export class InvalidValue extends Error {
  override name = "InvalidValue";
  readonly code = "commander.invalidArgument";
}

/** A whole number in decimal digits, at least `least` and at most `most`. */
export function whole(least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const within = value >= least && value <= most;
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || !within) {
      const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
      throw new InvalidValue(`It must be a whole number ${range}`);
    }
    return value;
  };
}

/** A seed: a 32-bit word. */
export const seed = whole(0, 0xffffffff);

/** A number in decimal digits, at least `least` and below `below`. */
export function real(least: number, below: number): (text: string) => number {
  const most = below === Infinity ? "" : ` and below ${below}`;
  return (text) => decimal(text, (v) => v >= least && v < below, `of at least ${least}${most}`);
}

/** A number in decimal digits above 0. */
export function positive(text: string): number {
  return decimal(text, (value) => value > 0 && value < Infinity, "above 0");
}

function decimal(text: string, within: (value: number) => boolean, range: string): number {
  const value = Number(text);
  if (/^\+?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) && within(value)) return value;
  throw new InvalidValue(`It must be a number ${range}`);
}

/** So many whole numbers of at least 1 with commas between them. */
export function wholes(count: 2): (text: string) => [number, number];
export function wholes(count: 3): (text: string) => [number, number, number];
export function wholes(count: number): (text: string) => number[] {
  return (text) => {
    const parts = text.split(",").map((part) => part.trim());
    const values = parts.filter((part) => /^0*[1-9]\d*$/.test(part)).map(Number);
    if (values.length === count && parts.length === count && values.every(Number.isSafeInteger)) {
      return values;
    }
    throw new InvalidValue(
      `It must be ${count} whole numbers such as ${[256, 128, 64].slice(0, count)}`,
    );
  };
}

export function oneOf<T extends string>(...words: T[]): (text: string) => T {
  return (text) => {
    if (words.includes(text as T)) return text as T;
    throw new InvalidValue(`It must be ${words.join(" or ")}`);
  };
}

/**
 * A path, made absolute. It is relative to the folder where the person is, not to the one where the
 * task runs: Deno names the first in INIT_CWD. A slash at the end, which says that a folder is meant,
 * stays.
 *
 * An empty text is refused: it would mean the current folder. So is one that begins with a dash: it is
 * the next flag, and the path was forgotten.
 *
 * Permissions: read.
 */
export function path(text: string): string {
  if (text === "") throw new InvalidValue("It must not be empty; the current folder is .");
  if (text.startsWith("-")) {
    throw new InvalidValue(`It looks like a flag; a path of that name is given as ./${text}`);
  }
  // Without the permission to read the variable, this is no task.
  const { state } = Deno.permissions.querySync({ name: "env", variable: "INIT_CWD" });
  const initial = state === "granted" ? Deno.env.get("INIT_CWD") : undefined;
  return resolve(initial ?? Deno.cwd(), text) + (/.[/\\]$/.test(text) ? "/" : "");
}

/** A path that ends in `suffix`. */
export function pathTo(suffix: ".png" | ".gif"): (text: string) => string {
  return (text) => {
    const absolute = path(text);
    if (absolute.toLowerCase().endsWith(suffix)) return absolute;
    throw new InvalidValue(`It must be a name that ends in ${suffix}`);
  };
}

export function channels(text: string): 1 | 3 {
  return Number(oneOf("1", "3")(text)) as 1 | 3;
}

/** Height and width to bring PNG files to. */
export function imageSize(text: string): [height: number, width: number] {
  const size = wholes(2)(text);
  if (size.every((side) => side % 4 === 0)) return size;
  throw new InvalidValue(
    "It must be height and width, both multiples of 4: the generator doubles its size twice",
  );
}
