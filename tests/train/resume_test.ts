/** Runs that stop and go on within one process; tests/training/resume_test.ts kills processes. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type StepEvent, trainDCGAN, type TrainOptions, type TrainResult } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { encodeCheckpoint } from "../../src/training/checkpoint.ts";
import { inFolder } from "../support/folder.ts";
import { loggedSteps } from "../support/run_state.ts";
import { SMALL } from "../support/small.ts";
import { listen, namesIn, stepsTo, weightsOf } from "../support/training.ts";

const straight = await trainDCGAN(SMALL);
const expected = await weightsOf(straight);

for (const cut of [1, 5, 7, 14]) {
  Deno.test(`train: ${cut} steps and a resume give the bits of an uninterrupted run`, () =>
    inFolder(async (dir) => {
      await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: cut });
      const resumed = await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
      assert.deepEqual(await weightsOf(resumed), expected);
      const losses = ({ history }: TrainResult) =>
        history.map((e) => [e.epoch, e.steps, e.generatorLoss, e.discriminatorLoss]);
      assert.deepEqual(losses(resumed), losses(straight));
    }));
}

Deno.test("train: another data set of the same shape is refused", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 1 });
    const dataset = { ...SMALL.dataset, images: new Uint8Array(70 * 784) };
    await assert.rejects(
      trainDCGAN({ ...SMALL, dataset, outDir: dir, resume: true }),
      /made with images "sha256/,
    );
  }));

Deno.test("train: a run that is not finite any more is resumed as it was", () =>
  inFolder(async (dir) => {
    const options = { ...SMALL, learningRate: 1e30, onNonFinite: "warn", outDir: dir } as const;
    const losses = ({ history }: TrainResult) =>
      history.map((e) => [e.epoch, e.generatorLoss, e.discriminatorLoss]);
    const whole = losses(await trainDCGAN({ ...options, outDir: undefined }));
    assert.ok(whole.flat().some(Number.isNaN));
    // In the middle of the second epoch: the first is history, the second a sum.
    await trainDCGAN({ ...options, maxSteps: 7 });
    assert.deepEqual(losses(await trainDCGAN({ ...options, resume: true })), whole);

    const path = join(dir, "position.safetensors");
    const position = { sums: [NaN, Infinity, -Infinity, 1.5], text: "Infinite" };
    const rest = { tensors: new Map(), configuration: {}, kernels: "", version: "" };
    await Deno.writeFile(path, encodeCheckpoint({ ...rest, position }));
    assert.deepEqual((await readCheckpoint(path)).position, position);
    // Version 0.1.0 wrote all three as null.
    const old = { sums: [null, 1.5] } as unknown;
    await Deno.writeFile(path, encodeCheckpoint({ ...rest, position: old }));
    assert.deepEqual((await readCheckpoint(path)).position, { sums: [NaN, 1.5] });
  }));

Deno.test("train: a signal stops it, and the run can be resumed", () =>
  inFolder(async (dir) => {
    const stop = new AbortController();
    const onStep = ({ step }: StepEvent) => step === 6 && stop.abort();
    const stopped = await trainDCGAN({ ...SMALL, outDir: dir, signal: stop.signal, onStep });
    assert.equal(stopped.aborted, true);
    assert.ok(stopped.steps >= 6 && stopped.steps < 15, `stopped after ${stopped.steps}`);
    const resumed = await trainDCGAN({ ...SMALL, resume: stopped.checkpoint! });
    assert.deepEqual(await weightsOf(resumed), expected);
  }));

Deno.test("train: a damaged newest checkpoint is skipped with a message", () =>
  inFolder(async (dir) => {
    const folder = join(dir, "training_checkpoints");
    await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } });
    const newest = join(folder, "ckpt-0003.safetensors");
    await Deno.truncate(newest, 1000);
    const { messages, onMessage } = listen();
    const resumed = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
    assert.match(messages[0], /^skipped: Cannot read .*ckpt-0003/);
    assert.match(messages[1], /^resumed .*ckpt-0002/);
    assert.deepEqual(await weightsOf(resumed), expected);
  }));

Deno.test("train: a contradiction to the checkpoint is refused with both values", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 2 });
    const refused = (change: Partial<TrainOptions>, message: RegExp) =>
      assert.rejects(trainDCGAN({ ...SMALL, ...change, outDir: dir }), {
        name: "CheckpointError",
        message,
      });
    await refused({ resume: true, seed: 4 }, /made with seed 3, this run asks for 4/);
    await refused({ resume: true, learningRate: 1 }, /learningRate 0.0001, this run asks for 1/);
    // Of another process that writes there.
    const temporary = join(dir, ".run.json.0123abcd.tmp");
    await Deno.writeTextFile(temporary, "half");
    await refused({}, /holds a run already/);
    assert.equal(await Deno.readTextFile(temporary), "half");
    const checkpoint = join(dir, "training_checkpoints", "ckpt-0001-step-2.safetensors");
    const elsewhere = { ...SMALL, seed: 4, outDir: join(dir, "new"), resume: checkpoint };
    await assert.rejects(trainDCGAN(elsewhere), /made with seed 3/);
    await assert.rejects(Deno.stat(elsewhere.outDir), Deno.errors.NotFound);
    await refused({ resume: join(dir, "none.safetensors") }, /Cannot open the checkpoint/);
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 1, overwrite: true });
    assert.deepEqual(namesIn(join(dir, "training_checkpoints")), ["ckpt-0001-step-1.safetensors"]);
  }));

Deno.test("train: a file of one run is not resumed in the folder of another", () =>
  inFolder(async (dir) => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(dir, name));
    const { checkpoint } = await trainDCGAN({ ...SMALL, outDir: a, maxSteps: 7 });
    await trainDCGAN({ ...SMALL, seed: 4, outDir: b, maxSteps: 9 });
    const before = await Deno.readTextFile(join(b, "metrics.jsonl"));
    await assert.rejects(
      trainDCGAN({ ...SMALL, outDir: b, resume: checkpoint! }),
      /b.run\.json is the record of another run, with seed 4, and this one has 3: resume into/,
    );
    assert.equal(await Deno.readTextFile(join(b, "metrics.jsonl")), before);
    const instead = { resume: checkpoint!, overwrite: true, maxSteps: 8 };
    await trainDCGAN({ ...SMALL, outDir: b, ...instead });
    const kept = namesIn(join(b, "training_checkpoints"));
    assert.deepEqual(kept, ["ckpt-0002-step-8.safetensors"], "nothing of the other run");
    // In an empty folder it goes on, and in its own.
    for (const outDir of [c, a]) {
      const run = await trainDCGAN({ ...SMALL, outDir, resume: checkpoint! });
      assert.deepEqual(await weightsOf(run), expected);
    }
  }));

Deno.test("train: epochs and what is written may change when a run is resumed", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, epochs: 1, outDir: dir });
    using run = await trainDCGAN({
      ...SMALL,
      outDir: dir,
      resume: true,
      imageCount: 4,
      imageEverySteps: 4,
      checkpoint: { everyEpochs: 1, keep: 9 },
    });
    assert.deepEqual(await weightsOf(run), expected);
    assert.ok(namesIn(dir).includes("image_at_step_000012.png"));
  }));

Deno.test("train: gone back to an older checkpoint, every later resume goes on from there", () =>
  inFolder(async (dir) => {
    const folder = join(dir, "training_checkpoints");
    const options = { ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } };
    await trainDCGAN(options);
    const { messages, onMessage } = listen();
    const resume = join(folder, "ckpt-0001.safetensors");
    await trainDCGAN({ ...options, resume, maxSteps: 7, onMessage });
    assert.ok(messages.some((m) => /superseded: ckpt-0002.safetensors, ckpt-0003/.test(m)));
    assert.deepEqual(namesIn(folder), [
      "ckpt-0001.safetensors",
      "ckpt-0002-step-7.safetensors",
      "superseded",
    ]);
    // What is put aside can be resumed by its path.
    assert.deepEqual(namesIn(join(folder, "superseded")), [
      "ckpt-0002.safetensors",
      "ckpt-0003.safetensors",
    ]);
    const resumed = await trainDCGAN({ ...options, resume: true, onMessage });
    assert.ok(messages.some((m) => /^resumed .*ckpt-0002-step-7/.test(m)), messages.join("\n"));
    assert.deepEqual(await weightsOf(resumed), expected);
    assert.deepEqual(await loggedSteps(dir), stepsTo(15), "no step is missing");
    await trainDCGAN({ ...options, maxSteps: 1, overwrite: true });
    assert.deepEqual(namesIn(join(folder, "superseded")), []);
  }));

Deno.test("train: a resume removes what a killed process was writing", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 2 });
    const checkpoints = join(dir, "training_checkpoints");
    const left = [
      join(dir, ".losses.svg.0123abcd.tmp"),
      join(checkpoints, ".ckpt-0001.safetensors.0123abcd.tmp"),
    ];
    for (const path of left) await Deno.writeTextFile(path, "half");
    await trainDCGAN({ ...SMALL, outDir: dir, resume: true, maxSteps: 3 });
    for (const folder of [dir, checkpoints]) {
      assert.deepEqual(namesIn(folder).filter((name) => name.endsWith(".tmp")), []);
    }
  }));

Deno.test("train: a record that says nothing does not stop a resume", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 2 });
    const path = join(dir, "run.json");
    await Deno.writeTextFile(path, '{"format":1,"sessions":[]}');
    const { messages, onMessage } = listen();
    using _run = await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 3, resume: true, onMessage });
    assert.ok(messages.some((text) => /run.json .*it has no configuration/.test(text)));
    assert.equal(JSON.parse(await Deno.readTextFile(path)).configuration.seed, 3);
  }));
