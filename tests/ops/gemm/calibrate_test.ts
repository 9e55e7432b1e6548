/**
 * Calibration: what is measured is used, kept on disk and resumed, and changes results by rounding.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { calibrate, Gpu, ops, type StepEvent, trainDCGAN } from "../../../mod.ts";
import config from "../../../deno.json" with { type: "json" };
import { readCheckpoint } from "../../../src/files/checkpoints.ts";
import { encodeCheckpoint } from "../../../src/training/checkpoint.ts";
import { resolveVariant } from "../../../src/ops/gemm/choose.ts";
import type { Geometry } from "../../../src/ops/gemm/geometry.ts";
import { VERSION } from "../../../src/version.ts";
import { variableDigests } from "../../support/digest.ts";
import { assertClose, rms } from "../../support/close.ts";
import { blobs } from "../../support/dataset.ts";
import { inFolder } from "../../support/folder.ts";
import { TestRandom } from "../../support/random.ts";

const random = new TestRandom(9);
const INPUTS = { x: [16, 7, 7, 128], w: [5, 5, 128, 64] };
const DATA = { x: random.fill(16 * 49 * 128), w: random.fill(25 * 128 * 64) };

function compile(gpu: Gpu, inputs = INPUTS) {
  return gpu.compile(inputs, ({ x, w }) => ({ y: ops.conv2d(x, w, { padding: "same" }) }));
}

/** A listener that keeps what it hears. */
function listener() {
  const messages: string[] = [];
  return { messages, onMessage: (text: string) => void messages.push(text) };
}

Deno.test("the version in the code is that of deno.json", () =>
  assert.equal(VERSION, config.version));

Deno.test("calibration measures once, and keeps what it found", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const before = gpu.context.memory.count;
    const { gemms } = compile(gpu);
    assert.equal(gemms.length, 1);
    const { messages, onMessage } = listener();
    const options = { cacheDir: join(dir, "new"), onMessage };
    const held = gpu.context.memory.count;
    const rows = await calibrate(gpu, [...gemms, ...gemms], options);
    assert.equal(gpu.context.memory.count, held, "its programs are freed");
    assert.ok(held > before);
    assert.equal(rows.length, 1);
    const [{ key, choice, milliseconds }] = rows;
    assert.equal(key, "conv2d 16x7x7x128 5x5 / 1 pad 2 -> 7x7x64");
    assert.ok(Object.keys(milliseconds).length >= 2);
    assert.ok(choice in milliseconds);
    assert.deepEqual(gpu.tuning.choices, { [key]: choice });
    assert.deepEqual(messages, ["measuring kernels for 1 ops"]);

    using other = await Gpu.request();
    assert.deepEqual(await calibrate(other, gemms, options), rows);
    assert.deepEqual(other.tuning, gpu.tuning);
    assert.equal(messages.length, 1, "nothing was measured");

    // Measuring another op anew keeps what the file has of this one.
    using wider = compile(other, { ...INPUTS, x: [32, 7, 7, 128] });
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
  using gpu = await Gpu.request();
  const { gemms } = compile(gpu);
  const { messages, onMessage } = listener();
  const [row] = await calibrate(gpu, gemms, { seconds: 0, onMessage });
  assert.deepEqual(row.milliseconds, {});
  assert.equal(row.choice, resolveVariant(gpu.tuning.gemm, gemms[0].geometry as Geometry));
  assert.match(messages[1], /no time left for 1 of them, which keep the default/);
});

Deno.test("every choice gives the same result, but for rounding", async () => {
  using gpu = await Gpu.request();
  const [{ key }] = compile(gpu).gemms;
  const results: Float32Array[] = [];
  for (const variant of ["direct", "texture", "tiled", "winograd"] as const) {
    gpu.tune({ choices: { [key]: variant } });
    const program = compile(gpu);
    program.run(DATA);
    results.push((await program.read("y")).y);
  }
  const [expected, ...others] = results;
  for (const y of others) {
    assertClose(y, expected, { rtol: 1e-4, atol: 1e-4 * rms(expected), what: "y" });
    assert.notDeepEqual(y, expected, "another kernel was used");
  }
});

Deno.test("a resumed run uses the kernels of its checkpoint", () =>
  inFolder(async (dir) => {
    const run = {
      dataset: blobs(24),
      epochs: 2,
      batchSize: 8,
      noiseDim: 8,
      generatorWidths: [16, 16, 16],
      discriminatorWidths: [16, 16],
      learningRate: 1e-3,
    } as const;
    const train = async (gpu: Gpu, options: object) => {
      using result = await trainDCGAN({ ...run, ...options, gpu });
      return await variableDigests(result.generator.variables);
    };
    using direct = await Gpu.request({ tuning: { gemm: "direct" } });
    const expected = await train(direct, {});
    await train(direct, { outDir: dir, maxSteps: 4 });
    using other = await Gpu.request({ tuning: { gemm: "tiled" } });
    const { messages, onMessage } = listener();
    assert.deepEqual(await train(other, { outDir: dir, resume: true, onMessage }), expected);
    assert.match(messages.join("\n"), /kernels as in .*ckpt/);
    using plain = await Gpu.request({ tuning: { gemm: "tiled" } });
    assert.notDeepEqual(await train(plain, {}), expected, "the kernels can be told apart");
  }));

Deno.test("kernel choices that are none are refused, or left alone in a checkpoint", () =>
  inFolder(async (dir) => {
    for (const tuning of [{ gemm: "evil" }, { parallelism: -1 }, { choices: { x: {} } }]) {
      await assert.rejects(Gpu.request({ tuning: tuning as object }), {
        name: "RangeError",
        message: /^Kernel choices cannot have/,
      });
    }
    using gpu = await Gpu.request();
    const run = {
      dataset: blobs(8),
      epochs: 1,
      batchSize: 4,
      generatorWidths: [4, 4, 4] as const,
      discriminatorWidths: [4, 4] as const,
      outDir: dir,
      gpu,
    };
    using first = await trainDCGAN({ ...run, maxSteps: 1 });
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
      using _ = await trainDCGAN({ ...run, resume: file, onMessage });
      assert.match(messages.join("\n"), /made with other kernels/, kernels);
      assert.deepEqual(gpu.tuning, before);
    }
  }));

Deno.test("training calibrates on request", async () => {
  using gpu = await Gpu.request();
  const losses: number[] = [];
  const onStep = ({ generatorLoss }: StepEvent) => losses.push(generatorLoss);
  const options = { dataset: blobs(16), epochs: 1, batchSize: 16, gpu, onStep, maxSteps: 1 };
  using _ = await trainDCGAN({ ...options, calibrate: { seconds: 60 } });
  const { choices } = gpu.tuning;
  assert.ok(Object.keys(choices!).some((key) => key.startsWith("conv2dTranspose 16x7x7x128")));
  assert.ok(losses[0] > 0.5 && losses[0] < 1);
});
