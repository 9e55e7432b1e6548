import { deepEqual, ok } from "node:assert/strict";
import { join } from "node:path";
import { modulesOf } from "../scripts/files.ts";
import { ROOMS, violations } from "./support/boundaries.ts";
import { ROOT } from "./support/process.ts";

const files = await modulesOf(ROOT);
files.set("mod.ts", await Deno.readTextFile(join(ROOT, "mod.ts")));
const contributing = await Deno.readTextFile(join(ROOT, "CONTRIBUTING.md"));

Deno.test("boundaries: every room of src is in the list, and there is no other", () => {
  const there = [...Deno.readDirSync(join(ROOT, "src"))].map(({ name }) => name);
  deepEqual(there.sort(), ROOMS.toSorted());
});

Deno.test("boundaries: CONTRIBUTING lists the rooms in order, and files that exist", () => {
  const rooms = [...contributing.matchAll(/^\| `src\/([^`/]+)\/?` +\|/gm)].map(([, room]) => room);
  const [, everywhere] = /^Every room may import (.*)\.$/m.exec(contributing)!;
  const above = [...everywhere.matchAll(/`src\/([\w.]+)`/g)].map(([, file]) => file);
  deepEqual([...above, ...rooms], ROOMS);
  const questions = contributing.match(/^\| Where .*$/gm)!;
  for (const row of questions) {
    const named = row.match(/(?<=`)src\/[^`]+(?=`)/g) ?? [];
    ok(named.length > 0, row);
    for (const path of named) ok(Deno.statSync(join(ROOT, path)).isFile, path);
  }
  ok(questions.length > 4, `${questions.length} questions`);
});

Deno.test("boundaries: nobody imports or names what another room keeps", () => {
  deepEqual(violations(files), []);
});

Deno.test("boundaries: a planted violation is seen", () => {
  const before = new Set(violations(files));
  const added = (path: string, source: string) =>
    violations(new Map(files).set(path, source)).filter((text) => !before.has(text));
  const circle = "is in a circle: src/formats/image.ts src/formats/png.ts";
  const planted: [path: string, line: string, says: string][] = [
    ["src/formats/png.ts", `import "../files/kind.ts";`, "imports src/files/kind.ts"],
    ["src/formats/png.ts", `export * from "../cli/values.ts";`, "imports src/cli/values.ts"],
    ["src/version.ts", `import type { A } from "./gpu/device.ts";`, "imports src/gpu/device.ts"],
    ["src/model/objectives.ts", `import { join } from "node:path";`, "imports node:path"],
    ["src/model/objectives.ts", `let x: import("node:fs").Stats;`, "imports node:fs"],
    [
      "src/model/objectives.ts",
      `import("../data/idx.ts");`,
      "imports src/data/idx.ts when it runs",
    ],
    ["src/optim/adam.ts", "globalThis.Deno?.cwd();", "names Deno"],
    ["src/optim/adam.ts", "let time: Deno.FileInfo;", "names Deno"],
    ["src/optim/adam.ts", "process.exit();", "names process"],
    ["src/graph/tensor.ts", "let device: GPUDevice;", "names GPUDevice"],
    ["src/version.ts", `import "../mod.ts";`, "imports mod.ts"],
    ["src/train.ts", `import "./files/kind.ts";`, "imports src/files/kind.ts"],
    ["mod.ts", `export * from "./src/files/kind.ts";`, "imports src/files/kind.ts"],
    ["src/formats/image.ts", `import "./png.ts";`, circle],
  ];
  for (const [path, line, says] of planted) {
    const found = added(path, `${files.get(path)}\n${line}\n`);
    ok(found.includes(`${path} ${says}`), `${line}: ${found}`);
  }
  const harmless = [`// Deno.cwd()`, `"process"`, "const { x } = await import('./files/x.ts');"];
  deepEqual(added("src/version.ts", harmless.join("\n")), []);
});
