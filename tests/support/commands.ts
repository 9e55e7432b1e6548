/** Command lines, one after another in one process. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DCGAN } from "./dcgan.ts";
import { deno, type Ended, ROOT } from "./process.ts";

const PROGRAM = join(ROOT, "tests/support/command_lines.ts");

/** Caches of a folder's own; compiled shaders are kept where all processes have them. */
export function cachesIn(dir: string): Record<string, string> {
  const shaders = Deno.env.get("XDG_CACHE_HOME") || join(Deno.env.get("HOME") ?? "", ".cache");
  return { XDG_CACHE_HOME: dir, LOCALAPPDATA: dir, MESA_SHADER_CACHE_DIR: shaders };
}

/** Runs command lines; `flags` are Deno's, and relative paths are those of `cwd` or INIT_CWD. */
export async function commands(
  lines: readonly string[],
  flags: readonly string[] = DCGAN.slice(1, -1),
  options?: Parameters<typeof deno>[1],
): Promise<Ended[]> {
  const words = JSON.stringify(lines.map((line) => line ? line.split(" ") : []));
  const { code, stdout, stderr } = await deno(["run", ...flags, PROGRAM, words], options);
  assert.equal(code, 0, stdout + stderr);
  return JSON.parse(stdout);
}

/** A command line, its exit code, and what it prints: on standard error if it fails. */
export type Run = readonly [code: 0 | 1 | 2, line: string, ...said: RegExp[]];

/** Runs command lines of a person in a folder, and compares; what each printed. */
export async function assertRuns(dir: string, ...runs: Run[]): Promise<string[]> {
  const lines = runs.map(([, line]) => line);
  const ended = await commands(lines, undefined, { env: { INIT_CWD: dir } });
  return runs.map(([code, line, ...said], i) => {
    const { code: got, stdout, stderr } = ended[i];
    assert.equal(got, code, `${line}: ${stdout}${stderr}`);
    const text = code === 0 ? stdout : stderr;
    for (const pattern of said) assert.match(text, pattern, line);
    assert.doesNotMatch(stderr, /^ +at /m, "a sentence, not a stack");
    return text;
  });
}
