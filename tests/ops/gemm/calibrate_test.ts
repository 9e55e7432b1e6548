/**
 * Calibration: what is measured is used, kept on disk and resumed, and changes results by rounding.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { calibrate, Gpu, ops, type StepEvent, trainDCGAN, type Tuning } from "../../../mod.ts";
import config from "../../../deno.json" with { type: "json" };
import { readCheckpoint } from "../../../src/files/checkpoints.ts";
import { encodeCheckpoint } from "../../../src/training/checkpoint.ts";
import { resolveVariant } from "../../../src/ops/gemm/choose.ts";
import type { Geometry } from "../../../src/ops/gemm/geometry.ts";
import { VERSION } from "../../../src/version.ts";
import { variableDigests } from "../../support/digest.ts";
import { assertClose, rms } from "../../support/close.ts";
import { gpu, run } from "../../support/compute.ts";
import { blobs } from "../../support/dataset.ts";
import { inFolder } from "../../support/folder.ts";
import { TestRandom } from "../../support/random.ts";

/** The device once more, with kernel choices of its own. */
const gpuOf = (tuning: Partial<Tuning> = {}) => Gpu.from(gpu.device, { tuning });

function compile(gpu: Gpu, batch = 16) {
  return gpu.compile({ x: [batch, 7, 7, 128], w: [5, 5, 128, 64] }, ({ x, w }) => ({
    y: ops.conv2d(x, w, { padding: "same" }),
  }));
}

/** A listener that keeps what it hears. */
function listener() {
  const messages: string[] = [];
  return { messages, onMessage: (text: string) => void messages.push(text) };
}

Deno.test("the version in the code is that of deno.json", () => {
  assert.equal(VERSION, config.version);
});

Deno.test("calibration measures once, and keeps what it found", () =>
  inFolder(async (dir) => {
    using gpu = gpuOf();
    const { gemms } = compile(gpu);
    assert.equal(gemms.length, 1);
    const { messages, onMessage } = listener();
    const options = { cacheDir: join(dir, "new"), onMessage };
    const held = gpu.context.memory.count;
    const rows = await calibrate(gpu, [...gemms, ...gemms], options);
    assert.equal(gpu.context.memory.count, held, "its programs are freed");
    assert.ok(held > 0);
    assert.equal(rows.length, 1);
    const [{ key, choice, milliseconds }] = rows;
    assert.equal(key, "conv2d 16x7x7x128 5x5 / 1 pad 2 -> 7x7x64");
    assert.ok(Object.keys(milliseconds).length >= 2);
    assert.ok(choice in milliseconds);
    assert.deepEqual(gpu.tuning.choices, { [key]: choice });
    assert.deepEqual(messages, ["measuring kernels for 1 ops"]);

    using other = gpuOf();
    assert.deepEqual(await calibrate(other, gemms, options), rows);
    assert.deepEqual(other.tuning, gpu.tuning);
    assert.equal(messages.length, 1, "nothing was measured");

    // Measuring another op anew keeps what the file has of this one.
    using wider = compile(other, 32);
    assert.equal((await calibrate(other, wider.gemms, { ...options, fresh: true })).length, 1);
    assert.deepEqual(await calibrate(other, gemms, options), rows);
    assert.equal(messages.length, 2, "only the other op was measured");

    // A damaged file is as good as none.
    const [{ name }] = [...Deno.readDirSync(options.cacheDir)];
    const damaged = rows.map((row) => ({ ...row, milliseconds: null }));
    const file = JSON.parse(await Deno.readTextFile(join(options.cacheDir, name)));
    for (const text of ["{", JSON.stringify({ ...file, rows: damaged })]) {
      messages.length = 0;
      await Deno.writeTextFile(join(options.cacheDir, name), text);
      await calibrate(other, gemms, options);
      assert.equal(messages.length, 1, text);
    }
  }));

Deno.test("calibration without time keeps the default and says so", async () => {
  using gpu = gpuOf();
  const { gemms } = compile(gpu);
  const { messages, onMessage } = listener();
  const [row] = await calibrate(gpu, gemms, { seconds: 0, onMessage });
  assert.deepEqual(row.milliseconds, {});
  assert.equal(row.choice, resolveVariant(gpu.tuning.gemm, gemms[0].geometry as Geometry));
  assert.match(messages[1], /no time left for 1 of them, which keep the default/);
});

