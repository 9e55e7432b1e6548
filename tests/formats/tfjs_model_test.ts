/** Layers models of TensorFlow.js in both directions, with tfjs itself at the other end. */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  CheckpointError,
  Discriminator,
  Generator,
  type GeneratorOptions,
  Gpu,
} from "../../mod.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { assertClose } from "../support/close.ts";
import { variableDigests } from "../support/digest.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put } from "../support/folder.ts";
import { TestRandom } from "../support/random.ts";
import {
  copyWeights,
  disturb,
  loadLayersModel,
  type Sequential,
  tf,
  tutorialDiscriminator,
  tutorialGenerator,
} from "../support/tfjs.ts";
import { live, namesIn } from "../support/training.ts";

const SMALL = { noiseDim: 7, widths: [6, 5, 4], channels: 3, height: 28, width: 20 } as const;
const CASES: Readonly<Record<string, GeneratorOptions>> = {
  "the tutorial's": {},
  "three channels, not square": SMALL,
  "64 pixels, four widths, no normalization": {
    ...{ noiseDim: 3, widths: [5, 4, 3, 2], height: 64, width: 64, normalization: "none" },
  },
  "equal widths": { noiseDim: 5, widths: [4, 4, 4], channels: 4 },
};
const TOLERANCE = { atol: 1e-4 };

// deno-lint-ignore no-explicit-any
type Json = any;

/** A test with a device and a folder of its own. */
const test = (name: string, body: (gpu: Gpu, dir: string) => Promise<void>) =>
  Deno.test(`tfjs model: ${name}`, () =>
    inFolder(async (dir) => {
      using gpu = await Gpu.request();
      await body(gpu, dir);
    }));

/** The generator with weights of its own in every layer, and tfjs' with the same. */
async function both(gpu: Gpu, options: GeneratorOptions): Promise<[Generator, Sequential]> {
  const ours = new Generator(gpu, { seed: 3, ...options });
  disturb(ours.variables, new TestRandom("tfjs"));
  const theirs = tutorialGenerator(options);
  await copyWeights(ours.variables, theirs);
  return [ours, theirs];
}

const noiseOf = (dim: number) => seedNoise(3, dim, 5);

async function draw(gpu: Gpu, generator: Generator): Promise<Float32Array> {
  using sampler = new Sampler(gpu, generator, 3);
  return await sampler.sample(noiseOf(generator.noiseDim));
}

async function drawTheirs(model: Sequential): Promise<Float32Array> {
  const [, dim] = model.inputs[0].shape as [null, number];
  const images = model.predict(tf.tensor(noiseOf(dim), [3, dim])) as tf.Tensor;
  return await images.data() as Float32Array;
}

/** Saves as `model.save("file://...")` of tfjs-node does, in shards of some bytes. */
async function saveTheirs(model: Sequential, dir: string, shardBytes = 2 ** 30): Promise<string> {
  await model.save(tf.io.withSaveHandler(async ({ weightSpecs, weightData, ...artifacts }) => {
    const bytes = new Uint8Array(weightData as ArrayBuffer);
    const shards: Record<string, Uint8Array> = {};
    for (let at = 0; at < bytes.length; at += shardBytes) {
      shards[`shard${at / shardBytes}.bin`] = bytes.slice(at, at + shardBytes);
    }
    const weightsManifest = [{ paths: Object.keys(shards), weights: weightSpecs }];
    await put(dir, { ...shards, "model.json": JSON.stringify({ ...artifacts, weightsManifest }) });
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
  }));
  return join(dir, "model.json");
}

/** Loads as tfjs' own loaders do: topology and manifest from the JSON, weights from the files. */
async function loadTheirs(path: string): Promise<Sequential> {
  const json = JSON.parse(await Deno.readTextFile(path));
  const artifacts = await tf.io.getModelArtifactsForJSON(json, async (manifest) => {
    const paths = manifest.flatMap((group) => group.paths);
    const shards = await Promise.all(paths.map((p) => Deno.readFile(join(path, "..", p))));
    const bytes = tf.io.concatenateArrayBuffers(shards.map((shard) => shard.buffer));
    return [tf.io.getWeightSpecs(manifest), bytes];
  });
  return await loadLayersModel(tf.io.fromMemory(artifacts)) as Sequential;
}

async function changed(path: string, change: (model: Json) => void): Promise<void> {
  const model = JSON.parse(await Deno.readTextFile(path));
  change(model);
  await Deno.writeTextFile(path, JSON.stringify(model));
}

