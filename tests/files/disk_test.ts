/**
 * Disks that fill up, folders that vanish, clocks that go back. `deno task faults` adds real mounts.
 */

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { type EpochEvent, Gpu, NonFiniteError, trainDCGAN, type TrainOptions } from "../../mod.ts";
import { AppendFile } from "../../src/files/append.ts";
import { writeFileAtomic } from "../../src/files/atomic.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { BadDisk, type DiskCall, full, nameOf } from "../support/bad_disk.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder, put } from "../support/folder.ts";
import {
  checkpoints,
  everything,
  images,
  logged,
  stateOf,
  temporary,
} from "../support/run_state.ts";

/** Whether `deno task faults` runs it. */
const LONG = Deno.args.includes("--long");

const gpu = await Gpu.request();
globalThis.addEventListener("unload", () => gpu[Symbol.dispose]());

const OPTIONS = {
  gpu,
  dataset: blobs(24), // three steps an epoch
  batchSize: 8,
  epochs: 2,
  noiseDim: 6,
  generatorWidths: [6, 6, 6],
  discriminatorWidths: [6, 6],
  seed: 4,
  imageCount: 4,
  imageEverySteps: 2,
  checkpoint: { everyEpochs: 1, keep: 1 },
} as const satisfies TrainOptions;

type Options = Partial<TrainOptions> & { readonly outDir: string };

/** Trains; gives what was said, and what was thrown. */
async function train(options: Options): Promise<{ said: string[]; error?: Error }> {
  const said: string[] = [];
  // Logs are flushed, and losses read, by the clock: one that stands makes every run alike.
  const { now } = performance;
  performance.now = () => 0;
  const onMessage = (text: string) => void said.push(text);
  try {
    using _run = await trainDCGAN({ ...OPTIONS, onMessage, ...options });
    return { said };
  } catch (error) {
    return { said, error: error as Error };
  } finally {
    performance.now = now;
  }
}

/** Goes on after the fault is over, with whatever checkpoint there is. */
async function goOn(outDir: string): Promise<void> {
  const resume = (await checkpoints(outDir)).length > 0;
  const { error } = await train({ outDir, resume, overwrite: !resume });
  assert.equal(error, undefined);
}

/** A run without a fault: what it leaves, its calls, and how many of them are before its first step. */
let plain: Awaited<ReturnType<typeof everything>>;
const names: string[] = [];
let beginning = 0;
await inFolder(async (outDir) => {
  using disk = new BadDisk(() => false);
  const onStep = () => void (beginning ||= disk.calls.length);
  const { error } = await train({ outDir, onStep });
  assert.equal(error, undefined);
  names.push(...disk.calls.map(nameOf));
  plain = await everything(outDir);
});

/** All checkpoints that are there can be read, and nothing half is left. */
async function requireWhole(dir: string): Promise<void> {
  for (const path of await checkpoints(dir)) await readCheckpoint(path);
  assert.deepEqual(temporary(dir), []);
}

function requireClear(error: Error, path: string): void {
  const start = path.includes(".tmp") ? dirname(path) : path; // The error names the file it is for.
  assert.match(error.message, /^Cannot (write|make the folder) .*: No space left on device/);
  assert.ok(error.message.includes(start), `${error.message} names ${start}`);
  assert.match(error.message, /Free some space, or write to another disk$/);
}

Deno.test("disk: a run makes the calls that fail below", () => {
  const files = ["run.lock", "run.json", "events", "metrics.jsonl", "image_at_step_000002.png"];
  files.push("image_at_epoch_0001.png", "losses.svg", "dcgan.gif");
  const expected = files.map((file) => `write ${file}`);
  for (const name of [...expected, "rename ckpt-0001.safetensors", "sync metrics.jsonl"]) {
    assert.ok(names.includes(name), `${name} is not in ${names.join(", ")}`);
  }
  assert.ok(beginning > 0 && beginning < names.length);
});

/** A test of each call of a run that writes: what happens when some of the calls fail. */
function eachCall(
  name: string,
  chosen: (name: string) => boolean,
  fails: (index: number, at: number) => boolean,
  body: (run: {
    readonly outDir: string;
    readonly at: number;
    readonly error?: Error;
    /** The messages of a full disk. */
    readonly told: string[];
    readonly failed: readonly DiskCall[];
  }) => Promise<void>,
): void {
  Deno.test(name, async (t) => {
    for (const [at, call] of names.entries()) {
      if (!chosen(call)) continue;
      await t.step(`${at}: ${call}`, () =>
        inFolder(async (outDir) => {
          const disk = new BadDisk((index) => fails(index, at));
          const { error, said } = await train({ outDir });
          disk[Symbol.dispose]();
          await requireWhole(outDir);
          const told = said.filter((text) => text.includes("No space left on device"));
          await body({ outDir, at, error, told, failed: disk.failed });
        }));
    }
  });
}

