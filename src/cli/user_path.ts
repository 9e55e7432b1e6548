/**
 * Paths as the person meant them.
 *
 * @module
 */

import { resolve } from "node:path";

/**
 * Paths mean what they mean in the folder where the person is, not where the task runs: Deno says it
 * in INIT_CWD. Without the permission to read that, it is no task. A slash at the end, which says that
 * a folder is meant, stays.
 */
export function userPath(path: string): string {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "INIT_CWD" });
  const initial = state === "granted" ? Deno.env.get("INIT_CWD") : undefined;
  return resolve(initial ?? Deno.cwd(), path) + (/.[/\\]$/.test(path) ? "/" : "");
}

/** Whether there is anything at a path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