for (const [name, options] of Object.entries(CASES)) {
  test(`what tfjs saves draws the same images here, ${name}`, async (gpu, dir) => {
    const [ours, theirs] = await both(gpu, options);
    const path = await saveTheirs(theirs, dir);
    const expected = await drawTheirs(theirs);
    for (const from of [path, dir]) {
      const loaded = await Generator.load(gpu, from);
      assert.deepEqual(loaded.outputShape, ours.outputShape);
      assertClose(await draw(gpu, loaded), expected, TOLERANCE);
      assert.deepEqual(
        await variableDigests(loaded.variables),
        await variableDigests(ours.variables),
      );
    }
  });

  test(`what is saved here draws the same images in tfjs, ${name}`, async (gpu, dir) => {
    const [ours] = await both(gpu, options);
    const expected = await draw(gpu, ours);
    const path = join(dir, "deep/web/model.json");
    assert.equal(await ours.save(path), path);
    assert.equal(await ours.save(join(dir, "folder")), join(dir, "folder/model.json"));
    for (const saved of [path, join(dir, "folder/model.json")]) {
      assertClose(await drawTheirs(await loadTheirs(saved)), expected, TOLERANCE);
      assert.deepEqual(await draw(gpu, await Generator.load(gpu, saved)), expected);
    }
    assert.deepEqual(namesIn(join(dir, "folder")), ["model.json", "weights.bin"]);
  });
}

test("the discriminator's decisions are the same in tfjs", async (gpu, dir) => {
  const ours = new Discriminator(gpu, { widths: [5, 6], channels: 3, seed: 3 });
  disturb(ours.variables, new TestRandom("tfjs"));
  const shape = [3, 28, 28, 3];
  const x = Float32Array.from(new TestRandom("images").fill(3 * 28 * 28 * 3));
  using program = gpu.compile({ x: shape }, ({ x }) => ({ y: ours.call(x, { training: false }) }));
  program.run({ x });
  const { y } = await program.read();
  const theirs = await loadTheirs(await ours.save(dir));
  const logits = theirs.predict(tf.tensor(x, shape)) as tf.Tensor;
  assertClose(await logits.data(), y, TOLERANCE);
  const tutorial = tutorialDiscriminator({ widths: [5, 6], channels: 3 });
  assert.equal(theirs.countParams(), tutorial.countParams());
});

test("shards and forms of tensorflowjs_converter", async (gpu, dir) => {
  const [, theirs] = await both(gpu, CASES["equal widths"]);
  const expected = await drawTheirs(theirs);
  const same = async () =>
    assertClose(await draw(gpu, await Generator.load(gpu, dir)), expected, TOLERANCE);

  // Shards that end in the middle of a float.
  const path = await saveTheirs(theirs, dir, 1001);
  assert.ok(namesIn(dir).length > 5);
  await same();

  // Keras in Python: model_config, an input layer, axes counted from the front, float32 numbers.
  await changed(path, (model) => {
    const { class_name, config } = model.modelTopology;
    model.modelTopology = { keras_version: "2.15.0", model_config: { class_name, config } };
    const flat = config.layers[1].config;
    config.layers.unshift({ class_name: "InputLayer", config: { batch_input_shape: [null, 5] } });
    for (const { class_name, config: layer } of config.layers) {
      if (class_name === "LeakyReLU") {
        layer.negative_slope = Math.fround(layer.alpha);
        delete layer.alpha;
      }
      if (class_name === "BatchNormalization") {
        layer.axis = [layer === flat ? 1 : 3];
        layer.momentum = 0.8;
        // Settings at their defaults may be missing.
        for (const key of ["center", "scale", "epsilon"]) delete layer[key];
      }
      if (class_name === "Conv2DTranspose") layer.output_padding = null;
    }
  });
  await same();

  // Names with the model's before them, weights in another order; then names that say nothing.
  const rename = (change: (name: string) => string) =>
    changed(path, (model) => {
      for (const weight of model.weightsManifest[0].weights) weight.name = change(weight.name);
    });
  await rename((name) => `sequential/${name}:0`);
  await same();
  await rename((name) => name.replace(/^.*\/(\w+):0$/, "layer/$1"));
  await same();
});

test("layers are found by name before order", async (gpu, dir) => {
  const [, theirs] = await both(gpu, CASES["equal widths"]);
  const path = await saveTheirs(theirs, dir);
  const shard = join(dir, "shard0.bin");
  const bytes = await Deno.readFile(shard);
  // Two kernels of the same shape change places, in the list and in the file.
  await changed(path, (model) => {
    const { weights } = model.weightsManifest[0];
    let end = 0;
    const places = weights.map(({ name, shape }: Json, i: number) => {
      const begin = end;
      end += shape.reduce((a: number, b: number) => a * b, 4);
      return { name, shape, i, begin, data: bytes.slice(begin, end) };
    });
    const [a, b] = places.filter(({ name }: Json) => /Conv.*kernel/.test(name));
    assert.deepEqual(a.shape, b.shape);
    bytes.set(b.data, a.begin);
    bytes.set(a.data, b.begin);
    [weights[a.i], weights[b.i]] = [weights[b.i], weights[a.i]];
  });
  await Deno.writeFile(shard, bytes);
  const loaded = await Generator.load(gpu, path);
  assertClose(await draw(gpu, loaded), await drawTheirs(theirs), TOLERANCE);
});