eachCall(
  `disk: each of ${names.length} calls that write fails once`,
  () => true,
  (index, at) => index === at,
  async ({ outDir, at, error, told, failed }) => {
    assert.equal(failed.length, 1);
    if (at < beginning) {
      assert.ok(error, "it is thrown");
      requireClear(error, failed[0].path);
      await goOn(outDir);
      assert.deepEqual(await everything(outDir), plain);
      return;
    }
    assert.equal(error, undefined);
    // What is lost is that one file at most, and the GIF's frame.
    assert.deepEqual(await stateOf(outDir), plain.state);
    assert.deepEqual(await logged(outDir), plain.log);
    const files = await images(outDir);
    const lost = names[at].split(" ")[1];
    for (const [file, hash] of plain.images) {
      if (file !== lost && file !== "dcgan.gif") assert.equal(files.get(file), hash, file);
    }
    assert.equal(told.length, 1, told.join("\n"));
  },
);

eachCall(
  `disk: full from any of ${names.length} calls on, and then there is room again`,
  (name) => LONG || name.startsWith("write "),
  (index, at) => index >= at,
  async ({ outDir, at, error, told, failed }) => {
    assert.ok(failed.length > 0);
    const lastCheckpoint = names.indexOf("rename ckpt-0002.safetensors");
    assert.equal(error !== undefined, at <= lastCheckpoint, error?.message);
    if (error) requireClear(error, join(outDir, at < beginning ? "" : "training_checkpoints"));
    // Each kind of file once, and checkpoints each time.
    const others = told.filter((text) => !text.includes("training_checkpoints"));
    assert.equal(new Set(others).size, others.length);
    assert.ok(others.length <= 5, told.join("\n"));
    await goOn(outDir);
    assert.deepEqual(await everything(outDir), plain);
  },
);

Deno.test("disk: a checkpoint that cannot be written is tried again after the next epoch", () =>
  inFolder(async (outDir) => {
    let once = true;
    using disk = new BadDisk((_, { path }) =>
      once && path.includes("ckpt-0002") && !(once = false)
    );
    const checkpoint = { everyEpochs: 2, keep: 9 };
    const { error, said } = await train({ outDir, epochs: 5, checkpoint });
    assert.equal(error, undefined);
    assert.equal(disk.failed.length, 1);
    assert.equal(said.filter((text) => text.includes("tries again")).length, 1, said.join("\n"));
    const names = (await checkpoints(outDir)).map((path) => basename(path));
    assert.deepEqual(names, [3, 4, 5].map((epoch) => `ckpt-000${epoch}.safetensors`));
  }));

Deno.test("disk: a file is on the disk before it takes its name", () =>
  inFolder(async (dir) => {
    using disk = new BadDisk(() => false);
    await writeFileAtomic(join(dir, "a"), new Uint8Array(10));
    assert.deepEqual(disk.calls.map(nameOf), ["open a", "write a", "sync a", "rename a"]);
  }));

Deno.test("disk: what a killed process left of a file goes with the file's next version", () =>
  inFolder(async (dir) => {
    const hour = Date.now() / 1000 - 3600;
    const old = [".a.0123abcd.tmp", ".a.dcba3210.tmp"];
    // Of another file, still being written, and no temporary file at all.
    const others = [".b.0123abcd.tmp", ".a.11111111.tmp", ".a.tmp"];
    for (const name of [...old, ...others]) await Deno.writeTextFile(join(dir, name), "half");
    for (const name of [...old, others[0], others[2]]) {
      await Deno.utime(join(dir, name), hour, hour);
    }
    await writeFileAtomic(join(dir, "a"), new Uint8Array(10));
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    assert.deepEqual(names, [...others, "a"].sort());
  }));

Deno.test("disk: what cannot be written is held, up to 16 MiB, and the newest is written at last", () =>
  inFolder(async (dir) => {
    const path = join(dir, "log");
    const file = await AppendFile.open(path);
    const entry = (n: number) => new TextEncoder().encode(String(n).padEnd(2 ** 20 - 1) + "\n");
    file["file"].write = () => Promise.reject(full());
    for (let n = 0; n < 40; n++) {
      file.add(entry(n));
      await assert.rejects(file.flush(), /Free some space/);
    }
    assert.equal(file.lost, 24);
    file["file"].write = Deno.FsFile.prototype.write;
    await file.close();
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n").map(Number);
    assert.deepEqual(lines, Array.from({ length: 16 }, (_, i) => 24 + i));
  }));

