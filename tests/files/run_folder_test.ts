import { deepEqual, rejects } from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError } from "../../mod.ts";
import { CheckpointFolder } from "../../src/files/checkpoints.ts";
import { RunFolder } from "../../src/files/run_folder.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put } from "../support/folder.ts";

const options = {
  images: { count: 1, height: 4, width: 4, channels: 1 },
  onMessage: () => {},
};

/** Files of a run and of others, in a folder. */
const lay = (dir: string, paths: readonly string[]) =>
  put(dir, Object.fromEntries(paths.map((path) => [path, "text"])));

async function contents(dir: string, under = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(dir, under))) {
    const path = join(under, name);
    paths.push(...isDirectory ? await contents(dir, path) : [path]);
  }
  return paths.sort();
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
  await inFolder(async (dir) => {
    await lay(dir, [...RUN, ...OTHERS]);
    await using folder = await RunFolder.open(dir, options);
    await folder.clear(true);
    deepEqual(await contents(dir), [...OTHERS, "run.lock"].sort());
  });
  await inFolder(async (dir) => {
    await lay(dir, RUN);
    await using folder = await RunFolder.open(dir, options);
    await folder.clear(true);
    deepEqual(await contents(dir), ["run.lock"]);
    await rejects(Deno.stat(join(dir, "tensorboard")), Deno.errors.NotFound);
  });
  await inFolder(async (dir) => {
    await lay(dir, OTHERS);
    await using folder = await RunFolder.open(dir, options);
    await folder.clear(false); // It holds no run.
  });
});

Deno.test("run folder: stopped before its first checkpoint, both refusals name the way out", () =>
  inFolder(async (dir) => {
    await lay(dir, ["metrics.jsonl"]);
    await using folder = await RunFolder.open(dir, options);
    const refusals = [
      () => folder.clear(false),
      () => new CheckpointFolder(join(dir, "training_checkpoints")).latest(() => {}),
    ];
    for (const refusal of refusals) {
      await rejects(refusal(), errorOf(CheckpointError, "(overwrite: true, --force)"));
    }
    await rejects(folder.clear(false), /stopped before its first checkpoint: overwrite it/);
    await lay(dir, RUN);
    await rejects(
      folder.clear(false),
      /\(ckpt-0001\.safetensors\): resume it \(resume: true, --re/,
    );
  }));
