/** What a run left in its folder, as far as it must be the same in another run. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { MetricsRow } from "../../src/formats/metrics.ts";
import { readMetrics } from "../../src/training/metrics_log.ts";
import { CheckpointFolder, readCheckpoint } from "../../src/files/checkpoints.ts";
import type { Position } from "../../src/training/position.ts";
import { digest, digestsOf } from "./digest.ts";
import { namesIn } from "./training.ts";

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
export async function logged(dir: string): Promise<Omit<MetricsRow, "time" | "seconds">[]> {
  const rows = await Array.fromAsync(readMetrics(join(dir, "metrics.jsonl")));
  return rows.map((row) => ({ ...row, time: undefined, seconds: undefined }));
}

/** The steps of the log, in its order. */
export async function loggedSteps(dir: string): Promise<number[]> {
  return (await logged(dir)).flatMap((row) => row.type === "step" ? row.step : []);
}

/** Digests of the images, the GIF and the curves. */
export async function images(dir: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const name of namesIn(dir)) {
    if (!/\.(png|gif|svg)$/.test(name)) continue;
    digests.set(name, digest(await Deno.readFile(join(dir, name))));
  }
  return digests;
}

export async function everything(dir: string) {
  return { state: await stateOf(dir), log: await logged(dir), images: await images(dir) };
}

export function temporary(dir: string): string[] {
  const folders = [dir, join(dir, "training_checkpoints")].filter((folder) => existsSync(folder));
  return folders.flatMap(namesIn).filter((name) => name.endsWith(".tmp"));
}
