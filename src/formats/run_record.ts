/** The record of a run: what is needed to repeat it. */

import { isObject, parseJSON, quote } from "./json.ts";

/** One process that trained a part of the run. */
export interface RunSession {
  /** As ISO 8601 in UTC. */
  readonly started: string;
  /** Steps trained before it. */
  readonly fromStep: number;
  /** The command line, if there was one. */
  readonly command?: readonly string[];
  /** Of this library, Deno, V8 and TypeScript. */
  readonly versions: Readonly<Record<string, string>>;
  /** As `Deno.build.os`. */
  readonly os: string;
  /** As `Deno.build.arch`. */
  readonly arch: string;
  /** The adapter's name and kind. */
  readonly adapter: unknown;
  /** Kernel choices. */
  readonly kernels: unknown;
}

/** What `run.json` holds. */
export interface RunRecord {
  /** Of this file's layout. */
  readonly format: 1;
  /** Options that all sessions share. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Of weights, order, noise and dropout. */
  readonly seed: number;
  /** The first one began the run, the others resumed it. */
  readonly sessions: readonly RunSession[];
}

/** Most levels of nesting: indentation costs two bytes a level for each value. */
const MOST_LEVELS = 16;
const MOST_SESSIONS = 10_000;

/**
 * Reads the text of a `run.json`.
 *
 * Heap: what `JSON.parse` makes of the text, at most 40 times its length.
 *
 * @throws {Error} half a sentence that says what is wrong with it.
 */
export function decodeRunRecord(text: string): RunRecord {
  const record = parseJSON(text, { levels: MOST_LEVELS }) as Partial<RunRecord> | null;
  if (record?.format !== 1) throw new Error(`its format is ${quote(record?.format)}`);
  if (!Array.isArray(record.sessions) || !record.sessions.every(isObject)) {
    throw new Error("it has no list of sessions");
  }
  if (!isObject(record.configuration)) throw new Error("it has no configuration");
  const { length } = record.sessions;
  if (length > MOST_SESSIONS) {
    throw new Error(`it has ${length} sessions, at most ${MOST_SESSIONS} are read`);
  }
  return record as RunRecord;
}

/** Longer commands are ignored. */
const MOST_WORDS = 100;
const MOST_LETTERS = 4096;
/** Most commands that are returned: the first session's, and those of the newest. */
const MOST_COMMANDS = 1000;

/** The valid commands in a record, the oldest first. The file may hold anything in their place. */
export function commandsIn({ sessions }: RunRecord): (readonly string[])[] {
  const first = sessions.slice(0, 1);
  return [...first, ...sessions.slice(1).slice(1 - MOST_COMMANDS)].flatMap(({ command }) => {
    const valid = Array.isArray(command) && command.length <= MOST_WORDS &&
      command.every((word) => typeof word === "string" && word.length <= MOST_LETTERS);
    return valid ? [command] : [];
  });
}
