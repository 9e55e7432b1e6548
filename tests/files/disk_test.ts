/**
 * Disks that fill up, folders that vanish, clocks that go back. `deno task faults` adds real mounts.
 */

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { Gpu, NonFiniteError, trainDCGAN, Trainer, type TrainOptions } from "../../mod.ts";
import { writeFileAtomic } from "../../src/files/atomic.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { BadDisk, type DiskCall, nameOf } from "../support/bad_disk.ts";
import { blobs } from "../support/dataset.ts";
import { inFolder, put } from "../support/folder.ts";
import { deno } from "../support/process.ts";
import { repeating } from "../support/repeating_trainer.ts";
import {
  checkpoints,
  everything,
  images,
  logged,
  loggedSteps,
  stateOf,
  temporary,
} from "../support/run_state.ts";
import { namesIn, stepsTo, WORKER } from "../support/training.ts";

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

/** What every run with these options trains, computed once: only their disks differ. */
const repeat = await repeating(OPTIONS);

/** As `train`, with options that change nothing of what is trained. */
async function trainAgain(options: Options & { readonly epochs?: never }) {
  const { create } = Trainer;
  Trainer.create = () => Promise.resolve(repeat());
  try {
    return await train(options);
  } finally {
    Trainer.create = create;
  }
}

