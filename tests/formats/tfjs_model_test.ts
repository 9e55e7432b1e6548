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
import { inFolder } from "../support/folder.ts";
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

const SMALL = { noiseDim: 7, widths: [6, 5, 4], channels: 3, height: 28, width: 20 } as const;
const CASES: Readonly<Record<string, GeneratorOptions>> = {
  "the tutorial's": {},
  "three channels, not square": SMALL,
  "equal widths": { noiseDim: 5, widths: [4, 4, 4], channels: 4 },
};
const TOLERANCE = { atol: 1e-4 };

// deno-lint-ignore no-explicit-any
type Json = any;

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
  await Deno.mkdir(dir, { recursive: true });
  await model.save(tf.io.withSaveHandler(async (artifacts) => {
    const { modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy } = artifacts;
    const bytes = new Uint8Array(weightData as ArrayBuffer);
    const count = Math.ceil(bytes.length / shardBytes);
    const paths: string[] = [];
    for (let i = 0; i < count; i++) {
      paths.push(count === 1 ? "weights.bin" : `group1-shard${i + 1}of${count}.bin`);
      const shard = bytes.slice(i * shardBytes, (i + 1) * shardBytes);
      await Deno.writeFile(join(dir, paths[i]), shard);
    }
    const weightsManifest = [{ paths, weights: weightSpecs }];
    const model = { modelTopology, format, generatedBy, convertedBy, weightsManifest };
    await Deno.writeTextFile(join(dir, "model.json"), JSON.stringify(model));
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
  Deno.test(`tfjs model: what tfjs saves draws the same images here, ${name}`, () =>
    inFolder(async (dir) => {
      using gpu = await Gpu.request();
      const [ours, theirs] = await both(gpu, options);
      const path = await saveTheirs(theirs, dir);
      const expected = await drawTheirs(theirs);
      for (const from of [path, dir]) {
        const loaded = await Generator.load(gpu, from);
        assert.deepEqual(loaded.outputShape, ours.outputShape);
        assertClose(await draw(gpu, loaded), expected, TOLERANCE);
      }
      for (const [i, variable] of (await Generator.load(gpu, path)).variables.entries()) {
        assert.deepEqual(await variable.read(), await ours.variables[i].read(), variable.name);
      }
    }));

  Deno.test(`tfjs model: what is saved here draws the same images in tfjs, ${name}`, () =>
    inFolder(async (dir) => {
      using gpu = await Gpu.request();
      const [ours] = await both(gpu, options);
      const expected = await draw(gpu, ours);
      const path = join(dir, "deep/web/model.json");
      assert.equal(await ours.save(path), path);
      assert.equal(await ours.save(join(dir, "folder")), join(dir, "folder/model.json"));
      for (const saved of [path, join(dir, "folder/model.json")]) {
        assertClose(await drawTheirs(await loadTheirs(saved)), expected, TOLERANCE);
        assert.deepEqual(await draw(gpu, await Generator.load(gpu, saved)), expected);
      }
      const names = [...Deno.readDirSync(join(dir, "folder"))].map((entry) => entry.name).sort();
      assert.deepEqual(names, ["model.json", "weights.bin"]);
    }));
}

Deno.test("tfjs model: the discriminator's decisions are the same in tfjs", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const options = { widths: [5, 6] as const, channels: 3 };
    const ours = new Discriminator(gpu, { ...options, seed: 3 });
    disturb(ours.variables, new TestRandom("tfjs"));
    const x = Float32Array.from(new TestRandom("images").fill(3 * 28 * 28 * 3));
    using program = gpu.compile(
      { x: [3, 28, 28, 3] },
      ({ x }) => ({ y: ours.call(x, { training: false }) }),
    );
    program.run({ x });
    const { y } = await program.read();
    const theirs = await loadTheirs(await ours.save(dir));
    const logits = theirs.predict(tf.tensor(x, [3, 28, 28, 3])) as tf.Tensor;
    assertClose(await logits.data(), y, TOLERANCE);
    assert.equal(
      theirs.countParams(),
      tutorialDiscriminator({ widths: [5, 6], channels: 3 }).countParams(),
    );
  }));

