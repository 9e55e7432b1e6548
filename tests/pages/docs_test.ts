import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";
import * as mod from "../../mod.ts";
import { inFolder } from "../support/folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MOD = new URL("../../mod.ts", import.meta.url).href;

/** What trains, or reads or writes files: only type-checked, by `deno check --doc`. */
const OUTSIDE = /\bDeno\.|\b(load|save|train|calibrate)\w*\(|\bTrainer\b/;

/** A block of code in a docstring. */
interface Example {
  /** Where it begins. */
  readonly place: string;
  readonly code: string;
}

async function* sources(dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, dir))) {
    if (isDirectory) yield* sources(`${dir}/${name}`);
    else if (name.endsWith(".ts")) yield `${dir}/${name}`;
  }
}

async function examples(): Promise<Example[]> {
  const found: Example[] = [];
  for await (const path of sources("src")) {
    const text = await Deno.readTextFile(join(ROOT, path));
    for (const { 0: block, 1: body, index } of text.matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms)) {
      assert.ok(block);
      const line = text.slice(0, index).split("\n").length;
      found.push({ place: `${path}:${line}`, code: body.replaceAll(/^ *\* ?/gm, "") });
    }
  }
  return found.sort((a, b) => a.place < b.place ? -1 : 1);
}

/** Float32 arithmetic differs between adapters in the last digits. */
const rounded = (text: string) =>
  text.replaceAll(/\d+\.\d+/g, (digits) => String(Number(Number(digits).toPrecision(5))));

/** Makes each `console.log(…); // text` compare, and leaves the rest as it is. */
const compared = (code: string) =>
  code.replaceAll('"@dcgan/webgpu"', JSON.stringify(MOD)).replaceAll(
    /console\.log\((.*)\); \/\/ (.*)$/gm,
    (_, values, text) => `docsSay(${JSON.stringify(text)}, ${values});`,
  );

Deno.test("docs: what the examples say that they print, they print", async (t) => {
  let said = 0;
  const show = (value: unknown) => typeof value === "string" ? value : inspect(value);
  Object.assign(globalThis, {
    docsSay(text: string, ...values: unknown[]) {
      said++;
      assert.equal(rounded(values.map(show).join(" ")), rounded(text));
    },
  });
  const all = await examples();
  await inFolder(async (dir) => {
    for (const [i, { place, code }] of all.entries()) {
      if (OUTSIDE.test(code)) continue;
      const file = join(dir, `${i}.ts`);
      await Deno.writeTextFile(file, compared(code));
      await t.step(place, async () => {
        await import(pathToFileURL(file).href);
      });
    }
  });
  // A pattern that found nothing would pass.
  assert.ok(all.length > 60 && said > 50, `${all.length} examples, ${said} comparisons`);
});

Deno.test("docs: every op, public function and class has an example", async () => {
  const shown = new Set<string>();
  for await (const path of sources("src")) {
    const text = await Deno.readTextFile(join(ROOT, path));
    const documented =
      /\/\*\*((?:(?!\*\/).)*)\*\/\nexport (?:async )?(?:function\*?|class) (\w+)/gs;
    for (const [, doc, name] of text.matchAll(documented)) {
      if (doc.includes("```ts")) shown.add(name);
    }
    // The example of a whole file of ops or layers calls each of them.
    const [, example = ""] = /^\/\*\*.*?```ts(.*?)```.*?@module/s.exec(text) ?? [];
    for (const [, name] of example.matchAll(/\b(?:ops|layers)\.(\w+)\(/g)) shown.add(name);
  }
  // A former name is exported too: the function's own name has the example.
  const names = Object.entries({ ...mod, ...mod.layers, ...mod.ops })
    .flatMap(([name, value]) =>
      typeof value !== "function" ? [] : [shown.has(value.name) ? value.name : name]
    );
  assert.ok(names.length > 60, `${names.length}`);
  assert.deepEqual(names.filter((name) => !shown.has(name)), []);
});
