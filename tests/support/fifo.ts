/**
 * Named pipes.
 *
 * Run as a program it makes one, since the tests themselves may run nothing but Deno:
 *
 *   deno run --allow-run=mkfifo fifo.ts PATH
 */

import { fileURLToPath } from "node:url";

export const HAS_FIFOS = Deno.build.os !== "windows";

async function run(command: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** Makes a named pipe to which nobody writes, and from which nobody reads. */
export async function makeFifo(path: string): Promise<void> {
  const program = fileURLToPath(import.meta.url);
  await run("deno", ["run", "--no-lock", "--no-check", "--allow-run=mkfifo", program, path]);
}

if (import.meta.main) await run("mkfifo", Deno.args);