const layers = (model: Json): Json[] => model.modelTopology.config.layers;

/** Changes settings of the first layer of a type; `undefined` removes one. */
const layer = (type: string, settings: Json) => (m: Json) =>
  Object.assign(layers(m).find((l) => l.class_name === type).config, settings);

/** Changes a weight of the manifest. */
const weight = (i: number, entries: Json) => (m: Json) =>
  Object.assign(m.weightsManifest[0].weights[i], entries);

const added = { class_name: "Activation", config: { name: "tanh", activation: "tanh" } };
const relu = { class_name: "ReLU", config: { name: "relu" } };

/** What a changed `model.json` is refused with: files are as they should be, models are others. */
const WRONG: readonly (readonly [message: RegExp, change: (model: Json) => void])[] = [
  [
    /dense_Dense\d+\/kernel is F32 \[14, 105\] .* 105 values are not a whole number of pixels/,
    weight(0, { shape: [14, 105] }),
  ],
  [
    /BatchNormalization\d+\/gamma is F32 \[210, 1\]; this network needs F32 \[210\]/,
    weight(1, { shape: [210, 1] }),
  ],
  [/no tensor dense\/kernel/, weight(0, { name: "dense/weights" })],
  [/has an unknown tensor norm\/offset/, weight(1, { name: "norm/offset" })],
  [
    /layer 3 \(leaky_re_lu_LeakyReLU\d+\), a LeakyReLU, has alpha 0\.2, this network 0\.3/,
    layer("LeakyReLU", { alpha: 0.2 }),
  ],
  [/a BatchNormalization, has epsilon 0\.00001/, layer("BatchNormalization", { epsilon: 1e-5 })],
  [/has axis 2, this network -1/, layer("BatchNormalization", { axis: 2 })],
  [/has strides \[2,2\], this network \[1,1\]/, layer("Conv2DTranspose", { strides: [2, 2] })],
  [/has padding "valid"/, layer("Conv2DTranspose", { padding: undefined })],
  [
    /has activation "linear", this network "tanh"/,
    (m) => layers(m).at(-1).config.activation = "linear",
  ],
  [/use_bias true, this network false/, layer("Dense", { use_bias: undefined })],
  [/35 pixels, doubled twice, are not the 20 x 24/, layer("Reshape", { target_shape: [5, 6, 7] })],
  [/35 pixels are not a square/, layer("Reshape", { target_shape: [7, 5, -1] })],
  [
    /a Reshape, has target_shape \[7,5,7\], this network \[7,5,6\]/,
    layer("Reshape", { target_shape: [7, 5, 7] }),
  ],
  [
    /layer 12 \(tanh\) is Activation, this network has no more layers/,
    (m) => layers(m).push(added),
  ],
  [/layer 10 \(.*\) is Conv2DTranspose, this network has LeakyReLU/, (m) => layers(m).splice(9, 1)],
  [/layer 3 \(relu\) is ReLU, this network has LeakyReLU/, (m) => layers(m)[2] = relu],
  // Of a file that is refused as such; `files/model_files_test.ts` has the others.
  [
    /its shard .* is not the plain name of a file beside it/,
    (m) => m.weightsManifest[0].paths = [""],
  ],
];

test("whatever is wrong is named, and nothing stays behind", async (gpu, dir) => {
  const [ours, theirs] = await both(gpu, SMALL);
  ours.dispose();
  const before = live(gpu);
  const path = await saveTheirs(theirs, join(dir, "model"), 10_000);
  const text = await Deno.readTextFile(path);
  for (const [message, change] of WRONG) {
    await changed(path, change);
    await assert.rejects(Generator.load(gpu, path), errorOf(CheckpointError, path, message));
    assert.deepEqual(live(gpu), before);
    await Deno.writeTextFile(path, text);
  }
  await Deno.remove(path);
  const missing = errorOf(CheckpointError, path, /No such file|cannot find/i);
  for (const from of [path, join(dir, "model")]) {
    await assert.rejects(Generator.load(gpu, from), missing);
  }
  await assert.rejects(Generator.load(gpu, "generator.onnx"), /Cannot take weights from/);
  assert.deepEqual(live(gpu), before);
});