Deno.test("tfjs model: shards and forms of tensorflowjs_converter", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const [, theirs] = await both(gpu, CASES["equal widths"]);
    const expected = await drawTheirs(theirs);
    const same = async (path: string) =>
      assertClose(await draw(gpu, await Generator.load(gpu, path)), expected, TOLERANCE);

    // Shards that end in the middle of a float.
    const path = await saveTheirs(theirs, dir, 1001);
    assert.ok([...Deno.readDirSync(dir)].length > 5);
    await same(path);

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
    await same(path);

    // Names with the model's before them, weights in another order; then names that say nothing.
    const rename = (change: (name: string) => string) =>
      changed(path, (model) => {
        for (const weight of model.weightsManifest[0].weights) weight.name = change(weight.name);
      });
    await rename((name) => `sequential/${name}:0`);
    await same(path);
    await rename((name) => name.replace(/^.*\/(\w+):0$/, "layer/$1"));
    await same(path);
  }));

Deno.test("tfjs model: layers are found by name before order", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const [, theirs] = await both(gpu, CASES["equal widths"]);
    const path = await saveTheirs(theirs, dir);
    const shard = join(dir, "weights.bin");
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
  }));

type Wrong = readonly [message: RegExp, change: (model: Json) => void];

/** What a changed `model.json` is refused with. */
const WRONG: readonly Wrong[] = [
  // The shards.
  ...[
    "../outside.bin",
    "sub/../../outside.bin",
    "..\\outside.bin",
    "C:outside.bin",
    "http://127.0.0.1/outside.bin",
    "..",
    ".",
    "",
    "a\0b",
    7,
  ].map((name): Wrong => [/is not the plain name of a file beside it/, shard(name)]),
  [/its shard folder.bin is not a file/, shard("folder.bin")],

  // The manifest.
  [
    /"dense_Dense\d+\/kernel" is quantized, float32 is supported/,
    weight({ quantization: { scale: 0.1 } }),
  ],
  [/"dense_Dense\d+\/kernel" is "int32", float32/, weight({ dtype: "int32" })],
  [/"dense_Dense\d+\/kernel" has no valid shape/, weight({ shape: [-7, 210] })],
  [/no valid shape/, weight({ shape: [2 ** 40, 2 ** 40] })],
  [/a weight of its manifest has no name/, weight({ name: undefined })],
  [/weights need \d+/, weight({ shape: [2 ** 30, 210] })],
  [/has no paths and weights/, (m) => delete m.weightsManifest[0].paths],
  [/has no weightsManifest/, (m) => delete m.weightsManifest],
  [
    /dense_Dense\d+\/kernel is F32 \[14, 105\] .* 105 values are not a whole number of pixels/,
    weight({ shape: [14, 105] }),
  ],
  [
    /BatchNormalization\d+\/gamma is F32 \[210, 1\]; this network needs F32 \[210\]/,
    weight({ shape: [210, 1] }, 1),
  ],
  [/no tensor dense\/kernel/, weight({ name: "dense/weights" })],
  [/has an unknown tensor norm\/offset/, weight({ name: "norm/offset" }, 1)],

  // The topology.
  [/is a "graph-model", layers models/, (m) => m.format = "graph-model"],
  [/no modelTopology/, (m) => delete m.modelTopology],
  [/no modelTopology: it is another kind of file/, (m) => {
    delete m.modelTopology;
    m.format = 1; // Such as run.json.
  }],
  [/its model is "Model", Sequential/, (m) => m.modelTopology.class_name = "Model"],
  [/no list of layers/, (m) => delete m.modelTopology.config.layers],
  [/its layer 0 has no class_name/, (m) => layers(m)[0] = 1],
  [
    /layer 3 \(leaky_re_lu_LeakyReLU\d+\), a LeakyReLU, has alpha 0\.2, this network 0\.3/,
    layer("LeakyReLU", { alpha: 0.2 }),
  ],
  [
    /a BatchNormalization, has epsilon 0\.00001/,
    layer("BatchNormalization", { epsilon: 1e-5 }),
  ],
  [/has axis 2, this network -1/, layer("BatchNormalization", { axis: 2 })],
  [/has strides \[2,2\], this network \[1,1\]/, layer("Conv2DTranspose", { strides: [2, 2] })],
  [/has padding "valid"/, layer("Conv2DTranspose", { padding: undefined })],
  [
    /has activation "linear", this network "tanh"/,
    (m) => layers(m).at(-1).config.activation = "linear",
  ],
  [/use_bias true, this network false/, layer("Dense", { use_bias: undefined })],
  [
    /35 pixels, doubled twice, are not the 20 x 24/,
    layer("Reshape", { target_shape: [5, 6, 7] }),
  ],
  [/35 pixels are not a square/, layer("Reshape", { target_shape: [7, 5, -1] })],
  [
    /a Reshape, has target_shape \[7,5,7\], this network \[7,5,6\]/,
    layer("Reshape", { target_shape: [7, 5, 7] }),
  ],
  [
    /layer 12 \(tanh\) is Activation, this network has no more layers/,
    (m) =>
      layers(m).push({ class_name: "Activation", config: { name: "tanh", activation: "tanh" } }),
  ],
  [/layer 10 \(.*\) is Conv2DTranspose, this network has LeakyReLU/, (m) => layers(m).splice(9, 1)],
  [
    /layer 3 \(relu\) is ReLU, this network has LeakyReLU/,
    (m) => layers(m)[2] = { class_name: "ReLU", config: { name: "relu" } },
  ],
];

