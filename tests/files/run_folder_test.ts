import { deepEqual, rejects } from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError } from "../../mod.ts";
import { CheckpointFolder } from "../../src/files/checkpoints.ts";
import { RunFolder } from "../../src/files/run_folder.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put } from "../support/folder.ts";

/** Opens a folder with files of a run and of others; `left` is what is in it then. */
const withFolder = (
  paths: readonly string[],
  body: (folder: RunFolder, left: () => string[], dir: string) => Promise<void>,
) =>
  inFolder(async (dir) => {
    await lay(dir, paths);
    const images = { count: 1, height: 4, width: 4, channels: 1, columns: 1 };
    await using folder = await RunFolder.open(dir, { images, onMessage: () => {} });
    await body(folder, () => contents(dir), dir);
  });

const lay = (dir: string, paths: readonly string[]) =>
  put(dir, Object.fromEntries(paths.map((path) => [path, "text"])));

/** Files and empty folders. */
function contents(dir: string, under = ""): string[] {
  return [...Deno.readDirSync(join(dir, under))].flatMap(({ name, isDirectory }) => {
    const path = join(under, name);
    const inside = isDirectory ? contents(dir, path) : [];
    return inside.length ? inside : [path];
  }).sort();
}

const RUN = [
  "metrics.jsonl",
  "run.json",
  "losses.svg",
  "dcgan.gif",
  "image_at_epoch_0001.png",
  "image_at_step_000050.png",
  "tensorboard/events.out.tfevents.1790000000.dcgan.123",
  "tensorboard/events.out.tfevents.1790000009.dcgan.4",
  "training_checkpoints/ckpt-0001.safetensors",
  "training_checkpoints/superseded/ckpt-0002-step-7.safetensors",
];
const OTHERS = [
  "notes.txt",
  "tensorboard/events.out.tfevents.1790000000.host",
  "tensorboard/events.out.tfevents.1790000000.dcgan.notes",
  "tensorboard/thesis/chapter1.md",
  "training_checkpoints/mine.safetensors",
];

Deno.test("run folder: overwrite removes what runs wrote, by name, and nothing else", async () => {
  await withFolder([...RUN, ...OTHERS], async (folder, left) => {
    await folder.clear(true);
    const empty = "training_checkpoints/superseded";
    deepEqual(left(), [...OTHERS, empty, "run.lock"].sort());
  });
  await withFolder(RUN, async (folder, left) => {
    await folder.clear(true);
    deepEqual(left(), ["run.lock", "training_checkpoints/superseded"]); // Not its own tensorboard.
  });
  await withFolder(OTHERS, (folder) => folder.clear(false)); // It holds no run.
});

Deno.test("run folder: stopped before its first checkpoint, both refusals name the way out", () =>
  withFolder(["metrics.jsonl"], async (folder, _, dir) => {
    const none = new CheckpointFolder(join(dir, "training_checkpoints"));
    const wayOut = errorOf(CheckpointError, "(overwrite: true, --force)");
    await rejects(folder.clear(false), wayOut);
    await rejects(none.latest(() => {}), wayOut);
    await rejects(folder.clear(false), /stopped before its first checkpoint: overwrite it/);
    await lay(dir, RUN);
    const resume = /\(ckpt-0001\.safetensors\): resume it \(resume: true, --re/;
    await rejects(folder.clear(false), resume);
  }));
