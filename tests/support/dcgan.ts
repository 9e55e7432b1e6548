/** The command line in a process of its own. */

import { deno, type Ended } from "./process.ts";

/** Arguments of `deno` that start it; the command and its options follow. */
export const DCGAN: readonly string[] = [
  "run",
  "--quiet",
  "--no-prompt",
  "--lock=src/cli/deno.lock",
  "--frozen",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "src/cli/main.ts",
];

/** A network so small that a step takes no time. */
export const TINY: readonly string[] = [
  "--batch-size=64",
  "--generator-widths=8,8,8",
  "--discriminator-widths=8,8",
  "--noise-dim=8",
];

/** Runs a command; relative paths are those of `INIT_CWD`, if `env` has it. */
export function dcgan(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return deno([...DCGAN, ...args], { env });
}
