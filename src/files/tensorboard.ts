/** The folder of a run's event files, which TensorBoard shows. */

import { join } from "npm:pathe@2.0.3";
import { AppendFile } from "./append.ts";
import { makeFolder } from "./atomic.ts";
import { filesIn } from "./kind.ts";
import { runtime, system } from "./system.ts";

/** Names of this library's event files. Other programs' files may be in the same folder. */
const NAME = /^events\.out\.tfevents\.(\d+)\.dcgan\.\d+$/;

/** The event files in a folder that this library wrote, with the time in their names. */
export async function eventFiles(folder: string): Promise<{ path: string; seconds: number }[]> {
  const files = await filesIn(folder, NAME);
  return files.map(({ path, match }) => ({ path, seconds: Number(match[1]) }));
}

/**
 * Begins a new event file in a folder, which is made when it is missing.
 *
 * @param keep whether earlier event files of this library stay, or are removed
 */
export async function openEventFile(
  folder: string,
  { keep }: { readonly keep: boolean },
): Promise<AppendFile> {
  await makeFolder(folder);
  let seconds = Math.floor(Date.now() / 1000);
  for (const file of await eventFiles(folder)) {
    if (!keep) await system.remove(file.path);
    // TensorBoard reads the files of a folder in the order of their names, and ours must be last.
    else seconds = Math.max(seconds, file.seconds + 1);
  }
  return await AppendFile.open(
    join(folder, `events.out.tfevents.${seconds}.dcgan.${runtime.pid ?? 0}`),
  );
}
