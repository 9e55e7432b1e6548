/** What a run left in its folder, as far as it must be the same in another run. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { readMetrics } from "../../mod.ts";
import { CheckpointFolder, readCheckpoint } from "../../src/files/checkpoints.ts";
import type { Position } from "../../src/training/position.ts";
import { digestsOf } from "./digest.ts";

/** Paths of a run's checkpoints, the oldest first. */
export function checkpoints(dir: string): Promise<string[]> {
  return new CheckpointFolder(join(dir, "training_checkpoints"), 3).list();
}

/** Tensors, and position but for times, of a run's newest checkpoint. */
export async function stateOf(dir: string): Promise<unknown> {
  const path = (await checkpoints(dir)).at(-1)!;
  const { tensors, position } = await readCheckpoint<Position>(path);
  const history = position.history.map(({ seconds: _, ...rest }) => rest);
  return {
    path: path.slice(dir.length),
    tensors: digestsOf(tensors),
    position: { ...position, history },
  };
}

/** The lines of the log, but for times. */
export async function logged(dir: string): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of readMetrics(join(dir, "metrics.jsonl"))) {
    rows.push({ ...row, time: undefined, seconds: undefined });
  }
  return rows;
}

/** SHA-256 of the images, the GIF and the curves. */
export async function images(dir: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const { name } of [...Deno.readDirSync(dir)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (!/\.(png|gif|svg)$/.test(name)) continue;
    const bytes = await Deno.readFile(join(dir, name));
    hashes.set(name, createHash("sha256").update(bytes).digest("hex"));
  }
  return hashes;
}

/** All of these. */
export async function everything(dir: string) {
  return { state: await stateOf(dir), log: await logged(dir), images: await images(dir) };
}

/** Temporary files in a run's folders. */
export function temporary(dir: string): string[] {
  const names: string[] = [];
  for (const folder of [dir, join(dir, "training_checkpoints")]) {
    try {
      names.push(...[...Deno.readDirSync(folder)].map(({ name }) => name));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return names.filter((name) => name.endsWith(".tmp"));
}
