/** What is at a path; and pipes by the names of files: each is refused by its name, without waiting. */

import { equal, match, ok, rejects } from "node:assert/strict";
import { join } from "node:path";
import { loadImages, loadMNIST, MetricsLog, readMetrics } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { animate } from "../../src/files/images.ts";
import { kindOf } from "../../src/files/kind.ts";
import { readRunRecord } from "../../src/files/run_record.ts";
import { readWeights } from "../../src/files/model_files.ts";
import { HAS_FIFOS, makeFifo } from "../support/fifo.ts";
import { inFolder } from "../support/folder.ts";
import { guarded } from "../support/watchdog.ts";

Deno.test("what lies at a path: a file, a directory, something else, or nothing", () =>
  inFolder(async (dir) => {
    const at = (name: string) => kindOf(join(dir, name));
    await Deno.writeTextFile(join(dir, "file"), "");
    await Deno.symlink("file", join(dir, "link"));
    await Deno.symlink("nowhere", join(dir, "dangling"));
    equal(await kindOf(dir), "directory");
    equal(await at("file"), "file");
    equal(await at("link"), "file");
    for (const name of ["nothing", "file/deeper", "dangling"]) equal(await at(name), undefined);
    if (!HAS_FIFOS) return;
    await makeFifo(join(dir, "pipe"));
    equal(await at("pipe"), "other");
  }));

/** Reads in a folder in which there is a pipe by this name. */
function withPipe(name: string, body: (path: string, dir: string) => Promise<unknown>) {
  return inFolder(async (dir) => {
    const path = join(dir, name);
    await makeFifo(path);
    try {
      await guarded(async () => void await body(path, dir), 5);
    } finally {
      // Whoever hangs on it goes on.
      (await Deno.open(path, { read: true, write: true })).close();
    }
  });
}

async function refused(read: Promise<unknown>, path: string): Promise<void> {
  await rejects(read, (error: Error) => {
    ok(error.message.includes(path), error.message);
    match(error.message, /it is not a file, but a pipe, a socket or a device; put a file in its/);
    return true;
  });
}

const READERS: Readonly<
  Record<string, readonly [file: string, read: (path: string, dir: string) => Promise<unknown>]>
> = {
  "an IDX file": ["train-images-idx3-ubyte", (_, dir) => loadMNIST({ dir })],
  "a compressed IDX file": ["train-images-idx3-ubyte.gz", (_, dir) => loadMNIST({ dir })],
  "an image": ["x.png", (_, dir) => loadImages(dir)],
  "a frame": ["image_at_epoch_0001.png", (path) => animate([path], 200)],
  "a checkpoint": ["ckpt-0001.safetensors", (path) => readCheckpoint(path)],
  "weights": ["a.safetensors", (path) => readWeights(path, "generator")],
  "a tfjs model": ["model.json", (path) => readWeights(path, "generator")],
  "a log that is read": ["metrics.jsonl", (path) => Array.fromAsync(readMetrics(path))],
  "a log that is begun": ["metrics.jsonl", (path) => MetricsLog.open(path)],
  "a log that is gone on with": [
    "metrics.jsonl",
    (path) => MetricsLog.open(path, { afterStep: 9 }),
  ],
};

/** A test that needs pipes. */
const pipeTest = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: !HAS_FIFOS, fn });

for (const [what, [file, read]] of Object.entries(READERS)) {
  pipeTest(
    `a pipe is not ${what}`,
    () => withPipe(file, (path, dir) => refused(read(path, dir), path)),
  );
}

pipeTest("a link to a pipe is not an image", () =>
  withPipe("pipe", async (path, dir) => {
    await Deno.symlink(path, join(dir, "x.png"));
    await refused(loadImages(dir), join(dir, "x.png"));
  }));

pipeTest(
  "a pipe is not a record of a run, and stops none",
  () =>
    withPipe("run.json", async (path, dir) => {
      const said: string[] = [];
      equal(await readRunRecord(dir, (text) => said.push(text)), undefined);
      ok(said[0].startsWith(`${path} cannot be read (it is not a file`), said[0]);
    }),
);
