/**
 * The planted faults of `scripts/mutations/` can be planted, their table is the one of the last run,
 * and the script tells a test that failed from a slip of its own. `deno task mutate` plants them,
 * which takes most of an hour.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FAULTS } from "../../scripts/mutations/all.ts";
import { fileAndFilter, firstFailure, runTest } from "../../scripts/mutations/run.ts";
import { keyOf, rowsOf } from "../../scripts/mutations/table.ts";
import { inFolder } from "../support/folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ALL = Object.values(FAULTS).flat();

Deno.test("mutations: every fault changes one place of a file, and names tests that are there", () => {
  for (const { file, what, from, to, tests } of ALL) {
    const text = Deno.readTextFileSync(join(ROOT, file));
    assert.equal(text.split(from).length, 2, `${file}: ${what}: ${from} is not there once`);
    assert.notEqual(from, to, what);
    assert.ok(tests.length, what);
    for (const test of tests) Deno.statSync(join(ROOT, fileAndFilter(test)[0]));
  }
  const names = ALL.map(({ file, what }) => `${file}: ${what}`);
  assert.equal(new Set(names).size, names.length, "two faults have one name");
});

Deno.test("mutations: every kernel has faults", () => {
  for (const { name } of Deno.readDirSync(join(ROOT, "src/kernels"))) {
    assert.ok(ALL.some(({ file }) => file === `src/kernels/${name}`), name);
  }
});

Deno.test("mutations: the table has every fault, and each was noticed", () => {
  const page = Deno.readTextFileSync(join(ROOT, "docs/testing.md"));
  assert.deepEqual([...rowsOf(page).keys()], ALL.map(keyOf));
  for (const [fault, noticed] of rowsOf(page)) assert.doesNotMatch(noticed, /^$|\*\*/, fault);
  assert.match(page, new RegExp(`^${ALL.length} of ${ALL.length} faults were noticed\\.$`, "m"));
});

Deno.test("mutations: the first failure is found in a report, steps by the test they are of", () => {
  const details = (message: string) => `  ---\n  ${JSON.stringify({ message })}\n  ...\n`;
  const report = "TAP version 14\n# ./a_test.ts\nok 1 - fine\n" +
    `not ok 2 - whole \\# test\n${details("Error: a")}`;
  assert.deepEqual(firstFailure(report), { test: "whole # test", message: "Error: a" });
  const step = `# Subtest: outer\n    ok 1 - good\n    not ok 2 - bad\n${details("Error: b")}` +
    `not ok 1 - outer\n${details("1 test step failed.")}`;
  assert.deepEqual(firstFailure(step), { test: "outer, bad", message: "Error: b" });
  assert.equal(firstFailure("TAP version 14\nok 1 - fine\n1..1\n"), undefined);
});

Deno.test("mutations: a test that passes, one that fails, and a slip are told apart", () =>
  inFolder(async (dir) => {
    await Deno.mkdir(join(dir, "tests"));
    const run = async (body: string) => {
      await Deno.writeTextFile(join(dir, "tests/a_test.ts"), `Deno.test("a", () => { ${body} });`);
      return await runTest(dir, "a", []);
    };
    assert.deepEqual(await run(""), { kind: "passed" });
    assert.deepEqual(await run("throw new Error('wrong')"), { kind: "caught", test: "a: a" });
    assert.equal((await runTest(dir, "a b", [])).kind, "broken", "no test is called b");
    assert.equal((await run("nothing()")).kind, "broken");
    assert.equal((await run("let = ;")).kind, "broken");
  }));
