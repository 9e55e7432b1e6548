/**
 * Which checkpoint a person means: a file, or the newest one of a run's folder.
 *
 * @module
 */

import { join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { CheckpointFolder, readCheckpoint } from "../files/checkpoints.ts";

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await Deno.stat(path)).isDirectory ? "folder" : "file";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  }
}

/**
 * The file that `path` means: itself, or of a run's folder (or its `training_checkpoints`) the newest
 * checkpoint that can be read, or of a tfjs model's folder its `model.json`.
 *
 * @param path absolute, or relative to the process's folder
 * @param skipped hears of newer checkpoints that cannot be read
 * @throws {CheckpointError} when there is nothing at the path, or no checkpoint that can be read.
 */
export async function checkpointPath(
  path: string,
  skipped: (error: CheckpointError) => void = () => {},
): Promise<string> {
  const kind = await kindOf(path);
  if (kind === undefined) {
    throw new CheckpointError(
      `There is no ${path}: give a checkpoint, or the folder of a run such as out`,
    );
  }
  if (kind === "file") return path;
  const model = join(path, "model.json");
  if (await kindOf(model) === "file") return model;
  const inside = join(path, "training_checkpoints");
  const folder = await kindOf(inside) === "folder" ? inside : path;
  const checkpoints = await new CheckpointFolder(folder, Infinity).list();
  for (const checkpoint of checkpoints.toReversed()) {
    try {
      await readCheckpoint(checkpoint);
      return checkpoint;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      skipped(error);
    }
  }
  throw new CheckpointError(
    checkpoints.length
      ? `${folder} holds no checkpoint that can be read (tried ${checkpoints.length}): ` +
        "give another checkpoint"
      : `${folder} holds no checkpoint: give the folder of a run, or a checkpoint file`,
  );
}