Deno.test("every choice gives the same result, but for rounding", async () => {
  using gpu = gpuOf();
  const [{ key }] = compile(gpu).gemms;
  const random = new TestRandom(9);
  const data = { x: random.fill(16 * 49 * 128), w: random.fill(25 * 128 * 64) };
  const results: number[][] = [];
  for (const variant of ["direct", "texture", "tiled", "winograd"] as const) {
    gpu.tune({ choices: { [key]: variant } });
    results.push((await run(compile(gpu), data)).y);
  }
  const [expected, ...others] = results;
  for (const y of others) {
    assertClose(y, expected, { rtol: 1e-4, atol: 1e-4 * rms(expected), what: "y" });
    assert.notDeepEqual(y, expected, "another kernel was used");
  }
});

Deno.test("a resumed run uses the kernels of its checkpoint", () =>
  inFolder(async (dir) => {
    const train = async (gpu: Gpu, options: object = {}) => {
      const widths = { generatorWidths: [16, 16, 16], discriminatorWidths: [16, 16] } as const;
      const small = { dataset: blobs(24), epochs: 2, batchSize: 8, noiseDim: 8, ...widths };
      using result = await trainDCGAN({ ...small, learningRate: 1e-3, ...options, gpu });
      return await variableDigests(result.generator.variables);
    };
    using direct = gpuOf({ gemm: "direct" });
    using tiled = gpuOf({ gemm: "tiled" });
    const expected = await train(direct);
    assert.notDeepEqual(await train(tiled), expected, "the kernels can be told apart");
    await train(direct, { outDir: dir, maxSteps: 4 });
    const { messages, onMessage } = listener();
    assert.deepEqual(await train(tiled, { outDir: dir, resume: true, onMessage }), expected);
    assert.match(messages.join("\n"), /kernels as in .*ckpt/);
  }));

Deno.test("kernel choices that are none are refused, or left alone in a checkpoint", () =>
  inFolder(async (dir) => {
    for (const tuning of [{ gemm: "evil" }, { parallelism: -1 }, { choices: { x: {} } }]) {
      await assert.rejects(Gpu.request({ tuning: tuning as object }), {
        name: "RangeError",
        message: /^Kernel choices cannot have/,
      });
    }
    using gpu = gpuOf();
    const widths = { generatorWidths: [4, 4, 4], discriminatorWidths: [4, 4] } as const;
    const small = { dataset: blobs(8), epochs: 1, batchSize: 4, outDir: dir, gpu, ...widths };
    using first = await trainDCGAN({ ...small, maxSteps: 1 });
    const checkpoint = await readCheckpoint(first.checkpoint!);
    const adapter = gpu.info.description;
    const before = gpu.tuning;
    for (
      const kernels of [
        "null",
        "[1]",
        "not JSON",
        JSON.stringify({ adapter, tuning: "text" }),
        JSON.stringify({ adapter, tuning: { gemm: "direct", parallelism: "x" } }),
        JSON.stringify({ adapter: "another", tuning: { gemm: "direct", parallelism: 64 } }),
      ]
    ) {
      const file = join(dir, "changed.safetensors");
      await Deno.writeFile(file, encodeCheckpoint({ ...checkpoint, kernels }));
      const { messages, onMessage } = listener();
      using _ = await trainDCGAN({ ...small, resume: file, onMessage });
      assert.match(messages.join("\n"), /made with other kernels/, kernels);
      assert.deepEqual(gpu.tuning, before);
    }
  }));

Deno.test("training calibrates on request", async () => {
  using gpu = gpuOf();
  const losses: number[] = [];
  const onStep = ({ generatorLoss }: StepEvent) => losses.push(generatorLoss);
  // One layer as in the tutorial, which is worth measuring; the others narrow.
  const widths = { generatorWidths: [256, 128, 4], discriminatorWidths: [4, 4] } as const;
  const options = { dataset: blobs(16), batchSize: 16, maxSteps: 1, gpu, onStep, ...widths };
  using _ = await trainDCGAN({ ...options, epochs: 1, calibrate: { seconds: 60 } });
  const { choices } = gpu.tuning;
  assert.ok(Object.keys(choices!).some((key) => key.startsWith("conv2dTranspose 16x7x7x128")));
  assert.ok(losses[0] > 0.5 && losses[0] < 1);
});
