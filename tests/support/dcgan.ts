/** The command line in a process of its own. */

import assert from "node:assert/strict";
import { deno, type Ended, output } from "./process.ts";

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

/** What a command prints, which must succeed. */
export const printed = (cwd: string, command: string): Promise<string> =>
  output([...DCGAN, ...command.split(" ")], { env: { INIT_CWD: cwd } });

/** A command line that fails: the exit code, what standard error says, the words. */
export type Failure = readonly [code: 1 | 2, message: RegExp, command: string];

/** Runs command lines that fail, one after another in one process. */
export async function assertFail(cwd: string, ...failures: readonly Failure[]): Promise<void> {
  const commands = failures.map(([, , command]) => command.split(" "));
  const program = [...DCGAN.slice(0, -1), "tests/support/command_lines.ts"];
  const text = await output([...program, JSON.stringify(commands)], { env: { INIT_CWD: cwd } });
  const ended: Ended[] = JSON.parse(text.trim().split("\n").at(-1)!);
  for (const [i, [code, message, command]] of failures.entries()) {
    const { code: got, stderr } = ended[i];
    assert.equal(got, code, `${command}: ${stderr}`);
    assert.match(stderr, message, command);
    assert.doesNotMatch(stderr, /^ +at /m, "a sentence, not a stack");
  }
}