function layers(model: Json): Json[] {
  return model.modelTopology.config.layers;
}

/** Changes settings of the first layer of a type; `undefined` removes one. */
function layer(type: string, settings: Json): (model: Json) => void {
  return (m) => Object.assign(layers(m).find((l) => l.class_name === type).config, settings);
}

function weight(entries: Json, i = 0): (model: Json) => void {
  return (m) => Object.assign(m.weightsManifest[0].weights[i], entries);
}

function shard(name: unknown): (model: Json) => void {
  return (m) => m.weightsManifest[0].paths[0] = name;
}

Deno.test("tfjs model: whatever is wrong is named, and nothing stays behind", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const [ours, theirs] = await both(gpu, SMALL);
    ours.dispose();
    const memory = () => ({ count: gpu.context.memory.count, bytes: gpu.context.memory.bytes });
    const before = memory();
    const path = await saveTheirs(theirs, join(dir, "model"), 10_000);
    const text = await Deno.readTextFile(path);
    const refused = async (message: RegExp) => {
      await assert.rejects(Generator.load(gpu, path), (error: Error) => {
        assert.ok(error instanceof CheckpointError, error.stack);
        assert.match(error.message, message);
        assert.ok(error.message.includes(path));
        return true;
      });
      assert.deepEqual(memory(), before);
    };

    const first = join(dir, "model/group1-shard1of2.bin");
    const whole = await Deno.readFile(first);
    const total = whole.length + (await Deno.stat(join(dir, "model/group1-shard2of2.bin"))).size;
    await Deno.writeFile(first, whole.subarray(0, 9_000));
    const sizes = `hold ${total - 1000} bytes, its weights need ${total}`;
    await refused(new RegExp(`shard1of2.bin \\(9000 bytes\\), .* ${sizes}`));
    await Deno.remove(first);
    await refused(/shard group1-shard1of2\.bin cannot be opened/);
    await Deno.writeFile(first, whole);
    await Deno.writeFile(join(dir, "outside.bin"), whole);
    await Deno.mkdir(join(dir, "model/folder.bin"));
    for (const [message, change] of WRONG) {
      await changed(path, change);
      await refused(message);
      await Deno.writeTextFile(path, text);
    }
    await changed(path, shard(join(dir, "outside.bin")));
    await refused(/is not the plain name of a file beside it/);
    await Deno.writeTextFile(path, text.slice(0, 1000));
    await refused(/JSON/);
    await Deno.writeTextFile(path, "[]");
    await refused(/not a JSON object/);
    await Deno.remove(path);
    await refused(/No such file|cannot find/i);
    await assert.rejects(Generator.load(gpu, join(dir, "model")), CheckpointError);
    await assert.rejects(Generator.load(gpu, "generator.onnx"), /Cannot take weights from/);
  }));
