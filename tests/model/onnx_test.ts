/** ONNX files in ONNX Runtime (its WebAssembly build): it takes them, and draws the same images. */

import assert from "node:assert/strict";
import { join } from "node:path";
import * as ort from "npm:onnxruntime-web@1.30.0/wasm";
import {
  Discriminator,
  Generator,
  type GeneratorOptions,
  Gpu,
  layers,
  Sequential,
} from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { inFolder } from "../support/folder.ts";
import { TestRandom } from "../support/random.ts";
import { disturb } from "../support/tfjs.ts";

ort.env.wasm.numThreads = 1; // without workers that would outlive the test

/** Compares a model in inference mode, here and in ONNX Runtime, on random inputs. */
async function agree(
  gpu: Gpu,
  model: Sequential,
  batch: number,
  { random = new TestRandom("onnx"), ends = ["input", "output"], what = model.name } = {},
): Promise<void> {
  disturb(model.variables, random);
  const inputShape = [batch, ...model.inputShape];
  const x = Float32Array.from(random.fill(inputShape.reduce((a, b) => a * b)));
  using program = gpu.compile(
    { x: inputShape, labels: { shape: [batch], dtype: "u32" } },
    ({ x, labels }) => ({
      y: model.call(x, { training: false, ...model.classes && { labels } }),
    }),
  );
  const labels = Array.from({ length: batch }, (_, i) => (2 * i + 1) % (model.classes || 1));
  program.run({ x, labels });
  const { y } = await program.read();

  const session = await ort.InferenceSession.create(await model.toONNX());
  const results = await session.run({
    [ends[0]]: new ort.Tensor("float32", x, inputShape),
    ...model.classes && { labels: new ort.Tensor("int64", labels.map(BigInt), [batch]) },
  });
  const names = [ends[0], ...model.classes ? ["labels"] : []];
  assert.deepEqual([session.inputNames, session.outputNames], [names, [ends[1]]]);
  const { data, dims } = results[ends[1]];
  assert.deepEqual(dims, [batch, ...model.outputShape], what);
  assertClose(data as Float32Array, y, { atol: 1e-4, what });
  await session.release();
}

const GENERATORS: Readonly<Record<string, GeneratorOptions>> = {
  "the tutorial's": {},
  "28 x 20 in three channels": { noiseDim: 7, widths: [6, 5, 4], channels: 3, width: 20 },
  "of 64 pixels, without normalization": {
    ...{ noiseDim: 3, widths: [5, 4, 3, 2], height: 64, width: 64, normalization: "none" },
  },
  "with classes": { noiseDim: 5, widths: [4, 3], height: 6, width: 4, classes: 4 },
  "with classes, without normalization": {
    ...{ noiseDim: 5, widths: [4, 3, 3], height: 8, width: 8, classes: 3, normalization: "none" },
  },
  "4 x 12, the smallest height": { noiseDim: 3, widths: [2, 3, 5], height: 4, width: 12 },
};

for (const [name, options] of Object.entries(GENERATORS)) {
  Deno.test(`onnx: ONNX Runtime draws the generator's images, ${name}`, async () => {
    using gpu = await Gpu.request();
    const generator = new Generator(gpu, { seed: 3, ...options });
    for (const count of [1, 3]) { // the batch axis is of any size
      await agree(gpu, generator, count, { ends: ["noise", "images"] });
    }
  });
}

Deno.test("onnx: ONNX Runtime agrees on the discriminator", async () => {
  using gpu = await Gpu.request();
  const model = new Discriminator(gpu, { widths: [5, 6], channels: 3, width: 20, seed: 3 });
  await agree(gpu, model, 2, { ends: ["images", "logits"] });
});

Deno.test("onnx: ONNX Runtime agrees on a discriminator with classes", async () => {
  using gpu = await Gpu.request();
  const sizes = { widths: [3, 4, 5], height: 16, width: 8, classes: 4, seed: 3 };
  await agree(gpu, new Discriminator(gpu, sizes), 3, { ends: ["images", "logits"] });
});

Deno.test("onnx: labels are int64, and one that is no class is refused", async () => {
  using gpu = await Gpu.request();
  const generator = new Generator(gpu, { noiseDim: 2, widths: [2, 2], classes: 3 });
  const quiet = { logSeverityLevel: 4 } as const; // the refusal is expected
  const session = await ort.InferenceSession.create(await generator.toONNX(), quiet);
  const [, labels] = session.inputMetadata;
  assert.ok(labels.isTensor);
  assert.deepEqual([labels.name, labels.type, labels.shape], ["labels", "int64", ["N"]]);
  const noise = new ort.Tensor("float32", new Float32Array(2), [1, 2]);
  const run = (label: bigint) =>
    session.run({ noise, labels: new ort.Tensor("int64", [label], [1]) }, quiet);
  assert.equal((await run(2n)).images.data.length, 784);
  await assert.rejects(run(3n), /out of data bounds/);
  await session.release();
});

Deno.test("onnx: padding is TensorFlow's for every kernel, stride and size", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom("padding");
  const paddings = [["same", "tanh"], ["valid", "sigmoid"]] as const;
  for (const kernelSize of [1, 2, 3, 4, 5]) {
    for (const strides of [1, 2, 3]) {
      for (const layer of [layers.conv2D, layers.conv2DTranspose]) {
        for (const [padding, activation] of paddings) {
          const model = new Sequential(gpu, [6, 5, 2], [
            layer(3, { kernelSize, strides, padding, activation }),
            layers.leakyReLU(),
          ], { seed: 1 });
          const what = `${layer.name} of ${kernelSize} with stride ${strides}, ${padding}`;
          await agree(gpu, model, 2, { random, what });
          model.dispose();
        }
      }
    }
  }
});

Deno.test("onnx: ONNX Runtime agrees on activations of a network of one's own", async () => {
  using gpu = await Gpu.request();
  const model = new Sequential(gpu, [4, 4, 1], [
    layers.conv2D(3, { kernelSize: [2, 3], strides: [1, 2], activation: "relu" }),
    layers.flatten(),
    layers.dropout(0.5),
    layers.dense(6, { activation: "sigmoid" }),
    layers.dense(5),
    layers.relu(),
    layers.activation("tanh"),
    layers.activation("linear"),
  ], { seed: 1 });
  assert.deepEqual(model.outputShape, [5]);
  await agree(gpu, model, 3);
});

Deno.test("onnx: the file has its versions, names and shapes, and save writes the same bytes", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = new Generator(gpu, { noiseDim: 7, widths: [6, 5, 4], width: 20 });
    const bytes = await generator.toONNX();
    // ModelProto's field 1 is the IR version, and its last field ends in the opset: 8 and 17 are ONNX 1.12.
    assert.deepEqual([...bytes.slice(0, 2)], [1 << 3, 8]);
    assert.deepEqual([...bytes.slice(-2)], [2 << 3, 17]);
    const path = join(dir, "generator.onnx");
    assert.equal(await generator.save(path), path);
    assert.deepEqual(await Deno.readFile(path), new Uint8Array(bytes));
    const session = await ort.InferenceSession.create(bytes);
    const [input, output] = [session.inputMetadata[0], session.outputMetadata[0]];
    assert.ok(input.isTensor && output.isTensor);
    assert.deepEqual([input.type, input.shape], ["float32", ["N", 7]]);
    assert.deepEqual([output.type, output.shape], ["float32", ["N", 28, 20, 1]]);
    await session.release();
  }));
