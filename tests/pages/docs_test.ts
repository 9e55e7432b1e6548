import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import * as mod from "../../mod.ts";
import { modulesOf } from "../../scripts/files.ts";
import { inFolder } from "../support/folder.ts";
import { ROOT } from "../support/process.ts";

/** What trains, or reads or writes files: only type-checked, by `deno check --doc`. */
const OUTSIDE =
  /\bDeno\.|\b(load|save|train|calibrate)\w*\(|\bTrainer\b|Log\.open\(|\breadMetrics\(/;

const modules = await modulesOf(ROOT);

/** The blocks of code in docstrings, and where each begins. */
const examples = [...modules].flatMap(([path, text]) =>
  [...text.matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms)].map(({ 1: body, index }) => ({
    place: `${path}:${text.slice(0, index).split("\n").length}`,
    code: body.replaceAll(/^ *\* ?/gm, ""),
  }))
);

/** Float32 arithmetic differs between adapters in the last digits. */
const rounded = (text: string) =>
  text.replaceAll(/\d+\.\d+/g, (digits) => String(Number(Number(digits).toPrecision(5))));

/** Makes each `console.log(…); // text` compare, and leaves the rest as it is. */
const compared = (code: string) =>
  code.replaceAll("@dcgan/webgpu", new URL("../../mod.ts", import.meta.url).href).replaceAll(
    /console\.log\((.*)\); \/\/ (.*)$/gm,
    (_, values, text) => `docsSay(${JSON.stringify(text)}, ${values});`,
  );

Deno.test("docs: what the examples say that they print, they print", async (t) => {
  let said = 0;
  const show = (value: unknown) => typeof value === "string" ? value : inspect(value);
  const docsSay = (text: string, ...values: unknown[]) => {
    said++;
    assert.equal(rounded(values.map(show).join(" ")), rounded(text));
  };
  Object.assign(globalThis, { docsSay });
  await inFolder(async (dir) => {
    for (const [i, { place, code }] of examples.entries()) {
      if (OUTSIDE.test(code)) continue;
      const file = join(dir, `${i}.ts`);
      await Deno.writeTextFile(file, compared(code));
      await t.step(place, () => import(pathToFileURL(file).href).then(() => {}));
    }
  });
  // A pattern that found nothing would pass.
  assert.ok(examples.length > 60 && said > 50, `${examples.length} examples, ${said} comparisons`);
});

Deno.test("docs: every op, public function and class has an example", () => {
  const documented = /\/\*\*((?:(?!\*\/).)*)\*\/\nexport (?:async )?(?:function\*?|class) (\w+)/gs;
  const shown = new Set([...modules.values()].flatMap((text) => {
    const own = [...text.matchAll(documented)].filter(([, doc]) => doc.includes("```ts"));
    // A family of ops or layers shares an example, which calls each.
    const [, family = ""] = /^\/\*\*(?:(?!\*\/).)*?```ts(.*?)```/s.exec(text) ?? [];
    const called = [...family.matchAll(/\b(?:ops|layers)\.(\w+)\(/g)];
    return [...own.map(([, , name]) => name), ...called.map(([, name]) => name)];
  }));
  // A former name is exported too: the function's own name has the example.
  const names = Object.entries({ ...mod, ...mod.layers, ...mod.ops })
    .flatMap(([name, value]) =>
      typeof value !== "function" ? [] : [shown.has(value.name) ? value.name : name]
    );
  assert.ok(names.length > 60, `${names.length}`);
  assert.deepEqual(names.filter((name) => !shown.has(name)), []);
});
