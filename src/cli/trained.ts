/** Which file a person means by a run, a checkpoint or weights. */

import { join } from "node:path";
import { CheckpointError } from "../../mod.ts";
import { CheckpointFolder } from "../files/checkpoints.ts";
import { kindOf } from "../files/kind.ts";
import { CHECKPOINTS } from "../files/run_folder.ts";
import { MODEL_FILE } from "../formats/tfjs_model.ts";

/** Help of the argument that names it. */
export const CHECKPOINT =
  "a run's folder (its newest checkpoint), a checkpoint file, or weights: a .safetensors file or " +
  "a tfjs model.json";

/**
 * The file that `path` means: itself, or of a tfjs model's folder its `model.json`, or of a run's
 * folder (or its `training_checkpoints`) the newest checkpoint that can be read.
 *
 * @param skipped called for each newer checkpoint that cannot be read
 * @throws {CheckpointError} when there is nothing at the path, or no checkpoint that can be read.
 */
export async function checkpointPath(
  path: string,
  skipped = (error: CheckpointError) => console.error(`skipped: ${error.message}`),
): Promise<string> {
  const kind = await kindOf(path);
  if (kind === undefined) {
    throw new CheckpointError(
      `There is no ${path}: give a checkpoint, or the folder of a run such as out`,
    );
  }
  if (kind !== "directory") return path;
  const model = join(path, MODEL_FILE);
  if (await kindOf(model) === "file") return model;
  const inside = join(path, CHECKPOINTS);
  const folder = new CheckpointFolder(await kindOf(inside) === "directory" ? inside : path);
  const found = await folder.newest(skipped);
  if (found) return found.path;
  const { length } = await folder.list();
  const [which, give] = length
    ? [` that can be read (tried ${length})`, "another checkpoint"]
    : ["", "the folder of a run, or a checkpoint file"];
  throw new CheckpointError(`${folder.path} holds no checkpoint${which}: give ${give}`);
}
