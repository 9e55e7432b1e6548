/** A folder for one process at a time. */

import { join } from "npm:pathe@2.0.3";
import { CheckpointError } from "../errors.ts";
import { cannotWrite, isStillAt } from "./atomic.ts";
import { readTextFile } from "./kind.ts";
import type { SystemFile } from "./file_system.ts";
import { runtime, system } from "./system.ts";

/** Name of the file that is locked. */
export const LOCK = "run.lock";

/** Holds a folder until it is disposed or its process ends. */
export class FolderLock implements AsyncDisposable {
  private constructor(private readonly path: string, private readonly file: SystemFile) {}

  /**
   * Takes the lock of a folder. The lock is the system's, on a file in the folder: the system releases
   * it when a process ends, even when the file remains.
   *
   * @param onMessage called when the file system has no locks; the folder is then not locked
   * @throws {CheckpointError} when another process, or another run in this one, holds it.
   * @throws {Error} when the folder cannot be written to.
   */
  static async take(
    folder: string,
    onMessage: (text: string) => void,
  ): Promise<FolderLock | undefined> {
    const path = join(folder, LOCK);
    for (;;) {
      const kind = { create: true, read: true, write: true };
      const file = await system.open(path, kind).catch((cause) => {
        throw cannotWrite(path, cause);
      });
      const taken = await file.tryLock(true).catch(({ message }) => {
        onMessage(`${folder} is not locked against other runs: ${message}`);
      });
      if (taken === undefined) {
        file.close();
        return undefined;
      }
      if (!taken) {
        const text = await readTextFile(path).catch(() => "");
        // Another program may have written the file.
        const pid = /^\d{1,20}$/.exec(text.trim())?.[0] ?? "unknown";
        throw new CheckpointError(
          `Another run is writing to ${folder} (process ${pid}): wait for its end, stop it, or use ` +
            "another folder",
        );
      }
      // The last holder may have removed the file meanwhile: then a new file must be locked.
      if (!await isStillAt(path, file)) {
        file.close();
        continue;
      }
      const lock = new FolderLock(path, file);
      try {
        await file.truncate();
        await file.write(new TextEncoder().encode(`${runtime.pid ?? "browser"}\n`));
      } catch (cause) {
        await lock[Symbol.asyncDispose]();
        throw cannotWrite(path, cause);
      }
      return lock;
    }
  }

  /** Releases the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Only our own file, before the lock is released: the folder may have been replaced.
    const ours = await isStillAt(this.path, this.file).catch(() => false);
    if (ours) await system.remove(this.path).catch(() => {});
    this.file.close();
  }
}
