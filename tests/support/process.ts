/** Programs in processes of their own. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Where a process runs, and with which variables beside those of the tests. */
interface ProcessOptions {
  /** Default Deno. */
  readonly program?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function deno(
  args: readonly string[],
  { program = "deno", cwd = ROOT, env }: ProcessOptions = {},
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** Runs `deno` to its end, which must be a success; what it printed. */
export async function output(args: readonly string[], options?: ProcessOptions): Promise<string> {
  const { code, stdout, stderr } = await deno(args, options);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

/** Starts a program, and sends it a signal when its output matches; what it printed until its end. */
export async function signaled(
  args: readonly string[],
  pattern: RegExp,
  signal: Deno.Signal,
  { program = "deno", cwd = ROOT, env }: ProcessOptions = {},
): Promise<Deno.CommandStatus & { readonly text: string }> {
  const process = new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let sent = false;
  for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (sent || !pattern.test(text)) continue;
    sent = true;
    process.kill(signal);
  }
  assert.ok(sent, `it ended before it printed ${pattern}:\n${text}`);
  return { ...await process.status, text };
}
