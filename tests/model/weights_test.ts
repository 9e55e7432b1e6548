/** Weights of the generator in safetensors files: what is saved is loaded, whatever is wrong is named. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { safetensors } from "npm:@jax-js/loaders@0.1.1";
import {
  CheckpointError,
  Discriminator,
  Generator,
  type GeneratorOptions,
  Gpu,
} from "../../mod.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "../../mod.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";
import { TestRandom } from "../support/random.ts";
import { disturb } from "../support/tfjs.ts";

const SMALL = { noiseDim: 7, widths: [6, 5, 4], channels: 3, height: 28, width: 20 } as const;

/** Generators of every kind that a file may hold. */
const KINDS: readonly GeneratorOptions[] = [
  { noiseDim: 3, widths: [4, 3, 2], height: 64, width: 64 }, // as the version before made it
  { noiseDim: 3, widths: [5, 4, 3, 2], height: 64, width: 64 },
  { noiseDim: 3, widths: [5, 4, 3, 3, 2], height: 32, width: 48, channels: 3 },
  { noiseDim: 3, widths: [4, 2], height: 2, width: 6 },
  { noiseDim: 3, widths: [4, 3, 2], normalization: "none" },
  { noiseDim: 3, widths: [4, 3, 2], classes: 5 },
  { noiseDim: 3, widths: [4, 3, 2, 2], height: 8, width: 8, normalization: "none", classes: 2 },
];

/** A generator with weights of its own in every layer. */
function made(gpu: Gpu, options: GeneratorOptions = SMALL): Generator {
  const generator = new Generator(gpu, { seed: 3, ...options });
  disturb(generator.variables, new TestRandom("weights"));
  return generator;
}

const describe = ({ variables }: Generator) =>
  Promise.all(variables.map(async (v) => [v.name, v.shape, v.trainable, await v.read()]));

const imagesOf = (gpu: Gpu, generator: Generator) =>
  generate(gpu, generator, seedNoise(2, generator.noiseDim, 5));

type Change = (tensors: Map<string, SafeTensor>, metadata: Record<string, string>) => unknown;

/** Writes a file as others do, without checksums: `saved` after `change`. */
async function changed(saved: string, path: string, change: Change): Promise<string> {
  const file = decodeSafetensors(await Deno.readFile(saved), saved);
  const [tensors, metadata] = [new Map(file.tensors), { ...file.metadata }];
  delete metadata.crc32;
  change(tensors, metadata);
  await Deno.writeFile(path, encodeSafetensors({ tensors, metadata }));
  return path;
}

const floats = (...shape: number[]): SafeTensor => ({
  dtype: "F32",
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

Deno.test("weights: a saved generator is loaded to the bit, with its sizes", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    for (const options of [SMALL, { widths: [4, 3, 2] as const }]) {
      const generator = made(gpu, options);
      const path = join(dir, "generator.safetensors");
      assert.equal(await generator.save(path), path);
      const loaded = await Generator.load(gpu, path);
      assert.equal(loaded.noiseDim, generator.noiseDim);
      assert.deepEqual(loaded.outputShape, generator.outputShape);
      assert.deepEqual(await describe(loaded), await describe(generator));
      assert.deepEqual(await imagesOf(gpu, loaded), await imagesOf(gpu, generator));
      const fromBytes = await Generator.load(gpu, await Deno.readFile(path));
      assert.deepEqual(await imagesOf(gpu, fromBytes), await imagesOf(gpu, generator));
    }
  }));

Deno.test("weights: the file decides size, depth, normalization and classes", async () => {
  using gpu = await Gpu.request();
  for (const options of KINDS) {
    const generator = made(gpu, options);
    const loaded = await Generator.load(gpu, await generator.toSafetensors());
    const facts = (g: Generator) => [g.noiseDim, g.classes, g.outputShape, g.summary()];
    assert.deepEqual(facts(loaded), facts(generator));
    assert.deepEqual(await describe(loaded), await describe(generator));
  }
});

