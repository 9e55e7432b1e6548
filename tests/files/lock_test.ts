import assert from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError, Gpu, trainDCGAN } from "../../mod.ts";
import { FolderLock } from "../../src/files/lock.ts";
import { blobs } from "../support/dataset.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";

const silent = () => {};

const options = {
  dataset: blobs(24),
  batchSize: 8,
  epochs: 2,
  noiseDim: 4,
  generatorWidths: [4, 4, 4],
  discriminatorWidths: [4, 4],
} as const;

Deno.test("lock: a folder is for one at a time, and free again afterwards", () =>
  inFolder(async (dir) => {
    for (let turn = 0; turn < 3; turn++) {
      await using lock = await FolderLock.take(dir, silent);
      assert.ok(lock);
      await assert.rejects(
        FolderLock.take(dir, silent),
        errorOf(CheckpointError, /writing to .*: wait/, `(process ${Deno.pid}): wait`),
      );
    }
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));

Deno.test("lock: a file that a dead process left does not hold", () =>
  inFolder(async (dir) => {
    await Deno.writeTextFile(join(dir, "run.lock"), "12345\n");
    await using lock = await FolderLock.take(dir, silent);
    assert.ok(lock);
    assert.equal(await Deno.readTextFile(join(dir, "run.lock")), `${Deno.pid}\n`);
  }));

Deno.test("lock: one whose file its last holder removes meanwhile is taken anew", () =>
  inFolder(async (dir) => {
    const path = join(dir, "run.lock");
    const { tryLock } = Deno.FsFile.prototype;
    let turns = 0;
    // Between the opening and the lock the last holder goes, and takes the file with it.
    Deno.FsFile.prototype.tryLock = function (exclusive) {
      if (++turns === 1) Deno.removeSync(path);
      return tryLock.call(this, exclusive);
    };
    try {
      await using _lock = await FolderLock.take(dir, silent);
      assert.equal(turns, 2);
      assert.equal(await Deno.readTextFile(path), `${Deno.pid}\n`);
      await assert.rejects(FolderLock.take(dir, silent), CheckpointError);
    } finally {
      Deno.FsFile.prototype.tryLock = tryLock;
    }
  }));

Deno.test("lock: a folder deleted and made anew under a run is not given free with the run", () =>
  inFolder(async (dir) => {
    const run = join(dir, "run");
    await Deno.mkdir(run);
    const first = await FolderLock.take(run, silent);
    await Deno.remove(run, { recursive: true });
    await Deno.mkdir(run);
    await using _second = await FolderLock.take(run, silent);
    await first![Symbol.asyncDispose]();
    await assert.rejects(FolderLock.take(run, silent), CheckpointError);
  }));

/** Takes the folder, says so, and holds it for good. */
const HOLDER = `
  import { FolderLock } from ${JSON.stringify(new URL("../../src/files/lock.ts", import.meta.url))};
  await FolderLock.take(Deno.args[0], () => {});
  console.log("taken");
  setInterval(() => {}, 1000);
`;

Deno.test("lock: another process is refused while the first lives, not when it was killed", () =>
  inFolder(async (dir) => {
    const run = join(dir, "run");
    await Deno.mkdir(run);
    await Deno.writeTextFile(join(dir, "holder.ts"), HOLDER);
    const holder = new Deno.Command("deno", {
      args: ["run", "--quiet", "--no-config", "--allow-read", "--allow-write", "holder.ts", run],
      cwd: dir,
      stdout: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "taken\n");
    using gpu = await Gpu.request();
    await assert.rejects(
      trainDCGAN({ ...options, gpu, outDir: run }),
      errorOf(CheckpointError, `(process ${holder.pid})`),
    );
    assert.deepEqual([...Deno.readDirSync(run)].map(({ name }) => name), ["run.lock"]);
    holder.kill("SIGKILL");
    await holder.status;
    await reader.cancel();
    using _run = await trainDCGAN({ ...options, gpu, outDir: run });
    const left = [...Deno.readDirSync(run)].map(({ name }) => name);
    assert.ok(left.includes("run.json") && !left.includes("run.lock"), left.join());
  }));

Deno.test("lock: two runs of one process in one folder, and in two", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const both = (a: string, b: string) =>
      Promise.allSettled(
        [a, b].map((outDir) => trainDCGAN({ ...options, gpu, outDir: join(dir, outDir) })),
      );
    const same = await both("a", "a");
    assert.deepEqual(same.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    // Two trainers on one device disturb each other in nothing.
    const two = await both("b", "c");
    const weights = await Promise.all(two.map(async (result) => {
      assert.ok(result.status === "fulfilled", String((result as PromiseRejectedResult).reason));
      return await Promise.all(result.value.generator.variables.map((v) => v.read()));
    }));
    assert.deepEqual(weights[0], weights[1]);
  }));
