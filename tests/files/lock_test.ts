import assert from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError, Gpu, trainDCGAN } from "../../mod.ts";
import { FolderLock } from "../../src/files/lock.ts";
import { blobs } from "../support/dataset.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put } from "../support/folder.ts";
import { namesIn, weightsOf } from "../support/training.ts";

const options = {
  dataset: blobs(24),
  batchSize: 8,
  epochs: 2,
  noiseDim: 4,
  generatorWidths: [4, 4, 4],
  discriminatorWidths: [4, 4],
} as const;

/** A test with a folder of its own. */
const test = (name: string, body: (dir: string) => Promise<void>) =>
  Deno.test(`lock: ${name}`, () => inFolder(body));

const take = (folder: string) => FolderLock.take(folder, () => {});

test("a folder is for one at a time, and free again afterwards", async (dir) => {
  for (let turn = 0; turn < 3; turn++) {
    await using lock = await take(dir);
    assert.ok(lock);
    const refused = [/writing to .*: wait/, `(process ${Deno.pid}): wait`];
    await assert.rejects(take(dir), errorOf(CheckpointError, ...refused));
  }
  assert.deepEqual(namesIn(dir), []);
});

test("a file that a dead process left does not hold", async (dir) => {
  await put(dir, { "run.lock": "12345\n" });
  await using lock = await take(dir);
  assert.ok(lock);
  assert.equal(await Deno.readTextFile(join(dir, "run.lock")), `${Deno.pid}\n`);
});

test("one whose file its last holder removes meanwhile is taken anew", async (dir) => {
  const path = join(dir, "run.lock");
  const { tryLock } = Deno.FsFile.prototype;
  let turns = 0;
  // Between the opening and the lock the last holder goes, and takes the file with it.
  Deno.FsFile.prototype.tryLock = function (exclusive) {
    if (++turns === 1) Deno.removeSync(path);
    return tryLock.call(this, exclusive);
  };
  try {
    await using _lock = await take(dir);
    assert.equal(turns, 2);
    assert.equal(await Deno.readTextFile(path), `${Deno.pid}\n`);
    await assert.rejects(take(dir), CheckpointError);
  } finally {
    Deno.FsFile.prototype.tryLock = tryLock;
  }
});

test("a folder deleted and made anew under a run is not given free with the run", async (dir) => {
  const run = join(dir, "run");
  await Deno.mkdir(run);
  const first = await take(run);
  await Deno.remove(run, { recursive: true });
  await Deno.mkdir(run);
  await using _second = await take(run);
  await first![Symbol.asyncDispose]();
  await assert.rejects(take(run), CheckpointError);
});

/** Takes the folder, says so, and holds it for good. */
const HOLDER = `
  import { FolderLock } from ${JSON.stringify(new URL("../../src/files/lock.ts", import.meta.url))};
  await FolderLock.take(Deno.args[0], () => {});
  console.log("taken");
  setInterval(() => {}, 1000);
`;

test("another process is refused while the first lives, not when it was killed", async (dir) => {
  const args = ["eval", "--no-config", "--no-lock", HOLDER, dir];
  const holder = new Deno.Command("deno", { args, stdout: "piped" }).spawn();
  const reader = holder.stdout.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "taken\n");
  using gpu = await Gpu.request();
  const train = () => trainDCGAN({ ...options, gpu, outDir: dir });
  await assert.rejects(train(), errorOf(CheckpointError, `(process ${holder.pid})`));
  assert.deepEqual(namesIn(dir), ["run.lock"]);
  holder.kill("SIGKILL");
  await holder.status;
  await reader.cancel();
  using _run = await train();
  const left = namesIn(dir);
  assert.ok(left.includes("run.json") && !left.includes("run.lock"), left.join());
});

test("two runs of one process in one folder, and in two", async (dir) => {
  using gpu = await Gpu.request();
  const train = (name: string) => trainDCGAN({ ...options, gpu, outDir: join(dir, name) });
  const same = await Promise.allSettled([train("a"), train("a")]);
  assert.deepEqual(same.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  // Two trainers on one device disturb each other in nothing.
  const [b, c] = await Promise.all([train("b"), train("c")]);
  assert.deepEqual(await weightsOf(b), await weightsOf(c));
});
