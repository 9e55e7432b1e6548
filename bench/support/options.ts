/**
 * Options of the programs in `bench/`: checked as those of `train` are, and `--help`.
 *
 * @module
 */

import { resolve } from "node:path";
import {
  describeFlags,
  type Flag,
  parseFlags,
  UsageError,
  type Values,
} from "../../src/cli/flags.ts";

export { real, whole } from "../../src/cli/flags.ts";

const HELP = { help: { help: "this text" } } satisfies Record<string, Flag>;

/** Parses the command line of `deno task <task>`; says what is wrong with it and exits with 2. */
export function options<F extends Record<string, Flag>>(task: string, flags: F): Values<F> {
  const all: Record<string, Flag> = { ...flags, ...HELP };
  const usage = `usage: deno task ${task} [OPTION...]\n\n${describeFlags(all)}`;
  try {
    const values = parseFlags(all, Deno.args);
    if (values.help) {
      console.log(usage);
      Deno.exit(0);
    }
    return values as Values<F>;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${task}: ${error.message}\n\n${usage}`);
    Deno.exit(2);
  }
}

/** Values with commas between them. */
export function list<T>(one: (text: string) => T): (text: string) => T[] {
  return (text) => {
    try {
      return text.split(",").map((part) => one(part.trim()));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`a list with commas, each ${error.message}`);
    }
  };
}

/** A file or folder as the person meant it: tasks run in the project's folder. */
export function path(text: string): string {
  return resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), text);
}
