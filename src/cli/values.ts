/** Values of flags and arguments: functions from the text that was typed to a value. */

import { resolve } from "node:path";
import { InvalidArgumentError } from "npm:@commander-js/extra-typings@15.1.0";

/** What `--data` calls the data set. */
export const FASHION_MNIST = "fashion-mnist";

/** Takes what `parse` makes a value of; refuses the rest. Commander names the flag and the text. */
export function value<T>(wanted: string, parse: (text: string) => T | undefined) {
  return (text: string): T => {
    const parsed = parse(text);
    if (parsed === undefined) throw new InvalidArgumentError(`It must be ${wanted}`);
    return parsed;
  };
}

/** A whole number in decimal digits, at least `least` and at most `most`. */
export function whole(least: number, most = Infinity): (text: string) => number {
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
  return value(`a whole number ${range}`, (text) => {
    const number = Number(text);
    const fits = Number.isSafeInteger(number) && number >= least && number <= most;
    return /^\d+$/.test(text) && fits ? number : undefined;
  });
}

export const seed = whole(0, 0xffffffff); // a 32-bit word

/** A finite number in decimal digits, with an exponent or without. */
function decimal(range: string, fits: (number: number) => boolean): (text: string) => number {
  return value(`a number ${range}`, (text) => {
    const number = Number(text);
    const written = /^\+?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
    return written && number < Infinity && fits(number) ? number : undefined;
  });
}

/** A number in decimal digits, at least `least` and below `below`. */
export function real(least: number, below: number): (text: string) => number {
  const end = below === Infinity ? "" : ` and below ${below}`;
  return decimal(`of at least ${least}${end}`, (number) => number >= least && number < below);
}

export const positive = decimal("above 0", (number) => number > 0);

const listOf = (text: string) => text.split(",").map((part) => part.trim());

/** So many whole numbers of at least 1 with commas between them; any number of them by default. */
export function wholes(): (text: string) => number[];
export function wholes(count: 2): (text: string) => [number, number];
export function wholes(count?: number): (text: string) => number[] {
  const example = [256, 128, 64].slice(0, count);
  return value(
    `${count === undefined ? "" : `${count} `}whole numbers such as ${example}`,
    (text) => {
      const parts = listOf(text);
      const fits = (part: string) =>
        /^0*[1-9]\d*$/.test(part) && Number.isSafeInteger(Number(part));
      const isLong = count === undefined || parts.length === count;
      return isLong && parts.every(fits) ? parts.map(Number) : undefined;
    },
  );
}

/** Some of these words, each at most once, with commas between them. */
export const someOf = <T extends string>(words: readonly T[]) =>
  value(`a list of ${words.join(", ")}`, (text) => {
    const parts = listOf(text);
    const fits = parts.every((part) => (words as readonly string[]).includes(part));
    return fits && new Set(parts).size === parts.length ? parts as T[] : undefined;
  });

export function oneOf<T extends string>(...words: T[]): (text: string) => T {
  return value(words.join(" or "), (text) => words.find((word) => word === text));
}

/**
 * A path, made absolute. It is relative to the folder where the person is, not to the one where the
 * task runs: Deno names the first in INIT_CWD. A slash at the end stays: it says that a folder is
 * meant. A dash at the start is refused: it is the next flag's, and the path was forgotten.
 *
 * Permissions: read.
 */
export function path(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must not be empty; the current folder is .");
  if (text.startsWith("-")) {
    const other = `a path of that name is given as ./${text}`;
    throw new InvalidArgumentError(`It looks like a flag; ${other}`);
  }
  // Without the permission to read the variable, this is no task.
  const { state } = Deno.permissions.querySync({ name: "env", variable: "INIT_CWD" });
  const initial = state === "granted" ? Deno.env.get("INIT_CWD") : undefined;
  return resolve(initial ?? Deno.cwd(), text) + (/.[/\\]$/.test(text) ? "/" : "");
}

/** The name of a data set that is found or fetched, or the path of a folder. */
export function dataSource(text: string): string {
  return text === FASHION_MNIST ? text : path(text);
}

export function pathTo(suffix: ".png" | ".gif"): (text: string) => string {
  return value(`a name that ends in ${suffix}`, (text) => {
    const absolute = path(text);
    return absolute.toLowerCase().endsWith(suffix) ? absolute : undefined;
  });
}

export const channels: (text: string) => 1 | 3 = (text) => oneOf("1", "3")(text) === "1" ? 1 : 3;

/** A gray, or red, green and blue. */
export const color = value(
  "a gray from 0 to 255, or three such numbers for red, green and blue",
  (text): number | readonly [number, number, number] | undefined => {
    const parts = text.split(",").map(whole(0, 255));
    if (parts.length === 1) return parts[0];
    return parts.length === 3 ? [parts[0], parts[1], parts[2]] : undefined;
  },
);

/** Height and width to bring image files to. */
export const imageSize = value(
  "height and width, both multiples of 4: the generator doubles its size twice",
  (text) => {
    const size = wholes(2)(text);
    return size.every((side) => side % 4 === 0) ? size : undefined;
  },
);
