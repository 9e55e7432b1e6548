/** The log, TensorBoard, curves and record of a run. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import type { EpochEvent } from "../../mod.ts";
import { MetricsLog, readMetrics } from "../../src/training/metrics_log.ts";
import { TensorBoardLog } from "../../src/training/tensorboard_log.ts";
import { put } from "../support/folder.ts";
import { loggedSteps } from "../support/run_state.ts";
import { test, train } from "../support/small.ts";
import { scalarsIn } from "../support/tensorboard.ts";
import { namesIn, stepsTo, weightsOf } from "../support/training.ts";

/** An evaluation an epoch. */
const EVALUATED = { evaluateEvery: 1, evaluateCount: 70 };

test("train: the log, curves and record of a resumed run are whole", async (outDir) => {
  await train({ ...EVALUATED, outDir, maxSteps: 7, command: ["train", "--seed=3"] });
  const log = join(outDir, "metrics.jsonl");
  await Deno.writeTextFile(log, '{"type":"st', { append: true });
  const { history } = await train({ ...EVALUATED, outDir, resume: true });
  assert.ok(history.every(({ frechetDistance }) => frechetDistance! > 0));
  assert.deepEqual(await loggedSteps(outDir), stepsTo(15));
  const rows = await Array.fromAsync(readMetrics(log));
  const epochs = rows.flatMap((row) => row.type === "epoch" ? [row] : []);
  const facts = (of: readonly EpochEvent[]) =>
    of.map((e) => [e.epoch, e.steps, e.generatorLoss, e.frechetDistance]);
  assert.deepEqual(facts(epochs), facts(history));
  assert.equal(history[1].image, join(outDir, "image_at_epoch_0002.png"));
  const record = JSON.parse(await Deno.readTextFile(join(outDir, "run.json")));
  assert.equal(record.seed, 3);
  assert.equal(record.configuration.batchSize, 16);
  const sessions = record.sessions as { fromStep: number; command?: string[] }[];
  assert.deepEqual(sessions.map((s) => [s.fromStep, s.command]), [
    [0, ["train", "--seed=3"]],
    [7, undefined],
  ]);
  // The curves begin with the first step, and the epochs are where they were.
  const other = join(outDir, "straight");
  await train({ ...EVALUATED, outDir: other });
  const svg = (of: string) => Deno.readTextFile(join(of, "losses.svg"));
  assert.match(await svg(outDir), /^<svg|^<\?xml/);
  assert.equal(await svg(outDir), await svg(other));
  assert.equal(namesIn(join(outDir, "tensorboard")).length, 2);
});

test("train: TensorBoard's log has losses, evaluations and images, where a folder has no record too", async (outDir) => {
  await train({ ...EVALUATED, outDir, maxSteps: 7 });
  await Deno.remove(join(outDir, "run.json"));
  await train({ ...EVALUATED, outDir, resume: true });
  const shown = Object.entries(await scalarsIn(join(outDir, "tensorboard")));
  assert.deepEqual(Object.fromEntries(shown.map(([tag, of]) => [tag, of.map(([step]) => step)])), {
    "loss/generator": stepsTo(15),
    "loss/discriminator": stepsTo(15),
    ...Object.fromEntries(
      ["frechetDistance", "precision", "recall", "density", "coverage"].map((name) => [
        ...[`evaluation/${name}`, [5, 10, 15]],
      ]),
    ),
    images: [5, 10, 15],
  });
});

test("train: what happened is in the log before it is reported or saved", async (outDir) => {
  const path = join(outDir, "metrics.jsonl");
  const last = () => JSON.parse(Deno.readTextFileSync(path).trimEnd().split("\n").at(-1)!);
  const seen: unknown[] = [];
  await train({
    maxSteps: 7,
    outDir,
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
});

test("train: a log that cannot be read is put aside, and training goes on", async (outDir) => {
  await train({ outDir, maxSteps: 7 });
  const path = join(outDir, "metrics.jsonl");
  const lines = (await Deno.readTextFile(path)).split("\n").with(2, "rubbish").join("\n");
  await Deno.writeTextFile(path, lines);
  const run = await train({ outDir, resume: true });
  assert.deepEqual(await weightsOf(run), await weightsOf(await train()));
  assert.match(run.messages.join("\n"), /Line 3.*it is now .*\.damaged/);
  assert.equal(await Deno.readTextFile(`${path}.damaged`), lines);
});

test("train: a log that cannot be closed does not keep the other open", async (outDir) => {
  const closed: string[] = [];
  const closing = [MetricsLog, TensorBoardLog].map(({ prototype }) => {
    const { close } = prototype;
    prototype.close = async function () {
      await close.call(this);
      closed.push(this.path);
      if (prototype === MetricsLog.prototype) throw new Error("planted");
    };
    return () => prototype.close = close;
  });
  try {
    await assert.rejects(train({ maxSteps: 1, outDir }), /planted/);
  } finally {
    closing.forEach((restore) => restore());
  }
  assert.equal(closed.length, 2);
});

test("train: a folder that holds a run is not overwritten, whatever of it is there", async (outDir) => {
  const once = (overwrite = false) => train({ maxSteps: 1, outDir, overwrite });
  const logs = ["run.json", "metrics.jsonl", "image_at_epoch_0001.png", "dcgan.gif"];
  for (const name of [...logs, "training_checkpoints/ckpt-0001.safetensors"]) {
    const path = join(outDir, name);
    await put(outDir, { [name]: "of another run" });
    const message = new RegExp(`holds a run already \\(${basename(name)}\\)`);
    await assert.rejects(once(), { name: "CheckpointError", message });
    assert.equal(await Deno.readTextFile(path), "of another run");
    await Deno.remove(path);
  }
  await put(outDir, { "notes.txt": "mine" });
  await once();
  await once(true);
  assert.equal(await Deno.readTextFile(join(outDir, "notes.txt")), "mine");
});
