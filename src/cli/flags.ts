/**
 * Command-line flags and arguments, declared once: their parsing, their checks and their help come
 * from one table.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { permissionFlags, PERMISSIONS } from "./permissions.ts";
import { plain, quote } from "../formats/json.ts";

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

/** What stands on the command line without a flag. */
export interface Argument {
  /** In capitals, as it stands in the help: `CHECKPOINT`. */
  readonly name: string;
  readonly help: string;
  /** It may be left out, and so may those after it. Default false. */
  readonly optional?: boolean;
  /** Of the last one: there may be any number of them. Default false. */
  readonly many?: boolean;
}

/** Flags that more than one command has. */
export const COMMON = {
  quiet: { help: "say nothing but errors, and results that a program reads" },
  json: { help: "say the result as JSON on standard output" },
  help: { help: "this text" },
} satisfies Record<string, Flag>;

/** A command line that cannot be understood. Its message is for the person who typed it. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A whole number of at least `least`, and at most `most`. */
export function whole(least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const within = value >= least && value <= most;
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || !within) {
      const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
      throw new UsageError(`a whole number ${range}`);
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
export function wholes(count: 2): (text: string) => [number, number];
export function wholes(count: 3): (text: string) => [number, number, number];
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

/** A file whose name ends so. */
export function endingIn(suffix: ".png" | ".gif"): (text: string) => string {
  return (text) => {
    if (!text.toLowerCase().endsWith(suffix)) throw new UsageError(`a name that ends in ${suffix}`);
    return text;
  };
}

/** One of some words. */
export function oneOf<T extends string>(...words: T[]): (text: string) => T {
  return (text) => {
    if (!words.includes(text as T)) throw new UsageError(words.join(" or "));
    return text as T;
  };
}

/** What a flag's value is: what its `parse` gives, or the text, or whether it is there. */
export type ValueOf<F extends Flag> = F extends { readonly parse: (text: string) => infer T } ? T
  : F extends { readonly value: string } ? string
  : boolean;

/** Values by flag name; those that were not given are missing. */
export type Values<F extends Readonly<Record<string, Flag>>> = {
  [K in keyof F]?: ValueOf<F[K]>;
};

/**
 * Parses a command line of flags only.
 *
 * @throws {UsageError} for an unknown flag, a missing or a wrong value, or anything else.
 */
export function parseFlags<F extends Readonly<Record<string, Flag>>>(
  flags: F,
  args: readonly string[],
): Values<F> {
  return parseCommandLine(flags, [], args).flags;
}

/**
 * Parses a command line.
 *
 * @param expected what may stand there without a flag, in this order
 * @returns values of flags, and the arguments. Where `--help` was given, none need be there.
 * @throws {UsageError} for an unknown flag, a missing or a wrong value, a missing argument or one too
 *   many.
 */
export function parseCommandLine<F extends Readonly<Record<string, Flag>>>(
  flags: F,
  expected: readonly Argument[],
  args: readonly string[],
): { readonly flags: Values<F>; readonly args: string[] } {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      {
        type: flag.value ? "string" as const : "boolean" as const,
        ...(name === "help" ? { short: "h" } : {}),
      },
    ]),
  );
  const spelledOut = args.map((arg, i) => {
    const flag: Flag | undefined = arg.startsWith("--") ? flags[arg.slice(2)] : undefined;
    const alone = args[i + 1] === undefined || args[i + 1].startsWith("-");
    return flag?.implied !== undefined && alone ? `${arg}=${flag.implied}` : arg;
  });
  let parsed: {
    values: Record<string, string | boolean | undefined>;
    positionals: string[];
  };
  try {
    parsed = parseArgs({ args: spelledOut, options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError(nicer(error as Error, Object.keys(flags)));
  }
  const values: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(parsed.values)) {
    const { parse } = flags[name] as Flag;
    try {
      values[name] = typeof given === "string" && parse ? parse(given) : given;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`--${name} takes ${error.message}, got ${quote(given)}`);
    }
  }
  if (!values.help) requireArguments(expected, parsed.positionals);
  return { flags: values as Values<F>, args: parsed.positionals };
}

