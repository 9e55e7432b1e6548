/**
 * The record of a run: what one needs to know to make it again.
 *
 * @module
 */

import { join } from "node:path";
import { VERSION } from "../version.ts";
import { writeFileAtomic } from "./atomic.ts";
import { encodeJSON, parseJSON, plain, quote } from "../formats/json.ts";
import { readTextFile } from "./regular.ts";

const RUN_RECORD = "run.json";

/** What a run knows of itself. */
export interface RunFacts {
  /** Options that a resumed run must share with the one it continues. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Of weights, order, noise and dropout. */
  readonly seed: number;
  /** The adapter's name and kind, as `gpu.info`. */
  readonly adapter: unknown;
  /** Kernel choices, as `gpu.tuning`. */
  readonly kernels: unknown;
  /** Steps trained before this session. 0 is a new run: a record that is there is replaced. */
  readonly fromStep: number;
  /** The command line, if there was one. */
  readonly command?: readonly string[];
}

/** One process that trained a part of the run. */
export interface RunSession {
  /** As ISO 8601 in UTC. */
  readonly started: string;
  /** Steps trained before it. */
  readonly fromStep: number;
  /** The command line, if there was one. */
  readonly command?: readonly string[];
  /** Of this library, Deno, V8 and TypeScript. */
  readonly versions: Readonly<Record<"library" | "deno" | "v8" | "typescript", string>>;
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

/**
 * Writes `run.json`, or adds a session to it when the run is resumed. A record that cannot be read
 * never stops a run: `onMessage` hears of it, and a new one takes its place.
 *
 * Permissions: read and write for the folder.
 *
 * @returns The file's path.
 * @throws {Error} when it cannot be written.
 */
export async function writeRunRecord(
  outDir: string,
  facts: RunFacts,
  onMessage: (text: string) => void = () => {},
): Promise<string> {
  const path = join(outDir, RUN_RECORD);
  const { configuration, seed, adapter, kernels, fromStep, command } = facts;
  const session: RunSession = {
    started: new Date().toISOString(),
    fromStep,
    ...(command ? { command } : {}),
    versions: { library: VERSION, ...Deno.version },
    os: Deno.build.os,
    arch: Deno.build.arch,
    adapter,
    kernels,
  };
  const old = fromStep > 0 ? await readRunRecord(outDir, onMessage) : undefined;
  const record = old
    ? { ...old, sessions: [...old.sessions, session] }
    : { format: 1, configuration, seed, sessions: [session] } satisfies RunRecord;
  await writeFileAtomic(path, new TextEncoder().encode(encodeJSON(record, 2) + "\n"));
  return path;
}

/** A record is written with indentation, so a level costs two bytes for each value in it. */
const MOST_LEVELS = 16;

/** More processes than have ever trained one run. */
const MOST_SESSIONS = 10_000;

const isObject = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The record in a folder; nothing where there is none, or it cannot be read, which is said.
 *
 * Heap: what `JSON.parse` makes of the file, at most 40 times its length.
 */
export async function readRunRecord(
  outDir: string,
  onMessage: (text: string) => void = () => {},
): Promise<RunRecord | undefined> {
  const path = join(outDir, RUN_RECORD);
  try {
    const record = parseJSON(await readTextFile(path), { levels: MOST_LEVELS }) as
      | Partial<RunRecord>
      | null;
    if (record?.format !== 1) throw new Error(`its format is ${quote(record?.format)}`);
    if (!Array.isArray(record.sessions) || !record.sessions.every(isObject)) {
      throw new Error("it has no list of sessions");
    }
    if (!isObject(record.configuration)) throw new Error("it has no configuration");
    if (record.sessions.length > MOST_SESSIONS) {
      throw new Error(
        `it has ${record.sessions.length} sessions, at most ${MOST_SESSIONS} are read`,
      );
    }
    return record as RunRecord;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    onMessage(
      `${path} cannot be read (${plain((error as Error).message, 400)}): a new one takes its place`,
    );
    return undefined;
  }
}

/** Of a command: more words, or longer ones, than anyone types are not gone through. */
const MOST_WORDS = 100;
const MOST_LETTERS = 4096;

/** Sessions whose commands are gone through: the one that began the run, and the newest. */
const MOST_COMMANDS = 1000;

/** The commands in a record that are some, the oldest first. */
export function commandsIn({ sessions }: RunRecord): readonly (readonly string[])[] {
  const few = sessions.length > MOST_COMMANDS
    ? [sessions[0], ...sessions.slice(1 - MOST_COMMANDS)]
    : sessions;
  return few.map(({ command }) => command as unknown).filter(isCommand);
}

/** A file may say anything. */
function isCommand(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MOST_WORDS &&
    value.every((word) => typeof word === "string" && word.length <= MOST_LETTERS);
}
