/**
 * Paths as the person meant them.
 *
 * @module
 */

import { resolve } from "node:path";

/** Paths mean what they mean in the folder where the person is, not where the task runs. */
export function userPath(path: string): string {
  return resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), path);
}