Deno.test("disk: a run that diverges on a full disk says both, and throws what is not finite", () =>
  inFolder(async (outDir) => {
    let full = false;
    using _disk = new BadDisk(() => full);
    const onStep = () => void (full = true);
    const { error, said } = await train({ outDir, onStep, learningRate: 1e30 });
    assert.ok(error instanceof NonFiniteError, String(error));
    assert.match(said.join("\n"), /Cannot .*training_checkpoints.*: No space left on device/);
    assert.doesNotMatch(said.join("\n"), /tries again/);
  }));

Deno.test("disk: a folder deleted under way comes again with the next checkpoint", () =>
  inFolder(async (dir) => {
    const outDir = join(dir, "out");
    const onEpoch = async ({ epoch }: EpochEvent) => {
      if (epoch === 1) await Deno.remove(outDir, { recursive: true });
    };
    const { error, said } = await train({ outDir, onEpoch });
    assert.equal(error, undefined);
    assert.deepEqual(await stateOf(outDir), plain.state);
    assert.match(said.join("\n"), /Cannot write .*metrics\.jsonl: it was removed during the run/);
    await requireWhole(outDir);
  }));

Deno.test("disk: a folder that became a file under way is an error at the end, with the way out", () =>
  inFolder(async (dir) => {
    const outDir = join(dir, "out");
    const onEpoch = async ({ epoch }: EpochEvent) => {
      if (epoch !== 1) return;
      await Deno.remove(outDir, { recursive: true });
      await Deno.writeTextFile(outDir, "a file");
    };
    const { error, said } = await train({ outDir, onEpoch });
    const text = `Cannot make the folder ${join(outDir, "training_checkpoints")}: `;
    assert.ok(error);
    assert.ok(error.message.startsWith(text), error.message);
    assert.match(error.message, /A file is in the way: choose another name$/);
    assert.ok(said.some((line) => line.startsWith(text)), "and was said before");
    assert.equal(await Deno.readTextFile(outDir), "a file");
  }));

Deno.test("disk: a file in place of a folder, and a folder in place of a file, are named", async (t) => {
  const refused = async (outDir: string, message: RegExp, options: Partial<TrainOptions> = {}) => {
    const { error } = await train({ outDir, ...options });
    assert.match(error?.message ?? "", message);
    assert.equal([...Deno.readDirSync(dirname(outDir))].length, 1);
  };
  for (
    const [file, message] of [
      ["out", /^Cannot make the folder .*out: .*A file is in the way/],
      ["out/training_checkpoints", /training_checkpoints is a file, .*move it away/],
    ] as const
  ) {
    await t.step(file, () =>
      inFolder(async (dir) => {
        await put(dir, { [file]: "" });
        await refused(join(dir, "out"), message);
      }));
  }
  for (const name of ["run.lock", "run.json", "metrics.jsonl"]) {
    await t.step(`${name} of a run that is resumed`, () =>
      inFolder(async (dir) => {
        const outDir = join(dir, "out");
        await train({ outDir, epochs: 1 });
        if (name !== "run.lock") await Deno.remove(join(outDir, name));
        await Deno.mkdir(join(outDir, name));
        await refused(outDir, new RegExp(`^Cannot write .*${name}: .*A folder is in the way`), {
          resume: true,
        });
      }));
  }
});

Deno.test("disk: a clock that is set back changes nothing but times", () =>
  inFolder(async (outDir) => {
    const RealDate = Date;
    let hours = 0;
    globalThis.Date = class extends RealDate {
      constructor(...[time]: [] | [number]) {
        super(time ?? RealDate.now() - 3600e3 * ++hours);
      }
      static override now = () => RealDate.now() - 3600e3 * ++hours;
    } as DateConstructor;
    try {
      await train({ outDir, maxSteps: 4 });
      await train({ outDir, resume: true });
    } finally {
      globalThis.Date = RealDate;
    }
    assert.ok(hours > 10, `the clock was read ${hours} times`);
    assert.deepEqual(await stateOf(outDir), plain.state);
    const steps = (await logged(outDir) as { type: string; step: number }[])
      .filter(({ type }) => type === "step").map(({ step }) => step);
    assert.deepEqual(steps, [1, 2, 3, 4, 5, 6]);
  }));