Deno.test("weights: another's reader finds Keras' names and layouts, and the values", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const discriminator = new Discriminator(gpu, { widths: [3, 4] });
    for (const model of [made(gpu), discriminator]) {
      const path = await model.save(join(dir, `${model.name}.safetensors`));
      const { tensors, metadata } = safetensors.parse(await Deno.readFile(path));
      assert.deepEqual(Object.keys(metadata!), ["image", "crc32"]);
      assert.equal(metadata!.image, model === discriminator ? "[28,28,1]" : "[28,20,3]");
      assert.deepEqual(Object.keys(tensors), model.variables.map((v) => v.name));
      for (const variable of model.variables) {
        const { dtype, shape, data } = tensors[variable.name];
        assert.deepEqual([dtype, shape], ["F32", variable.shape]);
        assert.deepEqual(Float32Array.from(data as Float32Array), await variable.read());
      }
      const last = model === discriminator ? "dense/kernel" : "conv2d_transpose_2/kernel";
      assert.deepEqual(tensors[last].shape, model === discriminator ? [196, 1] : [5, 5, 3, 4]);
    }
  }));

Deno.test("weights: files of others need neither prefix nor metadata where images are square", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const square = made(gpu, { ...SMALL, width: 28 });
    const saved = await square.save(join(dir, "a.safetensors"));
    const expected = await imagesOf(gpu, square);
    const foreign = await changed(saved, join(dir, "b.safetensors"), (tensors, metadata) => {
      delete metadata.image;
      for (const [name, tensor] of [...tensors].toReversed()) { // in whatever order
        tensors.delete(name);
        tensors.set(`generator/${name}`, tensor);
      }
      tensors.set("discriminator/dense/kernel", floats(2, 1));
    });
    assert.deepEqual(await imagesOf(gpu, await Generator.load(gpu, foreign)), expected);
    const bare = await changed(saved, join(dir, "c.safetensors"), (_, m) => delete m.image);
    assert.deepEqual(await imagesOf(gpu, await Generator.load(gpu, bare)), expected);
  }));

type Wrong = readonly [message: string | RegExp, change: Change];

/** A file of {@linkcode SMALL} with a tensor of another shape than the one needed. */
const shaped = (name: string, shape: number[], needed: string): Wrong => [
  `${name} is F32 [${shape.join(", ")}]; this network needs F32 ${needed}`,
  (tensors) => tensors.set(name, floats(...shape)),
];
/** A file with a wrong value in a tensor. */
const holding = (name: string, shape: string, at: number, value: number, why: string): Wrong => [
  `${name} ${shape} holds ${value} at ${at}: ${why}`,
  (tensors) => tensors.get(name)!.data[at] = value,
];
const without = (name: string, needed: string): Wrong => [
  ` no tensor ${name}: F32 ${needed}`,
  (tensors) => tensors.delete(name),
];
const image = (text: string): Change => (_, metadata) => metadata.image = text;

const CONDITIONAL = { ...SMALL, normalization: "none", classes: 3 } as const;

/** As {@linkcode WRONG}, with classes and biases. */
const WRONG_CONDITIONAL: readonly Wrong[] = [
  without("conv2d_transpose_1/bias", "[4]"),
  shaped("class_embedding/embeddings", [3], "[classes, noiseDim]"),
  [
    "dense/kernel is F32 [14, 210]; this network needs F32 [12, 210]",
    (tensors) => tensors.set("class_embedding/embeddings", floats(3, 6)),
  ],
  [
    " an unknown tensor class_embedding/bias",
    (tensors) => tensors.set("class_embedding/bias", floats(3)),
  ],
  ["35 pixels, doubled once, are not the 28 x 20", (tensors) => {
    tensors.delete("conv2d_transpose_2/kernel");
    tensors.delete("conv2d_transpose_2/bias");
  }],
  ["35 pixels, doubled 3 times, are not the 28 x 20", (tensors) => {
    tensors.set("conv2d_transpose_3/kernel", floats(5, 5, 3, 3));
  }],
];

/** So many doublings that no number holds the size. */
const ENDLESS: Change = (tensors, metadata) => {
  delete metadata.image;
  tensors.set("dense/kernel", floats(14, 6));
  for (let i = 3; i < 80; i++) tensors.set(`conv2d_transpose_${i}/kernel`, floats(5, 5, 1, 1));
};

