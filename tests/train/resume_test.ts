/** Runs that stop and go on within one process; tests/training/resume_test.ts kills processes. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { StepEvent, TrainOptions, TrainResult } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { encodeCheckpoint } from "../../src/training/checkpoint.ts";
import { loggedSteps } from "../support/run_state.ts";
import { SMALL, test, train } from "../support/small.ts";
import { namesIn, stepsTo, weightsOf } from "../support/training.ts";

const straight = await train();
const expected = await weightsOf(straight);

const losses = ({ history }: TrainResult) =>
  history.map((e) => [e.epoch, e.steps, e.generatorLoss, e.discriminatorLoss]);

/** Where a run's checkpoints are. */
const folderOf = (outDir: string) => join(outDir, "training_checkpoints");

for (const cut of [1, 5, 7, 14]) {
  test(`train: ${cut} steps and a resume give the bits of an uninterrupted run`, async (outDir) => {
    await train({ outDir, maxSteps: cut });
    const resumed = await train({ outDir, resume: true });
    assert.deepEqual(await weightsOf(resumed), expected);
    assert.deepEqual(losses(resumed), losses(straight));
  });
}

test("train: a run that is not finite any more is resumed as it was", async (outDir) => {
  const options = { learningRate: 1e30, onNonFinite: "warn" } as const;
  const whole = losses(await train(options));
  assert.ok(whole.flat().some(Number.isNaN));
  // In the middle of the second epoch: the first is history, the second a sum.
  await train({ ...options, outDir, maxSteps: 7 });
  assert.deepEqual(losses(await train({ ...options, outDir, resume: true })), whole);

  const path = join(outDir, "position.safetensors");
  const rest = { tensors: new Map(), configuration: {}, kernels: "", version: "" };
  const written = { sums: [NaN, Infinity, -Infinity, 1.5], text: "Infinite" };
  // Version 0.1.0 wrote what is not finite as null.
  const cases = [[written, written], [{ sums: [null, 1.5] }, { sums: [NaN, 1.5] }]];
  for (const [position, read] of cases) {
    await Deno.writeFile(path, encodeCheckpoint({ ...rest, position }));
    assert.deepEqual((await readCheckpoint(path)).position, read);
  }
});

test("train: a signal stops it, and the run can be resumed", async (outDir) => {
  const stop = new AbortController();
  const onStep = ({ step }: StepEvent) => step === 6 && stop.abort();
  const stopped = await train({ outDir, signal: stop.signal, onStep });
  assert.equal(stopped.aborted, true);
  assert.ok(stopped.steps >= 6 && stopped.steps < 15, `stopped after ${stopped.steps}`);
  const resumed = await train({ resume: stopped.checkpoint! });
  assert.deepEqual(await weightsOf(resumed), expected);
});

test("train: a damaged newest checkpoint is skipped with a message", async (outDir) => {
  await train({ outDir, checkpoint: { everyEpochs: 1 } });
  await Deno.truncate(join(folderOf(outDir), "ckpt-0003.safetensors"), 1000);
  const resumed = await train({ outDir, resume: true });
  assert.match(resumed.messages[0], /^skipped: Cannot read .*ckpt-0003/);
  assert.match(resumed.messages[1], /^resumed .*ckpt-0002/);
  assert.deepEqual(await weightsOf(resumed), expected);
});

