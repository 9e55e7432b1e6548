import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, draw, type Mutant, mutate } from "../../scripts/mutate.ts";
import { mutations } from "../../scripts/mutate/operators.ts";
import { inFolder } from "../support/folder.ts";

/** What the operators make of a line of code: the operator, and the line afterwards. */
function faults(path: string, line: string): string[] {
  return mutations(path, `{\n${line}\n}\n`).map(({ operator, start, end, text }) =>
    `${operator}: ${line.slice(0, start - 2)}${text}${line.slice(end - 2)}`
  ).sort();
}

Deno.test("mutate: the operators change signs, comparisons, logic, constants, arguments and terms", () => {
  assert.deepEqual(faults("a.ts", "x = f(a, -b + 2);"), [
    "constant: x = f(a, -b + 1);",
    "constant: x = f(a, -b + 3);",
    "drop statement: ",
    "drop term: x = f(a, -b);",
    "sign: x = f(a, -b - 2);",
    "sign: x = f(a, b + 2);",
    "swap: x = f(-b + 2, a);",
  ]);
  assert.deepEqual(faults("a.ts", "const y = a < 0.5 || !b;"), [
    "comparison: const y = a <= 0.5 || !b;",
    "comparison: const y = a >= 0.5 || !b;",
    "constant: const y = a < 1.0 || !b;",
    "logic: const y = a < 0.5 && !b;",
    "logic: const y = a < 0.5 || b;",
  ]);
  assert.deepEqual(
    faults("a.wgsl", "  let i = 4u * y[n];"),
    [
      "constant: let i = 3u * y[n];",
      "constant: let i = 5u * y[n];",
      "drop term: let i = 4u;",
      "sign: let i = 4u / y[n];",
    ].map((text) => text.replace("let", "  let")),
  );
});

Deno.test("mutate: comments, text, types, imports and bindings stay", () => {
  const files = {
    "a.ts": [
      'import { a } from "./a1.ts";',
      "/** Adds 1 + 2. */ // 3 + 4",
      "interface A { readonly b: 1 | 2; c(d: 3, e: 4): 5 }",
      'const f = ("6 + 7" as 8, `9 ${g + `${"10"}`} 11`), h = /[12]+\\/13/;',
      "export class I<J extends 14> { constructor(private readonly k: 15 | 16) {} }",
      'export { l } from "./l17.ts";',
    ],
    "a.wgsl": [
      "@group(0) @binding(1) var<storage, read> x: array<vec4f, 2>;",
      "// 1 + 2",
      "override A: u32 = 1;",
    ],
  };
  for (const [path, lines] of Object.entries(files)) {
    const found = mutations(path, lines.join("\n"));
    assert.deepEqual(found.map(({ operator, start }) => [operator, start]), [], path);
  }
});

Deno.test("mutate: the same seed draws the same faults, another draws others", () =>
  inFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "a.ts"), "export const a = [\n1,\n2,\n3,\n4,\n5,\n6,\n];\n");
    const drawn = async (seed: number) => (await draw(dir, ["a.ts"], seed)).map(describe);
    assert.equal((await drawn(1)).length, 6, "one of each line");
    assert.deepEqual(await drawn(1), await drawn(1));
    assert.notDeepEqual(await drawn(1), await drawn(2));
  }));

Deno.test("mutate: what no test notices is named; what does not compile or end is told apart", () =>
  inFolder(async (dir) => {
    const files = {
      "deno.json": "{}",
      "a.ts": [
        "export function a(n: number): number {",
        "  let sum = 0;",
        "  for (let i = 0; i < n; i++) sum += i;",
        "  return sum;",
        "}",
        "export const untested = 1;",
        "",
      ].join("\n"),
      "a_test.ts":
        'import { a } from "./a.ts"; Deno.test("a: sums", () => { if (a(3) !== 3) throw 0; });' +
        'Deno.test("quick", () => {});',
    };
    for (const [path, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(dir, path), text);
    }
    const source = files["a.ts"];
    const fault = (before: string, text: string): Mutant => {
      const start = source.indexOf(before);
      const line = source.slice(0, start).split("\n").length;
      return {
        operator: "test",
        path: "a.ts",
        line,
        start,
        end: start + before.length,
        before,
        text,
      };
    };
    const faults = [
      fault("return sum;", ""),
      fault("i < n", "i <= n"),
      fault("untested = 1", "untested = 2"),
      fault("i++", "i--"),
    ];
    const project = {
      root: dir,
      files: Object.keys(files),
      testOf: () =>
        ["--filter=quick", "--filter=sums"].map((
          filter,
        ) => ["test", "--no-check", "--no-lock", filter, "a_test.ts"]),
      patience: 1,
    };
    const lines: string[] = [];
    const report = (mutant: Mutant) => lines.push(describe(mutant));
    assert.deepEqual(await mutate(faults, 3, project, report), []);
    assert.deepEqual(lines.map((line) => line.replace(/ \([\d.]+ s\)$/, "")).sort(), [
      'a.ts:3 test: "i < n" -> "i <= n": noticed by a: sums',
      'a.ts:3 test: "i++" -> "i--": noticed by the time limit',
      'a.ts:6 test: "untested = 1" -> "untested = 2": SURVIVED',
    ]);
    assert.equal(await Deno.readTextFile(join(dir, "a.ts")), source, "the checkout stays as it is");

    await Deno.writeTextFile(join(dir, "a_test.ts"), 'Deno.test("fails", () => { throw 0; });');
    project.testOf = () => [["test", "--no-check", "--no-lock", "a_test.ts"]];
    const [failure] = await mutate(faults, 1, project, () => assert.fail("nothing to report"));
    assert.match(failure, /fails \.\.\. FAILED/);
  }));