Deno.test("disk: a run that maxSteps cuts, killed after its last checkpoint, has its whole log when resumed", () =>
  inFolder(async (outDir) => {
    const options = { maxSteps: 5, checkpoint: { everyMinutes: 1e-9 } };
    const run = async (outDir: string, stopAt: string, resume = false) => {
      const onMessage = (text: string) => {
        if (text.includes(stopAt)) throw new Error("the end");
      };
      const { error } = await train({ ...options, outDir, resume, onMessage });
      if (error) assert.equal(error.message, "the end");
    };
    await run(join(outDir, "a"), "never");
    await run(join(outDir, "b"), "ckpt-0002-step-5.");
    await run(join(outDir, "b"), "never", true);
    const [a, b] = [await everything(join(outDir, "a")), await everything(join(outDir, "b"))];
    assert.deepEqual(b, a);
    assert.ok(a.images.has("image_at_step_000005.png"));
  }));

Deno.test("disk: a run without permission for its folder says which it needs", () =>
  inFolder(async (dir) => {
    const { code, stderr } = await new Deno.Command("deno", {
      args: [
        ..."run --quiet --no-prompt --allow-read --lock=deno.lock --frozen".split(" "),
        ...["tests/support/train_worker.ts", dir, "1"],
      ],
      env: { NO_COLOR: "1" },
    }).output();
    assert.equal(code, 1);
    const text = new TextDecoder().decode(stderr);
    assert.match(text, /Cannot make the folder .*: Requires write access/);
    assert.ok(text.includes(`--allow-write=${dir}`), text);
  }));

/** Why no file system can be mounted here; nothing where it can. */
async function noMounts(): Promise<string | undefined> {
  const { state } = await Deno.permissions.query({ name: "run", command: "mount" });
  if (state !== "granted") return "without permission to run mount; deno task faults has it";
  return await mounted("64k", async () => {}).then(() => undefined, (error) => {
    return `it takes Linux and root to mount a tmpfs (${error.message.trim()})`;
  });
}

async function command(name: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(name, { args }).output();
  if (code) throw new Error(new TextDecoder().decode(stderr));
}

/** Runs with a file system of its own. */
const mounted = (size: string, body: (dir: string) => Promise<void>) =>
  inFolder(async (dir) => {
    await command("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", dir);
    try {
      await body(dir);
    } finally {
      await command("umount", dir);
    }
  });

const noMount = await noMounts();
if (noMount !== undefined) console.log(`disk: no real file systems, ${noMount}`);

/** Fills a disk to the last byte. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const bytes = new Uint8Array(4096);
  try {
    for (;;) await file.write(bytes);
  } catch (error) {
    assert.equal((error as { code?: string }).code, "ENOSPC");
  }
}

/** A test on a small file system of its own. */
const mountTest = (name: string, body: (dir: string) => Promise<void>) =>
  Deno.test({ name, ignore: noMount !== undefined, fn: () => mounted("8m", body) });

mountTest("disk: a tmpfs that is full from step 4 on, and then has room again", async (dir) => {
  const outDir = join(dir, "out");
  const ballast = join(dir, "ballast");
  const { error, said } = await train({
    outDir,
    onImage: ({ step }) => step === 4 ? fill(ballast) : undefined,
  });
  assert.ok(error, "the last checkpoint found no room");
  requireClear(error, join(outDir, "training_checkpoints"));
  assert.ok(said.some((text) => text.includes("image_at_step_000006.png: No space left")));
  await requireWhole(outDir);
  assert.equal((await checkpoints(outDir)).length, 1, "that of epoch 1 is whole");

  // Another run finds no room to begin with.
  const other = await train({ outDir: join(dir, "other") });
  assert.match(
    other.error?.message ?? "",
    /^Cannot .*: No space left on device .*Free some space/,
  );

  await Deno.remove(ballast);
  await goOn(outDir);
  assert.deepEqual(await everything(outDir), plain);
});

mountTest(
  "disk: a file system that is mounted read-only refuses a run at once, and keeps the old one",
  async (dir) => {
    const outDir = join(dir, "out");
    assert.equal((await train({ outDir, epochs: 1 })).error, undefined);
    await command("mount", "-o", "remount,ro", dir);
    const way = /Read-only file system .*Write to a folder that you may write to$/;
    for (const options of [{ outDir, resume: true }, { outDir: join(dir, "new") }]) {
      const { error } = await train(options);
      assert.match(error?.message ?? "", way);
      assert.ok(error?.message.includes(options.outDir));
    }
    await requireWhole(outDir);
    await command("mount", "-o", "remount,rw", dir);
    await goOn(outDir);
    assert.deepEqual(await everything(outDir), plain);
  },
);
