/**
 * Runs a file of tests and tells what it noticed.
 *
 * @module
 */

import { basename } from "node:path";

/** What a file of tests makes of a fault. */
export type Verdict =
  /** Every test passed. */
  | { readonly kind: "passed" }
  /** A test failed: its name. */
  | { readonly kind: "caught"; readonly test: string }
  /** What was planted is no fault that a test could judge, such as text that cannot be parsed. */
  | { readonly kind: "broken"; readonly why: string };

/** A hundred times what most files take. */
const MOST_MILLISECONDS = 600_000;

/** What only a slip in the planted text brings about: a word that is not there, a shader that is none. */
const SLIP = /^(Reference|Syntax)Error|Shader '.*' parsing error/;

/** What the task `test` allows its tests. */
export function flagsOfTests(configuration: string): string[] {
  const { tasks } = JSON.parse(configuration) as { tasks: Record<string, string> };
  return tasks.test.split(" ").filter((word) => word.startsWith("--"));
}

/** File and filter of an entry of {@linkcode Fault.tests}. */
export function fileAndFilter(tests: string): [file: string, filter?: string] {
  const [, name, filter] = /^(\S+)(?: (.+))?$/.exec(tests)!;
  return [`tests/${name}_test.ts`, filter];
}

/** Runs tests in a checkout until the first failure. */
export async function runTest(
  root: string,
  tests: string,
  flags: readonly string[],
): Promise<Verdict> {
  const [file, filter] = fileAndFilter(tests);
  const args = ["test", ...flags, "--no-check", "--reporter=tap", "--fail-fast"];
  if (filter !== undefined) args.push("--filter", filter);
  const signal = AbortSignal.timeout(MOST_MILLISECONDS);
  const { success, stdout, stderr } = await new Deno.Command("deno", {
    args: [...args, file],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal,
  }).output();
  if (signal.aborted) return { kind: "broken", why: `${tests} does not end` };
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (success) {
    if (/^ok \d/m.test(out)) return { kind: "passed" };
    return { kind: "broken", why: `there is no test ${tests}` };
  }
  const failure = firstFailure(out);
  if (!failure) return { kind: "broken", why: err.trim().split("\n").slice(0, 3).join(" ") };
  if (SLIP.test(failure.message)) return { kind: "broken", why: failure.message.split("\n")[0] };
  return { kind: "caught", test: `${basename(file, "_test.ts")}: ${failure.test}` };
}

/** The first test that failed in a report in TAP, the Test Anything Protocol, and what it said. */
export function firstFailure(report: string): { test: string; message: string } | undefined {
  let outer = "";
  const lines = report.split("\n");
  for (const [i, line] of lines.entries()) {
    const subtest = /^# Subtest: (.*)/.exec(line);
    if (subtest) outer = subtest[1];
    const [, indent, name] = /^( *)not ok \d+ - (.*)/.exec(line) ?? [];
    if (name === undefined) continue;
    const test = (indent ? `${outer}, ${name}` : name).replaceAll("\\#", "#");
    const details = lines.slice(i + 1).find((l) => l.trimStart().startsWith("{")) ?? "{}";
    return { test, message: String(JSON.parse(details).message ?? "") };
  }
  return undefined;
}
