/** The file with the record of a run. */

import { join } from "npm:pathe@2.0.3";
import { encodeJSON, plain } from "../formats/json.ts";
import { decodeRunRecord, type RunRecord, type RunSession } from "../formats/run_record.ts";
import { VERSION } from "../version.ts";
import { writeFileAtomic } from "./atomic.ts";
import { readTextFile } from "./kind.ts";
import { isReason } from "./file_system.ts";
import { runtime } from "./system.ts";

/** The name of the record in the folder of a run. */
export const RUN_RECORD = "run.json";

/** What a session writes into the record of its run. */
export type RunFacts =
  & Pick<RunRecord, "configuration" | "seed">
  & Pick<RunSession, "fromStep" | "command" | "adapter" | "kernels">;

/**
 * Writes `run.json`, or adds a session to it when the run is resumed (`fromStep` is not 0). A record
 * that cannot be read never stops a run: it is reported to `onMessage`, and a new one replaces it.
 *
 * @returns The file's path.
 * @throws {Error} when it cannot be written.
 */
export async function writeRunRecord(
  outDir: string,
  { configuration, seed, ...facts }: RunFacts,
  onMessage: (text: string) => void = () => {},
): Promise<string> {
  const path = join(outDir, RUN_RECORD);
  const session: RunSession = {
    started: new Date().toISOString(),
    ...facts,
    versions: { library: VERSION, ...runtime.versions },
    os: runtime.os,
    arch: runtime.arch,
  };
  const old = facts.fromStep > 0 ? await readRunRecord(outDir, onMessage) : undefined;
  const before: RunRecord = old ?? { format: 1, configuration, seed, sessions: [] };
  const record = { ...before, sessions: [...before.sessions, session] };
  await writeFileAtomic(path, new TextEncoder().encode(encodeJSON(record, 2) + "\n"));
  return path;
}

/**
 * The record in a folder; undefined when the folder has none. One that cannot be read is reported.
 *
 * Heap: what `JSON.parse` makes of the file, at most 40 times its length.
 */
export async function readRunRecord(
  outDir: string,
  onMessage: (text: string) => void = () => {},
): Promise<RunRecord | undefined> {
  const path = join(outDir, RUN_RECORD);
  try {
    return decodeRunRecord(await readTextFile(path));
  } catch (error) {
    if (isReason(error, "NotFound")) return undefined;
    const reason = plain((error as Error).message, 400);
    onMessage(`${path} cannot be read (${reason}): a new one takes its place`);
    return undefined;
  }
}

/** Steps of a complete epoch of the run in a folder, if its record says so. */
export async function stepsPerEpoch(outDir: string): Promise<number | undefined> {
  const { dataset, batchSize } = (await readRunRecord(outDir))?.configuration ?? {};
  const steps = Math.ceil(Number((dataset as number[] | undefined)?.[0]) / Number(batchSize));
  return Number.isSafeInteger(steps) && steps > 0 ? steps : undefined;
}
