/**
 * Files that version 0.1.0 wrote before run folders moved to `src/files/`, in `tests/support/before/`:
 * four steps of a run in `run/`, and the checkpoint of the same run after its six steps.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { Gpu, trainDCGAN } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { readRunRecord } from "../../src/files/run_record.ts";
import { commandsIn } from "../../src/formats/run_record.ts";
import { readMetrics } from "../../src/training/metrics_log.ts";
import { assertClose } from "../support/close.ts";
import { inFolder } from "../support/folder.ts";

const BEFORE = fileURLToPath(new URL("../support/before", import.meta.url));
const RUN = join(BEFORE, "run");

/** The data set and options of that run. */
const images = Uint8Array.from({ length: 10 * 64 }, (_, i) => (i * 37 + (i >> 6) * 11) % 256);
const OPTIONS = {
  dataset: { images, labels: new Uint8Array(), count: 10, height: 8, width: 8, channels: 1 },
  epochs: 2,
  batchSize: 4,
  noiseDim: 2,
  generatorWidths: [2, 2, 2],
  discriminatorWidths: [2, 2],
  seed: 3,
} as const;

const losses = async (dir: string) =>
  (await Array.fromAsync(readMetrics(join(dir, "metrics.jsonl")))).map((
    { type, step, generatorLoss, discriminatorLoss },
  ) => [type, step, generatorLoss, discriminatorLoss]);

Deno.test("files of the version before: record, log and checkpoint are read", async () => {
  const record = await readRunRecord(RUN);
  equal(record?.configuration.batchSize, 4);
  deepEqual(commandsIn(record!), [["train", "--epochs", "2", "--pictures", "4"]]);
  deepEqual((await losses(RUN)).map(([type, step]) => [type, step]), [
    ...[["step", 1], ["step", 2], ["step", 3], ["epoch", 3], ["step", 4], ["epoch", 4]],
  ]);
  const path = join(RUN, "training_checkpoints/ckpt-0002-step-4.safetensors");
  const { version, position, tensors } = await readCheckpoint<{ steps: number }>(path);
  deepEqual([version, position.steps, tensors.size], ["0.1.0", 4, 57]);
});

Deno.test("files of the version before: its run is resumed, with the same numbers but for rounding", () =>
  inFolder(async (dir) => {
    const outDir = join(dir, "run");
    await cp(RUN, outDir, { recursive: true });
    using gpu = await Gpu.request();
    const said: string[] = [];
    const onMessage = (text: string) => void said.push(text);
    using run = await trainDCGAN({ ...OPTIONS, gpu, outDir, resume: true, onMessage });
    deepEqual([run.steps, run.history.map(({ epoch }) => epoch)], [6, [1, 2]]);
    ok(said.some((text) => /^resumed .*ckpt-0002-step-4/.test(text)), said.join("\n"));
    const record = await readRunRecord(outDir);
    deepEqual(record?.sessions.map(({ fromStep }) => fromStep), [0, 4]);
    deepEqual((await losses(outDir)).slice(0, 6), await losses(RUN));
    equal((await losses(outDir)).length, 9);

    const expected = await readCheckpoint(join(BEFORE, "ckpt-0002.safetensors"));
    const { tensors } = await readCheckpoint(run.checkpoint!);
    deepEqual([...tensors.keys()], [...expected.tensors.keys()]);
    for (const [name, { data }] of expected.tensors) {
      // Version 0.1.0 took sines and cosines of other angles for its noise: up to 2 pi, not to pi.
      assertClose(tensors.get(name)!.data, data, { atol: 1e-4, what: name });
    }
  }));
