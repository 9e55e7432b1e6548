import { deepEqual, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ROOMS, violations } from "./support/boundaries.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

async function sources(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const walk = async (path: string) => {
    for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${path}`)) {
      const at = `${path}/${name}`;
      if (isDirectory) await walk(at);
      else if (name.endsWith(".ts")) files.set(at, await Deno.readTextFile(`${ROOT}${at}`));
    }
  };
  files.set("mod.ts", await Deno.readTextFile(`${ROOT}mod.ts`));
  await walk("src");
  return files;
}

Deno.test("boundaries: every room of src is in the list, and there is no other", async () => {
  const there = new Set((await Array.fromAsync(Deno.readDir(`${ROOT}src`))).map((e) => e.name));
  deepEqual([...there].sort(), ROOMS.toSorted());
});

Deno.test("boundaries: nobody imports or names what another room keeps", async () => {
  deepEqual(violations(await sources()), []);
});

Deno.test("boundaries: a planted violation is seen", async () => {
  const files = await sources();
  const before = new Set(violations(files));
  const planted: [path: string, line: string, says: string][] = [
    ["src/formats/png.ts", `import "../files/kind.ts";`, "imports src/files/kind.ts"],
    ["src/formats/png.ts", `export * from "../cli/values.ts";`, "imports src/cli/values.ts"],
    ["src/version.ts", `import type { A } from "./gpu/device.ts";`, "imports src/gpu/device.ts"],
    ["src/model/losses.ts", `import { join } from "node:path";`, "imports node:path"],
    ["src/model/losses.ts", `let x: import("node:fs").Stats;`, "imports node:fs"],
    [
      "src/model/losses.ts",
      `await import("../data/idx.ts");`,
      "imports src/data/idx.ts when it runs",
    ],
    ["src/optim/adam.ts", "globalThis.Deno?.cwd();", "names Deno"],
    ["src/optim/adam.ts", "let time: Deno.FileInfo;", "names Deno"],
    ["src/optim/adam.ts", "process.exit();", "names process"],
    ["src/graph/tensor.ts", "let device: GPUDevice;", "names GPUDevice"],
    ["src/version.ts", `import "../mod.ts";`, "imports mod.ts"],
    ["src/train.ts", `import "./files/kind.ts";`, "imports src/files/kind.ts"],
    ["mod.ts", `export * from "./src/files/kind.ts";`, "imports src/files/kind.ts"],
    [
      "src/formats/image.ts",
      `import "./png.ts";`,
      "is in a circle: src/formats/image.ts src/formats/png.ts",
    ],
  ];
  for (const [path, line, says] of planted) {
    const changed = new Map(files).set(path, `${files.get(path)}\n${line}\n`);
    const found = violations(changed).filter((text) => !before.has(text));
    ok(found.includes(`${path} ${says}`), `${line}: ${found}`);
  }
  const harmless = [`// Deno.cwd()`, `"process"`, "const { x } = await import('./files/x.ts');"];
  const changed = new Map(files).set("src/version.ts", harmless.join("\n"));
  deepEqual(violations(changed).filter((text) => !before.has(text)), []);
});
