/**
 * Plants each fault of `scripts/mutations/` in a copy of the checkout, alone, and runs the tests that
 * should notice. Writes the table of `docs/testing.md`, and ends with 1 if one is not noticed.
 *
 *   deno task mutate [WORD ...] [--missing] [--jobs N]
 *
 * With words, only faults of files whose path has one of them; with `--missing` only those that the
 * table does not say were noticed. The other rows of the table stay.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FAULTS } from "./mutations/all.ts";
import type { Fault } from "./mutations/fault.ts";
import { isNoticed, keyOf, rowsOf, writeTable } from "./mutations/table.ts";
import { flagsOfTests, runTest, type Verdict } from "./mutations/run.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGE = join(ROOT, "docs/testing.md");

/** A copy of what git knows of the checkout, and of what it would add. */
async function copyCheckout(): Promise<string> {
  const to = await Deno.makeTempDir({ prefix: "mutate_" });
  const { stdout, success } = await new Deno.Command("git", {
    args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("Cannot list the files: a checkout with git is needed");
  for (const path of new TextDecoder().decode(stdout).split("\0")) {
    if (path === "") continue;
    await Deno.mkdir(dirname(join(to, path)), { recursive: true });
    await Deno.copyFile(join(ROOT, path), join(to, path)).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // It is removed, but not committed.
    });
  }
  return to;
}

/** The verdict of the first test that notices, or of the last one. */
async function tryFault(fault: Fault, copy: string): Promise<Verdict> {
  const path = join(copy, fault.file);
  const text = await Deno.readTextFile(path);
  if (text.split(fault.from).length !== 2) {
    return { kind: "broken", why: `its text is not there once: ${JSON.stringify(fault.from)}` };
  }
  await Deno.writeTextFile(path, text.replace(fault.from, () => fault.to));
  try {
    let verdict: Verdict = { kind: "passed" };
    for (const test of fault.tests) {
      verdict = await runTest(copy, test, flags);
      if (verdict.kind !== "passed") break;
    }
    return verdict;
  } finally {
    await Deno.writeTextFile(path, text);
  }
}

/** Does the work of a list in several copies at once; results are in the list's order. */
async function inCopies<T, R>(
  copies: readonly string[],
  list: readonly T[],
  body: (item: T, copy: string) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(list.length);
  let next = 0;
  await Promise.all(copies.map(async (copy) => {
    while (next < list.length) {
      const i = next++;
      results[i] = await body(list[i], copy);
    }
  }));
  return results;
}

const { values, positionals: words } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    jobs: { type: "string", default: String(navigator.hardwareConcurrency) },
    missing: { type: "boolean", default: false },
  },
});
const jobs = Number(values.jobs);
if (!Number.isInteger(jobs) || jobs < 1) {
  throw new RangeError(`--jobs must be a whole number of at least 1, got ${values.jobs}`);
}
const rows = rowsOf(await Deno.readTextFile(PAGE));
const chosen = Object.values(FAULTS).flat().filter((fault) =>
  (words.length === 0 || words.some((word) => fault.file.includes(word))) &&
  !(values.missing && isNoticed(rows.get(keyOf(fault))))
);
if (chosen.length === 0) throw new RangeError("No fault is chosen");

const flags = flagsOfTests(await Deno.readTextFile(join(ROOT, "deno.json")));
const copies = await Promise.all(Array.from({ length: jobs }, copyCheckout));
try {
  // What fails without a fault would notice anything.
  const tests = [...new Set(chosen.flatMap((fault) => fault.tests))];
  console.log(`${chosen.length} faults; first ${tests.length} files of tests without any`);
  const sound = await inCopies(copies, tests, (test, copy) => runTest(copy, test, flags));
  const failing = tests.filter((_, i) => sound[i].kind !== "passed");
  if (failing.length) {
    const why = failing.map((test) => JSON.stringify(sound[tests.indexOf(test)]));
    throw new Error(`These tests fail without a fault: ${why.join(", ")}`);
  }

  let done = 0;
  const verdicts = await inCopies(copies, chosen, async (fault, copy) => {
    const verdict = await tryFault(fault, copy);
    const said = verdict.kind === "caught"
      ? `noticed by ${verdict.test}`
      : verdict.kind === "passed"
      ? `NOT NOTICED by ${fault.tests.join(", ")}`
      : `NO FAULT: ${verdict.why}`;
    console.log(`${++done}/${chosen.length} ${fault.file}: ${fault.what}: ${said}`);
    return verdict;
  });

  const missed = chosen.filter((_, i) => verdicts[i].kind !== "caught");
  console.log(`${chosen.length - missed.length} of ${chosen.length} faults were noticed`);
  for (const { file, what } of missed) console.log(`  not noticed: ${file}: ${what}`);
  const results = new Map(chosen.map((fault, i) => [fault, verdicts[i]]));
  await writeTable(PAGE, FAULTS, results);
  if (missed.length) Deno.exitCode = 1;
} finally {
  for (const copy of copies) await Deno.remove(copy, { recursive: true });
}