/** Goes on after the fault is over, with whatever checkpoint there is. */
async function goOn(outDir: string): Promise<void> {
  const resume = (await checkpoints(outDir)).length > 0;
  const { error } = await trainAgain({ outDir, resume, overwrite: !resume });
  assert.equal(error, undefined);
  assert.deepEqual(await everything(outDir), plain);
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

/** A test with a folder of its own. */
const test = (name: string, body: (dir: string) => Promise<void>) =>
  Deno.test(`disk: ${name}`, () => inFolder(body));

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

test("a run makes the calls that fail below, with a repeating trainer too", async (outDir) => {
  const written = ["run.lock", "run.json", "events", "metrics.jsonl", "image_at_step_000002.png"];
  written.push("image_at_epoch_0001.png", "losses.svg", "dcgan.gif");
  const others = ["rename ckpt-0001.safetensors", "sync metrics.jsonl"];
  for (const name of [...written.map((file) => `write ${file}`), ...others]) {
    assert.ok(names.includes(name), `${name} is not in ${names.join(", ")}`);
  }
  assert.ok(beginning > 0 && beginning < names.length);
  using disk = new BadDisk(() => false);
  assert.equal((await trainAgain({ outDir })).error, undefined);
  assert.deepEqual(disk.calls.map(nameOf).slice(1), names.slice(1)); // The first makes `outDir`.
  assert.deepEqual(await everything(outDir), plain);
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
          const { error, said } = await trainAgain({ outDir });
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
      return await goOn(outDir);
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
  },
);

test("a checkpoint that cannot be written is tried again after the next epoch", async (outDir) => {
  let once = true;
  using disk = new BadDisk((_, { path }) => once && path.includes("ckpt-0002") && !(once = false));
  const checkpoint = { everyEpochs: 2, keep: 9 };
  const { error, said } = await train({ outDir, epochs: 5, checkpoint });
  assert.equal(error, undefined);
  assert.equal(disk.failed.length, 1);
  assert.equal(said.filter((text) => text.includes("tries again")).length, 1, said.join("\n"));
  const names = (await checkpoints(outDir)).map((path) => basename(path));
  assert.deepEqual(names, [3, 4, 5].map((epoch) => `ckpt-000${epoch}.safetensors`));
});

test("a file is on the disk before it takes its name", async (dir) => {
  using disk = new BadDisk(() => false);
  await writeFileAtomic(join(dir, "a"), new Uint8Array(10));
  assert.deepEqual(disk.calls.map(nameOf), ["open a", "write a", "sync a", "rename a"]);
});

test("what a killed process left of a file goes with the file's next version", async (dir) => {
  const hour = Date.now() / 1000 - 3600;
  const old = [".a.0123abcd.tmp", ".a.dcba3210.tmp"];
  // Of another file, still being written, and no temporary file at all.
  const others = [".b.0123abcd.tmp", ".a.11111111.tmp", ".a.tmp"];
  await put(dir, Object.fromEntries([...old, ...others].map((name) => [name, "half"])));
  for (const name of [...old, others[0], others[2]]) {
    await Deno.utime(join(dir, name), hour, hour);
  }
  await writeFileAtomic(join(dir, "a"), new Uint8Array(10));
  assert.deepEqual(namesIn(dir), [...others, "a"].sort());
});

test("a run that diverges on a full disk says both, and throws what is not finite", async (outDir) => {
  let full = false;
  using _disk = new BadDisk(() => full);
  const onStep = () => void (full = true);
  const { error, said } = await train({ outDir, onStep, learningRate: 1e30 });
  assert.ok(error instanceof NonFiniteError, String(error));
  assert.match(said.join("\n"), /Cannot .*training_checkpoints.*: No space left on device/);
  assert.doesNotMatch(said.join("\n"), /tries again/);
});

/** Trains into a folder that is removed after the first epoch, and something else happens to it. */
const trainRemoved = (outDir: string, then = async () => {}) =>
  trainAgain({
    outDir,
    onEpoch: async ({ epoch }) => {
      if (epoch !== 1) return;
      await Deno.remove(outDir, { recursive: true });
      await then();
    },
  });

test("a folder deleted under way comes again with the next checkpoint", async (dir) => {
  const outDir = join(dir, "out");
  const { error, said } = await trainRemoved(outDir);
  assert.equal(error, undefined);
  assert.deepEqual(await stateOf(outDir), plain.state);
  assert.match(said.join("\n"), /Cannot write .*metrics\.jsonl: it was removed during the run/);
  await requireWhole(outDir);
});

test("a folder that became a file under way is an error at the end, with the way out", async (dir) => {
  const outDir = join(dir, "out");
  const { error, said } = await trainRemoved(outDir, () => Deno.writeTextFile(outDir, "a file"));
  const text = `Cannot make the folder ${join(outDir, "training_checkpoints")}: `;
  assert.ok(error?.message.startsWith(text), error?.message);
  assert.match(error!.message, /A file is in the way: choose another name$/);
  assert.ok(said.some((line) => line.startsWith(text)), "and was said before");
  assert.equal(await Deno.readTextFile(outDir), "a file");
});

Deno.test("disk: a file in place of a folder, and a folder in place of a file, are named", async () => {
  const wrong: Readonly<Record<string, RegExp>> = {
    "out": /^Cannot make the folder .*out: .*A file is in the way/,
    "out/training_checkpoints": /training_checkpoints is a file, .*move it away/,
    "out/run.lock/": /^Cannot write .*run.lock: .*A folder is in the way/,
    "out/run.json/": /^Cannot write .*run.json: .*A folder is in the way/,
    "out/metrics.jsonl/": /^Cannot write .*metrics.jsonl: .*A folder is in the way/,
  };
  for (const [name, message] of Object.entries(wrong)) {
    await inFolder(async (dir) => {
      const outDir = join(dir, "out");
      const resume = name.endsWith("/");
      if (resume) {
        const path = join(dir, name.slice(0, -1));
        await trainAgain({ outDir });
        await Deno.remove(path).catch(() => {}); // There is no run.lock.
        await Deno.mkdir(path);
      } else await put(dir, { [name]: "" });
      const { error } = await trainAgain({ outDir, resume });
      assert.match(error?.message ?? "", message);
      assert.deepEqual(namesIn(dir), ["out"]);
    });
  }
});

test("a clock that is set back changes nothing but times", async (outDir) => {
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
  assert.deepEqual(await loggedSteps(outDir), stepsTo(6));
});

test("a run that maxSteps cuts, killed after its last checkpoint, has its whole log when resumed", async (dir) => {
  const options = { maxSteps: 5, checkpoint: { everyMinutes: 1e-9 } };
  const run = async (name: string, stopAt: string, resume = false) => {
    const onMessage = (text: string) => {
      if (text.includes(stopAt)) throw new Error("the end");
    };
    const { error } = await train({ ...options, outDir: join(dir, name), resume, onMessage });
    if (error) assert.equal(error.message, "the end");
  };
  await run("a", "never");
  await run("b", "ckpt-0002-step-5.");
  await run("b", "never", true);
  const [a, b] = [await everything(join(dir, "a")), await everything(join(dir, "b"))];
  assert.deepEqual(b, a);
  assert.ok(a.images.has("image_at_step_000005.png"));
});

test("a run without permission for its folder says which it needs", async (dir) => {
  const args = WORKER.filter((arg) => arg !== "--allow-write");
  const { code, stderr } = await deno([...args, dir, "1"]);
  assert.equal(code, 1);
  assert.match(stderr, /Cannot make the folder .*: Requires write access/);
  assert.ok(stderr.includes(`--allow-write=${dir}`), stderr);
});

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
  Deno.test({
    name: `disk: ${name}`,
    ignore: noMount !== undefined,
    fn: () => mounted("8m", body),
  });

mountTest("a tmpfs that is full from step 4 on, and then has room again", async (dir) => {
  const [outDir, ballast] = [join(dir, "out"), join(dir, "ballast")];
  const { error, said } = await trainAgain({
    outDir,
    onImage: ({ step }) => step === 4 ? fill(ballast) : undefined,
  });
  assert.ok(error, "the last checkpoint found no room");
  requireClear(error, join(outDir, "training_checkpoints"));
  assert.ok(said.some((text) => text.includes("image_at_step_000006.png: No space left")));
  await requireWhole(outDir);
  assert.equal((await checkpoints(outDir)).length, 1, "that of epoch 1 is whole");

  // Another run finds no room to begin with.
  const other = await trainAgain({ outDir: join(dir, "other") });
  assert.match(other.error?.message ?? "", /^Cannot .*: No space left on device .*Free some space/);
  await Deno.remove(ballast);
  await goOn(outDir);
});

mountTest(
  "one that is mounted read-only refuses a run at once, and keeps the old one",
  async (dir) => {
    const outDir = join(dir, "out");
    assert.equal((await train({ outDir, epochs: 1 })).error, undefined);
    await command("mount", "-o", "remount,ro", dir);
    const way = /Read-only file system .*Write to a folder that you may write to$/;
    for (const options of [{ outDir, resume: true }, { outDir: join(dir, "new") }]) {
      const { error } = await trainAgain(options);
      assert.match(error?.message ?? "", way);
      assert.ok(error?.message.includes(options.outDir));
    }
    await requireWhole(outDir);
    await command("mount", "-o", "remount,rw", dir);
    await goOn(outDir);
  },
);
