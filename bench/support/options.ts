/**
 * Options of the programs in `bench/`, and `--help`.
 *
 * @module
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";

/** An option: the value without it, what stands for its value in the help, and how it is read. */
type Option<T> = readonly [
  otherwise: T,
  value: string,
  help: string,
  /** Throws a text that completes "--name takes". */
  parse: (text: string) => T,
];

/** Reads the command line of `deno task <task>`. If that is wrong, prints why and exits with 2. */
export function options<T extends Record<string, unknown>>(
  task: string,
  table: { readonly [K in keyof T]: Option<T[K]> },
): T {
  const all = Object.entries<Option<unknown>>(table);
  const left = all.map(([name, [, value]]) => `--${name} ${value}`);
  const width = Math.max(...left.map(({ length }) => length));
  const rows = all.map(([, [, , help]], i) => `  ${left[i].padEnd(width)}  ${help}`);
  const usage = `usage: deno task ${task} [OPTION...]\n\n${rows.join("\n")}`;
  try {
    const types = all.map(([name, [, value]]) => [name, { type: value ? "string" : "boolean" }]);
    const { values }: { values: Record<string, unknown> } = parseArgs({
      options: { ...Object.fromEntries(types), help: { type: "boolean" } },
    });
    if (values.help) {
      console.log(usage);
      Deno.exit(0);
    }
    return Object.fromEntries(all.map(([name, [otherwise, , , parse]]) => {
      const text = values[name];
      if (text === undefined) return [name, otherwise];
      try {
        return [name, parse(String(text))];
      } catch (wanted) {
        throw new TypeError(`--${name} takes ${wanted}, got ${JSON.stringify(text)}`);
      }
    })) as T;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${task}: ${error.message}\n\n${usage}`);
    Deno.exit(2);
  }
}

/** A whole number above 0. */
export function whole(text: string): number {
  if (!/^\d+$/.test(text) || !(Number(text) > 0)) throw "a whole number above 0";
  return Number(text);
}

/** How often the channels of a network are multiplied. */
export function width(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0.05 && value < 16)) throw "a number from 0.05 to 16";
  return value;
}

/** Values with commas between them. */
export function list<T>(one: (text: string) => T): (text: string) => readonly T[] {
  return (text) => {
    try {
      return text.split(",").map((part) => one(part.trim()));
    } catch (wanted) {
      throw `a list with commas, each ${wanted}`;
    }
  };
}

/** One of some words. */
export function word<T extends string>(...words: readonly T[]): (text: string) => T {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found === undefined) throw words.join(" or ");
    return found;
  };
}

/** A file or folder relative to where the person is: tasks run in the project's folder. */
export function path(text: string): string {
  if (text === "") throw "a path";
  return resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), text);
}
