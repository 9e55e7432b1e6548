/** Checkpoint files, and the folder of those of a run. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError, encodeSafetensors, Generator, trainDCGAN } from "../../mod.ts";
import { CheckpointFolder, readCheckpoint } from "../../src/files/checkpoints.ts";
import { errorOf } from "../support/errors.ts";
import { gpu, SMALL, test } from "../support/small.ts";
import { listen, namesIn, weightsOf } from "../support/training.ts";

test("checkpoints: a file with a changed bit is refused, and named by what was changed", async (dir) => {
  using run = await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } });
  const path = join(dir, "training_checkpoints", "ckpt-0003.safetensors");
  const whole = await Deno.readFile(path);
  const start = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(whole.subarray(8, start));
  const refused = async (at: number, message: RegExp) => {
    await Deno.writeFile(path, whole.with(at, whole[at] ^ 1));
    await assert.rejects(readCheckpoint(path), errorOf(CheckpointError, message));
  };
  // Every tensor, at its first byte: what no reader of the format can notice.
  for (const name of (await readCheckpoint(path)).tensors.keys()) {
    const [, offset] = header.split(`"${name}":`)[1].match(/"data_offsets":\[(\d+)/)!;
    await refused(start + Number(offset), new RegExp(`the tensor ${name} has the CRC-32`));
    await assert.rejects(Generator.load(gpu, path), /has the CRC-32/);
  }
  // A digit of the position, a letter of a tensor's name.
  await refused(8 + header.indexOf('\\"steps\\":15') + 11, /its metadata has the CRC-32/);
  await refused(8 + header.indexOf('"random":') + 1, /the tensor sandom has no checksum/);
  const { messages, onMessage } = listen();
  using resumed = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
  assert.match(messages[0], /^skipped: .*ckpt-0003.*no checksum/);
  assert.deepEqual(await weightsOf(resumed), await weightsOf(run));
});

test("checkpoints: newer and foreign files are refused; steps are in order of their numbers", async (dir) => {
  const path = join(dir, "ckpt-0001.safetensors");
  const position = "{}";
  const refusals: [metadata: Record<string, string>, message: RegExp][] = [
    [{ format: "1", configuration: "{}" }, /but not a checkpoint of a run/],
    [{ format: "x", configuration: "{}", position }, /format "x"/],
    [
      { format: "2", configuration: "{}", position },
      /format "2", this version reads up to 1: use a newer/,
    ],
    // JSON, but no configuration.
    ...["null", "3", "[]"].map((configuration): [Record<string, string>, RegExp] => [
      { format: "1", configuration, position },
      /The configuration in/,
    ]),
  ];
  for (const [metadata, message] of refusals) {
    await Deno.writeFile(path, encodeSafetensors({ tensors: new Map(), metadata }));
    const refused = errorOf(CheckpointError, message);
    await assert.rejects(readCheckpoint(path), refused);
    await assert.rejects(trainDCGAN({ ...SMALL, resume: path }), refused);
  }
  const folder = new CheckpointFolder(dir, 9);
  await assert.rejects(folder.latest(() => {}), /can be read \(tried ckpt-0001.safetensors\)/);
  for (const step of [9, 10, 100]) await folder.save(2, step, judged());
  assert.match((await folder.latest(() => {})).path, /ckpt-0002-step-100/);
});

/** A checkpoint that only says how good it is. */
const judged = (frechetDistance?: number, compared?: string) => ({
  tensors: new Map(),
  configuration: {},
  kernels: "",
  version: "",
  frechetDistance,
  compared,
  position: {},
});

test("checkpoints: what is kept, of files of earlier runs too", async (dir) => {
  const epochs = () => namesIn(dir).map((name) => name.slice(5).replace(".safetensors", ""));
  const first = new CheckpointFolder(dir, 2);
  for (const [epoch, distance] of [[1, 3], [2, 1], [3, 2], [4, 2.5]] as const) {
    const { best } = await first.save(epoch, undefined, judged(distance));
    assert.equal(best, epoch <= 2);
  }
  assert.deepEqual(epochs(), ["0002", "0003", "0004"]);
  // Another process finds the best of those that are there; what it cannot read it leaves alone.
  await Deno.truncate(join(dir, "ckpt-0003.safetensors"), 20);
  const second = new CheckpointFolder(dir, 1);
  await second.save(5, 7, judged());
  assert.deepEqual(epochs(), ["0002", "0003", "0005-step-7"]);
  // Gone back to an earlier one, what is written stays although newer ones are there.
  await second.save(4, 1, judged(NaN));
  assert.ok(epochs().includes("0004-step-1"));
  assert.equal((await second.save(6, undefined, judged(0.5))).best, true);
  assert.ok(!epochs().includes("0002"));
});

test("checkpoints: distances that compare other images say nothing beside each other", async (dir) => {
  const [few, many] = [
    (distance: number) => judged(distance, "few"),
    (d: number) => judged(d, "many"),
  ];
  const first = new CheckpointFolder(dir, 1);
  assert.equal((await first.save(1, undefined, many(1))).best, true);
  assert.equal((await first.save(2, undefined, many(3))).best, false);
  assert.deepEqual([await first.isBest(many(0.5)), await first.isBest(many(2))], [true, false]);
  assert.equal(await first.isBest(few(2)), true);
  // Another process knows it from the files.
  const second = new CheckpointFolder(dir, 1);
  assert.deepEqual([await second.isBest(many(2)), await second.isBest(few(2))], [false, true]);
  await second.save(3, 1, judged());
  assert.deepEqual(namesIn(dir), ["ckpt-0001.safetensors", "ckpt-0003-step-1.safetensors"]);
  assert.equal((await second.save(3, undefined, few(2))).best, true);
  assert.deepEqual(namesIn(dir), ["ckpt-0003.safetensors"]);
});
