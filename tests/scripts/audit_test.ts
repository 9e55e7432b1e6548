import assert from "node:assert/strict";
import { join } from "node:path";
import { allowed, audit, npmCache } from "../../scripts/audit.ts";
import { withFiles } from "../support/folder.ts";
import { ROOT } from "../support/process.ts";

/** A checkout with one dependency, and the cache in which it is installed. */
const SOUND: Readonly<Record<string, string>> = {
  "root/mod.ts": `import { a } from ${JSON.stringify("npm:@a/b@1.2.3/c.js")};`,
  "root/deno.lock": JSON.stringify({
    version: "5",
    specifiers: { "npm:@a/b@1.2.3": "1.2.3_d@1.0.0" },
    npm: { "@a/b@1.2.3_d@1.0.0": {}, "d@1.0.0": {} },
  }),
  "root/CONTRIBUTING.md": "| `@a/b` | tests | MIT | 1.0 MB in 2 | why |\n",
  "cache/@a/b/1.2.3/package.json": '{ "license": "(MIT)" }',
  "cache/d/1.0.0/package.json": '{ "licenses": [{ "type": "MIT" }, { "type": "GPL-3.0" }] }',
};

const problems = (files: Readonly<Record<string, string>>) =>
  withFiles(files, (dir) => audit(join(dir, "root"), join(dir, "cache")));

const importing = (specifier: string) => `import(${JSON.stringify(specifier)});`;

const FAULTS: readonly (readonly [file: string, from: string, to: string, problem: RegExp])[] = [
  ["mod.ts", "@1", "@^1", /^mod.ts imports npm:@a\/b@\^1.2.3\/c.js: .* exact/],
  ["mod.ts", "", importing("npm:left-pad"), /^mod.ts imports npm:left-pad:/],
  ["mod.ts", "", importing("jsr:@std/path@1.0.0"), /^mod.ts imports jsr:@std\/path@1.0.0: .*npm/],
  ["mod.ts", "1.2.3", "1.2.4", /^deno.lock locks @a\/b@1.2.3, which no code imports/],
  ["deno.lock", '"npm:', '"jsr:@c/d@1":"1.0.0","npm:', /^deno.lock locks jsr:@c\/d@1: .*npm/],
  ["deno.lock", '"npm":', '"remote":{},"npm":', /^deno.lock has "remote": /],
  ["CONTRIBUTING.md", "@a/b", "@a/c", /^CONTRIBUTING.md does not list @a\/b: /],
  ["CONTRIBUTING.md", "@a/b", "@a/c", /^CONTRIBUTING.md lists @a\/c, which no lock file has/],
  ["CONTRIBUTING.md", "MIT", "ISC", /gives @a\/b the license ISC, its package MIT/],
  ["../cache/d/1.0.0/package.json", "MIT", "AGPL-3.0", /^d@1.0.0 has the license AGPL-3.0 OR GPL/],
];

Deno.test("audit: this checkout has no problem", async () => {
  assert.deepEqual(await audit(ROOT, await npmCache()), []);
});

Deno.test("audit: each planted fault is found, and a sound checkout has none", async (t) => {
  assert.deepEqual(await problems(SOUND), []);
  for (const [file, from, to, problem] of FAULTS) {
    await t.step(`${file}: ${to}`, async () => {
      const path = join("root", file);
      const found = await problems({ ...SOUND, [path]: SOUND[path].replace(from, to) });
      assert.ok(found.some((text) => problem.test(text)), found.join("\n") || "no problem");
    });
  }
});

Deno.test("audit: licenses are read as SPDX expressions", () => {
  const fine = ["MIT", "(Apache-2.0 AND BSD-3-Clause)", "MIT OR GPL-3.0-only", "0BSD"];
  const not = ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "SEE LICENSE IN x", "(MIT OR X) AND Y"];
  assert.deepEqual(fine.filter(allowed), fine);
  assert.deepEqual(not.filter(allowed), []);
});