function requireArguments(expected: readonly Argument[], given: readonly string[]): void {
  const missing = expected[given.length];
  if (missing && !missing.optional) {
    throw new UsageError(`${missing.name} is missing: ${missing.help.replaceAll("\n", " ")}`);
  }
  if (given.length <= expected.length || expected[expected.length - 1]?.many) return;
  const extra = quote(given[expected.length]);
  throw new UsageError(
    expected.length
      ? `${extra} is one too many: there is only ${expected.map(({ name }) => name).join(" ")}`
      : `there is no place for ${extra}: the command takes only options`,
  );
}

/** What was wrong, in place of Node's message, and with the flag that was probably meant. */
function nicer(error: Error, known: readonly string[]): string {
  const { code } = error as Error & { code?: string };
  if (code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") {
    const name = /'(?:-\w, )?(--[^' ]+)/.exec(error.message)?.[1];
    return / does not take /.test(error.message)
      ? `${name} takes no value`
      : `${name} needs a value; one that begins with - is given as ${name}=-1`;
  }
  const unknown = /Unknown option '(-[^']*)'/.exec(error.message)?.[1];
  if (!unknown) return plain(error.message.split(/\.?\n|\. /)[0]);
  const bare = unknown.replace(/^-+/, "");
  const close = nearest(bare, known);
  return `there is no ${plain(unknown)}${close ? `; did you mean --${close}?` : ""}`;
}

/** The word that was probably meant: the one with the fewest typing errors, two at most. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  // A word of another length is another word; comparing a very long one would take its time.
  const byDistance = known.filter((name) => Math.abs(name.length - word.length) <= 2)
    .map((name) => ({ name, errors: distance(name, word) }))
    .filter(({ name, errors }) => errors <= 2 && errors < name.length)
    .sort((a, b) => a.errors - b.errors);
  return byDistance[0]?.name;
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

/** Two columns; what has more than one line on the right goes on below. */
export function twoColumns(rows: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 4;
  return rows
    .map(([left, right]) =>
      `  ${left}`.padEnd(width) + right.split("\n").join("\n" + " ".repeat(width))
    )
    .join("\n");
}

/** The help text of all flags, two columns. */
export function describeFlags(flags: Readonly<Record<string, Flag>>): string {
  return twoColumns(
    Object.entries(flags).map(([name, { value, implied, help }]) => [
      `--${name}${value ? implied ? ` [${value}]` : ` ${value}` : ""}`,
      help,
    ]),
  );
}

/** What the help of a command says. */
export interface Help {
  /** The command's name. */
  readonly command: string;
  /** A sentence: what it does. */
  readonly what: string;
  readonly args?: readonly Argument[];
  readonly flags: Readonly<Record<string, Flag>>;
  /** Command lines without what starts the program. */
  readonly examples: readonly string[];
  /** What else there is to know. */
  readonly more?: string;
}

/**
 * How the program is started: by a checkout's task, or from the registry that `url` names, with the
 * flags that the help of a command has.
 */
export function programOf(url: string): string {
  return url.startsWith("file:") ? "deno task dcgan" : "deno run jsr:@dcgan/webgpu/cli";
}

/** How this program was started. */
export const PROGRAM = programOf(import.meta.url);

/** A task has them already; else they stand behind `deno run`. */
const PERMISSIONS_TITLE = PROGRAM.startsWith("deno run")
  ? "permissions, behind `deno run`"
  : "permissions";

/** The help text of a command. */
export function describeCommand({ command, what, args = [], flags, examples, more }: Help): string {
  const places = args.map(({ name, optional, many }) => {
    const text = many ? `${name}...` : name;
    return optional ? `[${text}]` : text;
  });
  return [
    what,
    `usage: ${[PROGRAM, command, ...places, "[OPTION...]"].join(" ")}`,
    ...(args.length ? [twoColumns(args.map(({ name, help }) => [name, help]))] : []),
    describeFlags(flags),
    `${PERMISSIONS_TITLE}:\n  ${permissionFlags(PERMISSIONS[command]).join("\n  ")}`,
    ["examples:", ...examples.map((line) => `  ${PROGRAM} ${line}`)].join("\n"),
    ...(more ? [more] : []),
  ].join("\n\n") + "\n";
}
