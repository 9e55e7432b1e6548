/**
 * Readers in a process of their own, with little room.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** What a process left. */
export interface Outcome {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a file of this folder with so many megabytes of the engine's own heap. */
export async function runWithHeap(
  megabytes: number,
  file: string,
  args: readonly string[],
  permissions: readonly string[],
): Promise<Outcome> {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command("deno", {
    args: [
      "run",
      "--lock=tests/deno.lock",
      "--frozen",
      "--no-check",
      ...permissions,
      `--v8-flags=--max-old-space-size=${megabytes}`,
      `tests/support/fuzz/${file}`,
      ...args,
    ],
    cwd: root,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}