const VARIANCE = "batch_normalization_1/moving_variance";
const DIVERGED = "the run that made it diverged. Use an earlier checkpoint";
const WRONG: readonly Wrong[] = [
  without("dense/kernel", "[noiseDim, "),
  without("conv2d_transpose_1/kernel", "[5, 5, out, in]"),
  without("batch_normalization_2/beta", "[4]"),
  shaped("batch_normalization_1/gamma", [6], "[5]"),
  shaped("batch_normalization_1/gamma", [5, 1], "[5]"),
  shaped("conv2d_transpose_2/kernel", [3, 3, 3, 4], "[5, 5, 3, 4]"),
  shaped("conv2d_transpose_1/kernel", [5, 5, 4, 9], "[5, 5, 4, 5]"),
  shaped("conv2d_transpose/kernel", [5, 5, 30], "[5, 5, out, in]"),
  shaped("conv2d_transpose/kernel", [5, 5, 5, 0], "[5, 5, out, in]"),
  holding("dense/kernel", "[7, 210]", 9, NaN, DIVERGED),
  holding("dense/kernel", "[7, 210]", 9, Infinity, DIVERGED),
  holding(VARIANCE, "[5]", 3, NaN, DIVERGED),
  holding(VARIANCE, "[5]", 3, -0.5, "a variance is at least 0. Use another file"),
  [
    `${VARIANCE} is U32 [5]; this network needs F32 [5]`,
    (tensors) => tensors.set(VARIANCE, { dtype: "U32", shape: [5], data: new Uint32Array(5) }),
  ],
  [" an unknown tensor dense/bias", (tensors) => tensors.set("dense/bias", floats(210))],
  [
    "dense/kernel is F32 [7, 211] and conv2d_transpose/kernel F32 [5, 5, 5, 6]: 211 values are not " +
    "a whole number of pixels of 6 channels",
    (tensors) => tensors.set("dense/kernel", floats(7, 211)),
  ],
  [" no tensor generator/dense/kernel", (tensors) => tensors.set("generator/dense/b", floats(1))],
  ["35 pixels are not a square", (_, metadata) => delete metadata.image],
  ["35 pixels, doubled twice, are not the 28 x 24", image("[28,24,3]")],
  ['images of "28 x 20"', image('"28 x 20"')],
  ["images of [28,0.5]", image("[28,0.5]")],
  ["is not JSON", image("{")],
];

Deno.test("weights: whatever is wrong is named with both shapes, and nothing stays behind", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = made(gpu);
    const saved = await generator.save(join(dir, "saved.safetensors"));
    generator.dispose();
    const live = () => ({ count: gpu.context.memory.count, bytes: gpu.context.memory.bytes });
    const before = live();
    const refused = async (path: string, message: string | RegExp) => {
      await assert.rejects(Generator.load(gpu, path), errorOf(CheckpointError, message, path));
      assert.deepEqual(live(), before);
    };
    await refused(join(dir, "missing.safetensors"), "Cannot open the weights");
    await Deno.writeFile(join(dir, "cut"), (await Deno.readFile(saved)).subarray(0, 5000));
    await refused(join(dir, "cut"), /ends at byte \d+, the file at 5000/);
    for (const [message, change] of WRONG) {
      await refused(await changed(saved, join(dir, "wrong.safetensors"), change), message);
    }
    const other = made(gpu, CONDITIONAL);
    const conditional = await other.save(join(dir, "conditional.safetensors"));
    other.dispose();
    const endless: Wrong = [/1 pixels, doubled 79 times, are not/, ENDLESS];
    for (const [message, change] of [...WRONG_CONDITIONAL, endless]) {
      await refused(await changed(conditional, join(dir, "wrong.safetensors"), change), message);
    }
  }));

Deno.test("weights: a saved file that lost a bit is refused, and the tensor named", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const path = await made(gpu).save(join(dir, "generator.safetensors"));
    const bytes = await Deno.readFile(path);
    bytes[bytes.length - 100] ^= 1; // the lowest bit of a kernel's value
    await Deno.writeFile(path, bytes);
    for (const source of [path, bytes]) {
      await assert.rejects(Generator.load(gpu, source), {
        name: "CheckpointError",
        message: /is damaged: the tensor conv2d_transpose_2\/kernel has the CRC-32/,
      });
    }
  }));

Deno.test("weights: a generator with classes is no tfjs model, and leaves no folder", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const generator = made(gpu, CONDITIONAL);
    for (const path of [join(dir, "web"), join(dir, "web/model.json")]) {
      await assert.rejects(generator.save(path), {
        name: "RangeError",
        message: "Cannot write the generator as a TensorFlow.js layers model: it takes labels " +
          "beside its input, and such a model has one input. Write it as .onnx or .safetensors",
      });
    }
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));

Deno.test("weights: files that cannot be written are refused before anything is read", async () => {
  using gpu = await Gpu.request();
  const generator = made(gpu);
  await assert.rejects(generator.save("weights.h5"), {
    name: "RangeError",
    message: /save the generator as weights\.h5/,
  });
  await assert.rejects(generator.save("no/such/folder/a.safetensors"), /Create the folder/);
});