test("train: a contradiction to the checkpoint is refused with both values", async (outDir) => {
  await train({ outDir, maxSteps: 2 });
  // Of another process that writes there.
  const temporary = join(outDir, ".run.json.0123abcd.tmp");
  await Deno.writeTextFile(temporary, "half");
  const checkpoint = join(folderOf(outDir), "ckpt-0001-step-2.safetensors");
  const elsewhere = join(outDir, "new");
  const dataset = { ...SMALL.dataset, images: new Uint8Array(70 * 64) };
  const refused: [change: Partial<TrainOptions>, message: RegExp][] = [
    [{ resume: true, seed: 4 }, /made with seed 3, this run asks for 4/],
    [{ resume: true, learningRate: 1 }, /learningRate 0.0001, this run asks for 1/],
    [{ resume: true, dataset }, /made with images "sha256/],
    [{}, /holds a run already/],
    [{ resume: checkpoint, seed: 4, outDir: elsewhere }, /made with seed 3/],
    [{ resume: join(outDir, "none.safetensors") }, /Cannot open the checkpoint/],
  ];
  for (const [change, message] of refused) {
    await assert.rejects(train({ outDir, ...change }), { name: "CheckpointError", message });
    assert.equal(await Deno.readTextFile(temporary), "half");
  }
  await assert.rejects(Deno.stat(elsewhere), Deno.errors.NotFound);
  await train({ outDir, maxSteps: 1, overwrite: true });
  assert.deepEqual(namesIn(folderOf(outDir)), ["ckpt-0001-step-1.safetensors"]);
});

test("train: a file of one run is not resumed in the folder of another", async (dir) => {
  const [a, b, c] = ["a", "b", "c"].map((name) => join(dir, name));
  const { checkpoint } = await train({ outDir: a, maxSteps: 7 });
  const resume = checkpoint!;
  await train({ seed: 4, outDir: b, maxSteps: 9 });
  const before = await Deno.readTextFile(join(b, "metrics.jsonl"));
  await assert.rejects(
    train({ outDir: b, resume }),
    /b.run\.json is the record of another run, with seed 4, and this one has 3: resume into/,
  );
  assert.equal(await Deno.readTextFile(join(b, "metrics.jsonl")), before);
  await train({ outDir: b, resume, overwrite: true, maxSteps: 8 });
  const nothingElse = ["ckpt-0002-step-8.safetensors"];
  assert.deepEqual(namesIn(folderOf(b)), nothingElse, "nothing of the other run");
  // In an empty folder it goes on, and in its own.
  for (const outDir of [c, a]) {
    assert.deepEqual(await weightsOf(await train({ outDir, resume })), expected);
  }
});

test("train: epochs and what is written may change when a run is resumed", async (outDir) => {
  await train({ epochs: 1, outDir });
  const checkpoint = { everyEpochs: 1, keep: 9 };
  const images = { imageCount: 4, imageEverySteps: 4 };
  const run = await train({ outDir, resume: true, checkpoint, ...images });
  assert.deepEqual(await weightsOf(run), expected);
  assert.ok(namesIn(outDir).includes("image_at_step_000012.png"));
});

test("train: gone back to an older checkpoint, every later resume goes on from there", async (outDir) => {
  const folder = folderOf(outDir);
  const options = { outDir, checkpoint: { everyEpochs: 1 } };
  await train(options);
  const resume = join(folder, "ckpt-0001.safetensors");
  const { messages } = await train({ ...options, resume, maxSteps: 7 });
  assert.match(messages.join("\n"), /superseded: ckpt-0002.safetensors, ckpt-0003/);
  const [first, second, third] = [1, 2, 3].map((n) => `ckpt-000${n}.safetensors`);
  assert.deepEqual(namesIn(folder), [first, "ckpt-0002-step-7.safetensors", "superseded"]);
  // What is put aside can be resumed by its path.
  assert.deepEqual(namesIn(join(folder, "superseded")), [second, third]);
  const resumed = await train({ ...options, resume: true });
  assert.match(resumed.messages.join("\n"), /^resumed .*ckpt-0002-step-7/m);
  assert.deepEqual(await weightsOf(resumed), expected);
  assert.deepEqual(await loggedSteps(outDir), stepsTo(15), "no step is missing");
  await train({ ...options, maxSteps: 1, overwrite: true });
  assert.deepEqual(namesIn(join(folder, "superseded")), []);
});

test("train: a resume removes what a killed process was writing", async (outDir) => {
  await train({ outDir, maxSteps: 2 });
  const folders = [outDir, folderOf(outDir)];
  for (const folder of folders) {
    await Deno.writeTextFile(join(folder, ".ckpt-0001.safetensors.0123abcd.tmp"), "half");
  }
  await train({ outDir, resume: true, maxSteps: 3 });
  const left = folders.flatMap(namesIn).filter((name) => name.endsWith(".tmp"));
  assert.deepEqual(left, []);
});

test("train: a record that says nothing does not stop a resume", async (outDir) => {
  await train({ outDir, maxSteps: 2 });
  const path = join(outDir, "run.json");
  await Deno.writeTextFile(path, '{"format":1,"sessions":[]}');
  const { messages } = await train({ outDir, maxSteps: 3, resume: true });
  assert.match(messages.join("\n"), /run.json .*it has no configuration/);
  assert.equal(JSON.parse(await Deno.readTextFile(path)).configuration.seed, 3);
});
