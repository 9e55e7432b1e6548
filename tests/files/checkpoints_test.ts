/** Checkpoint files, and the folder of those of a run. */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  CheckpointError,
  encodeSafetensors,
  Generator,
  Gpu,
  trainDCGAN,
  type TrainOptions,
} from "../../mod.ts";
import { CheckpointFolder, readCheckpoint } from "../../src/files/checkpoints.ts";
import { SMALL as ENDLESS } from "../support/dataset.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";
import { namesIn, weightsOf } from "../support/training.ts";

const gpu = await Gpu.request();

/** Three epochs of five steps. */
const SMALL = { ...ENDLESS, gpu, epochs: 3 } satisfies TrainOptions;

const expected = await weightsOf(await trainDCGAN(SMALL));

Deno.test("checkpoints: a file with a changed bit is refused, and named by what was changed", () =>
  inFolder(async (dir) => {
    await trainDCGAN({ ...SMALL, outDir: dir, checkpoint: { everyEpochs: 1 } });
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
    const messages: string[] = [];
    const onMessage = (text: string) => messages.push(text);
    using resumed = await trainDCGAN({ ...SMALL, outDir: dir, resume: true, onMessage });
    assert.match(messages[0], /^skipped: .*ckpt-0003.*no checksum/);
    assert.deepEqual(await weightsOf(resumed), expected);
  }));

Deno.test("checkpoints: newer and foreign files are refused; steps are in order of their numbers", () =>
  inFolder(async (dir) => {
    const path = join(dir, "ckpt-0001.safetensors");
    const refused = async (metadata: Record<string, string>, message: RegExp) => {
      await Deno.writeFile(path, encodeSafetensors({ tensors: new Map(), metadata }));
      await assert.rejects(readCheckpoint(path), errorOf(CheckpointError, message));
    };
    const rest = { configuration: "{}", position: "{}" };
    await refused({ format: "2", ...rest }, /format "2", this version reads up to 1: use a newer/);
    await refused({ format: "x", ...rest }, /format "x"/);
    await refused({ format: "1", configuration: "{}" }, /but not a checkpoint of a run/);
    const folder = new CheckpointFolder(dir, 9);
    await assert.rejects(folder.latest(() => {}), /can be read \(tried ckpt-0001.safetensors\)/);
    for (const step of [9, 10, 100]) await folder.save(2, step, judged());
    const { path: newest } = await folder.latest(() => {});
    assert.match(newest, /ckpt-0002-step-100/);
  }));

Deno.test("checkpoints: metadata that is JSON, but no configuration, is refused", () =>
  inFolder(async (dir) => {
    const path = join(dir, "a.safetensors");
    for (const configuration of ["null", "3", "[]"]) {
      const metadata = { format: "1", configuration, position: "{}" };
      await Deno.writeFile(path, encodeSafetensors({ tensors: new Map(), metadata }));
      await assert.rejects(
        trainDCGAN({ ...SMALL, resume: path }),
        errorOf(CheckpointError, "The configuration in"),
      );
    }
  }));

/** A checkpoint that only says how good it is. */
const judged = (distance?: number) => ({
  tensors: new Map(),
  configuration: {},
  kernels: "",
  version: "",
  distance,
  position: {},
});

Deno.test("checkpoints: what is kept, of files of earlier runs too", () =>
  inFolder(async (dir) => {
    const first = new CheckpointFolder(dir, 2);
    for (const [epoch, distance] of [[1, 3], [2, 1], [3, 2], [4, 2.5]] as const) {
      const { best } = await first.save(epoch, undefined, judged(distance));
      assert.equal(best, epoch <= 2);
    }
    assert.deepEqual(namesIn(dir).map((name) => name.slice(5, 9)), ["0002", "0003", "0004"]);
    // Another process finds the best of those that are there; what it cannot read it leaves alone.
    await Deno.truncate(join(dir, "ckpt-0003.safetensors"), 20);
    const second = new CheckpointFolder(dir, 1);
    await second.save(5, 7, judged());
    assert.deepEqual(namesIn(dir), [
      "ckpt-0002.safetensors",
      "ckpt-0003.safetensors",
      "ckpt-0005-step-7.safetensors",
    ]);
    // Gone back to an earlier one, what is written stays although newer ones are there.
    await second.save(4, 1, judged(NaN));
    assert.ok(namesIn(dir).includes("ckpt-0004-step-1.safetensors"));
    assert.equal((await second.save(6, undefined, judged(0.5))).best, true);
    assert.ok(!namesIn(dir).includes("ckpt-0002.safetensors"));
  }));
