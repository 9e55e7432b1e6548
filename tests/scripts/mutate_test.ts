import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, draw, type Mutant, mutate } from "../../scripts/mutate.ts";
import { mutations } from "../../scripts/mutate/operators.ts";
import { withFiles } from "../support/folder.ts";

/** What the operators make of a line of code: the operator, and the line afterwards. */
const faults = (path: string, line: string) =>
  mutations(path, `{\n${line}\n}\n`).map(({ operator, start, end, text }) =>
    `${operator}: ${line.slice(0, start - 2)}${text}${line.slice(end - 2)}`
  ).sort();

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
  assert.deepEqual(faults("a.wgsl", "let i = 4u * y[n];"), [
    "constant: let i = 3u * y[n];",
    "constant: let i = 5u * y[n];",
    "drop term: let i = 4u;",
    "sign: let i = 4u / y[n];",
  ]);
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
  withFiles({ "a.ts": "export const a = [\n1,\n2,\n3,\n4,\n5,\n6,\n];\n" }, async (dir) => {
    const drawn = async (seed: number) => (await draw(dir, ["a.ts"], seed)).map(describe);
    assert.equal((await drawn(1)).length, 6, "one of each line");
    assert.deepEqual(await drawn(1), await drawn(1));
    assert.notDeepEqual(await drawn(1), await drawn(2));
  }));

const SOURCE = `export function a(n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += i;
  return sum;
}
export const untested = 1;
`;

const TESTS = `import { a } from "./a.ts";
Deno.test("a: sums", () => { if (a(3) !== 3) throw 0; });
Deno.test("quick", () => {});
`;

function fault(before: string, text: string): Mutant {
  const start = SOURCE.indexOf(before);
  const line = SOURCE.slice(0, start).split("\n").length;
  const end = start + before.length;
  return { operator: "test", path: "a.ts", line, start, end, before, text };
}

Deno.test("mutate: what no test notices is named; what does not compile or end is told apart", () =>
  withFiles({ "deno.json": "{}", "a.ts": SOURCE, "a_test.ts": TESTS }, async (root) => {
    const faults = [
      fault("return sum;", ""),
      fault("i < n", "i <= n"),
      fault("untested = 1", "untested = 2"),
      fault("i++", "i--"),
    ];
    const test = ["test", "--no-check", "--no-lock"];
    const project = {
      root,
      files: ["deno.json", "a.ts", "a_test.ts"],
      testOf: () => ["quick", "sums"].map((name) => [...test, `--filter=${name}`, "a_test.ts"]),
      patience: 8,
    };
    const lines: string[] = [];
    const report = (mutant: Mutant) => lines.push(describe(mutant).replace(/ \([\d.]+ s\)$/, ""));
    await mutate(faults, 3, project, report);
    assert.deepEqual(lines.sort(), [
      'a.ts:3 test: "i < n" -> "i <= n": noticed by a: sums',
      'a.ts:3 test: "i++" -> "i--": noticed by the time limit',
      'a.ts:6 test: "untested = 1" -> "untested = 2": SURVIVED',
    ]);
    const path = join(root, "a.ts");
    assert.equal(await Deno.readTextFile(path), SOURCE, "the checkout stays as it is");
  }));
