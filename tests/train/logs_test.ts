/** The log, TensorBoard, curves and record of a run. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type EpochEvent, MetricsLog, readMetrics, TensorBoardLog, trainDCGAN } from "../../mod.ts";
import { inFolder } from "../support/folder.ts";
import { loggedSteps } from "../support/run_state.ts";
import { SMALL } from "../support/small.ts";
import { listen, namesIn, stepsTo, weightsOf } from "../support/training.ts";

const straight = await trainDCGAN(SMALL);
const expected = await weightsOf(straight);

Deno.test("train: the log, curves and record of a resumed run are whole", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 7, command: ["train", "--seed=3"] });
    await Deno.writeTextFile(join(dir, "metrics.jsonl"), '{"type":"st', { append: true });
    const { history } = await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
    assert.deepEqual(await loggedSteps(dir), stepsTo(15));
    const rows = await Array.fromAsync(readMetrics(join(dir, "metrics.jsonl")));
    const epochs = rows.flatMap((row) => row.type === "epoch" ? [row] : []);
    const facts = (of: readonly EpochEvent[]) =>
      of.map((e) => [e.epoch, e.steps, e.generatorLoss, e.distance]);
    assert.deepEqual(facts(epochs), facts(history));
    assert.equal(history[1].image, join(dir, "image_at_epoch_0002.png"));
    const record = JSON.parse(await Deno.readTextFile(join(dir, "run.json")));
    assert.equal(record.seed, 3);
    assert.equal(record.configuration.batchSize, 16);
    const sessions = record.sessions as { fromStep: number; command?: string[] }[];
    assert.deepEqual(sessions.map((s) => [s.fromStep, s.command]), [
      [0, ["train", "--seed=3"]],
      [7, undefined],
    ]);
    // The curves begin with the first step, and the epochs are where they were.
    const other = join(dir, "straight");
    await trainDCGAN({ ...SMALL, outDir: other });
    const svg = (of: string) => Deno.readTextFile(join(of, "losses.svg"));
    assert.match(await svg(dir), /^<svg|^<\?xml/);
    assert.equal(await svg(dir), await svg(other));
    assert.equal(namesIn(join(dir, "tensorboard")).length, 2);
  }));

Deno.test("train: TensorBoard's log has losses, distance and images, where a folder has no record too", () =>
  inFolder(async (dir) => {
    const scalars = new Map<string, number[]>();
    const images: number[] = [];
    const log = TensorBoardLog.prototype;
    const { scalars: addScalars, image } = log;
    log.scalars = function (step, values) {
      for (const name of Object.keys(values)) {
        scalars.set(name, [...scalars.get(name) ?? [], step]);
      }
      return addScalars.call(this, step, values);
    };
    log.image = function (step, ...rest) {
      images.push(step);
      return image.call(this, step, ...rest);
    };
    try {
      await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 7 });
      await Deno.remove(join(dir, "run.json"));
      await trainDCGAN({ ...SMALL, outDir: dir, resume: true });
    } finally {
      Object.assign(log, { scalars: addScalars, image });
    }
    assert.deepEqual(scalars.get("loss/generator"), stepsTo(15));
    assert.deepEqual(scalars.get("loss/discriminator"), stepsTo(15));
    assert.deepEqual(scalars.get("distance"), [5, 10, 15]);
    assert.deepEqual(images, [5, 10, 15]);
  }));

Deno.test("train: what happened is in the log before it is reported or saved", () =>
  inFolder(async (dir) => {
    const path = join(dir, "metrics.jsonl");
    const last = () => JSON.parse(Deno.readTextFileSync(path).trimEnd().split("\n").at(-1)!);
    const seen: unknown[] = [];
    using _run = await trainDCGAN({
      ...SMALL,
      maxSteps: 7,
      outDir: dir,
      checkpoint: { everyMinutes: 1e-9 },
      onEpoch: ({ epoch }) => {
        assert.deepEqual([last().type, last().epoch], ["epoch", epoch]);
        seen.push(`epoch ${epoch}`);
      },
      onMessage: (text) => {
        const step = text.match(/^wrote .*-step-(\d+)/)?.[1];
        if (step === undefined) return;
        assert.equal(last().step, Number(step));
        seen.push(Number(step));
      },
    });
    assert.deepEqual(seen, [1, 2, 3, 4, "epoch 1", 6, 7]);
  }));

Deno.test("train: a log that cannot be read is put aside, and training goes on", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, maxSteps: 7 });
    const path = join(dir, "metrics.jsonl");
    const lines = (await Deno.readTextFile(path)).split("\n");
    lines[2] = "rubbish";
    await Deno.writeTextFile(path, lines.join("\n"));
    const { messages, onMessage } = listen();
    const run = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
    assert.deepEqual(await weightsOf(run), expected);
    assert.ok(messages.some((m) => /Line 3.*it is now .*\.damaged/.test(m)), messages.join("\n"));
    assert.equal(await Deno.readTextFile(`${path}.damaged`), lines.join("\n"));
  }));

Deno.test("train: a log that cannot be closed does not keep the other open", () =>
  inFolder(async (dir) => {
    const { close: ofMetrics } = MetricsLog.prototype;
    const { close: ofTensorBoard } = TensorBoardLog.prototype;
    let closed = 0;
    MetricsLog.prototype.close = async function () {
      await ofMetrics.call(this);
      throw new Error("planted");
    };
    TensorBoardLog.prototype.close = async function () {
      await ofTensorBoard.call(this);
      closed++;
    };
    try {
      await assert.rejects(trainDCGAN({ ...SMALL, maxSteps: 1, outDir: dir }), /planted/);
    } finally {
      MetricsLog.prototype.close = ofMetrics;
      TensorBoardLog.prototype.close = ofTensorBoard;
    }
    assert.equal(closed, 1);
  }));

Deno.test("train: a folder that holds a run is not overwritten, whatever of it is there", () =>
  inFolder(async (dir) => {
    const train = (how: { overwrite?: boolean } = {}) =>
      trainDCGAN({ ...SMALL, maxSteps: 1, outDir: dir, ...how });
    for (const name of ["run.json", "metrics.jsonl", "image_at_epoch_0001.png", "dcgan.gif"]) {
      const path = join(dir, name);
      await Deno.writeTextFile(path, "of another run");
      const message = new RegExp(name);
      await assert.rejects(train(), { name: "CheckpointError", message });
      assert.equal(await Deno.readTextFile(path), "of another run");
      await Deno.remove(path);
    }
    const checkpoints = join(dir, "training_checkpoints");
    await Deno.mkdir(checkpoints);
    await Deno.writeTextFile(join(checkpoints, "ckpt-0001.safetensors"), "of another run");
    await assert.rejects(train(), /holds a run already \(ckpt-0001.safetensors\)/);
    await Deno.remove(checkpoints, { recursive: true });
    await Deno.writeTextFile(join(dir, "notes.txt"), "mine");
    using _run = await train();
    using _anew = await train({ overwrite: true });
    assert.equal(await Deno.readTextFile(join(dir, "notes.txt")), "mine");
  }));
