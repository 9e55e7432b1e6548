/** A network of one's own: what `Sequential` gives, and what it refuses. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Gpu, type LayerFactory, layers, Sequential, type SequentialOptions } from "../../mod.ts";
import { inFolder } from "../support/folder.ts";
import { TestRandom } from "../support/random.ts";
import { disturb } from "../support/tfjs.ts";

const LAYERS = [
  layers.conv2D(3, { kernelSize: 2, activation: "relu" }),
  layers.batchNormalization(),
  layers.flatten(),
  layers.dense(4),
  layers.dropout(0.5),
  layers.dense(2, { activation: "tanh", useBias: false }),
];

const network = (gpu: Gpu, options?: SequentialOptions) =>
  new Sequential(gpu, [3, 4, 1], LAYERS, options);

const readAll = ({ variables }: Sequential) => Promise.all(variables.map((v) => v.read()));

Deno.test("sequential: names, shapes and order are Keras'", async () => {
  using gpu = await Gpu.request();
  const model = network(gpu);
  assert.equal(model.name, "sequential");
  assert.deepEqual([model.inputShape, model.outputShape], [[3, 4, 1], [2]]);
  assert.deepEqual(model.variables.map(({ name, shape }) => [name, [...shape]]), [
    ["conv2d/kernel", [2, 2, 1, 3]],
    ["conv2d/bias", [3]],
    ["batch_normalization/gamma", [3]],
    ["batch_normalization/beta", [3]],
    ["batch_normalization/moving_mean", [3]],
    ["batch_normalization/moving_variance", [3]],
    ["dense/kernel", [18, 4]],
    ["dense/bias", [4]],
    ["dense_1/kernel", [4, 2]],
  ]);
  assert.deepEqual(model.trainableVariables, model.variables.filter((v) => v.trainable));
  assert.deepEqual(model.parameterCount, { total: 111, trainable: 105 });
  assert.match(model.summary(), /Model: "sequential"\n[^]* dropout \(Dropout\) +\(None, 4\) +0\n/);
});

Deno.test("sequential: the seed decides the weights, and its network's name does not", async () => {
  using gpu = await Gpu.request();
  const first = await readAll(network(gpu, { seed: 1 }));
  assert.deepEqual(await readAll(network(gpu, { seed: 1, name: "other" })), first);
  assert.notDeepEqual(await readAll(network(gpu, { seed: 2 })), first);
  const given = network(gpu, {
    weights: (_, shape) => new Float32Array(shape.reduce((a, b) => a * b)),
  });
  for (const values of await readAll(given)) assert.ok(values.every((value) => value === 0));
});

Deno.test("sequential: what is saved is loaded, from safetensors, bytes and tfjs", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const model = network(gpu, { seed: 1, name: "dense" }); // a layer has the same name
    disturb(model.variables, new TestRandom("sequential"));
    const expected = await readAll(model);
    const file = await model.save(join(dir, "network.safetensors"));
    for (const source of [file, await Deno.readFile(file), await model.save(join(dir, "web"))]) {
      const loaded = network(gpu, { seed: 2, name: "dense" });
      await loaded.loadWeights(source);
      assert.deepEqual(await readAll(loaded), expected);
    }

    const other = new Sequential(gpu, [3, 4, 1], [layers.flatten(), layers.dense(4)], { seed: 3 });
    const before = await readAll(other);
    await assert.rejects(other.loadWeights(file), {
      name: "CheckpointError",
      message: `${file} has an unknown tensor conv2d/kernel`,
    });
    await assert.rejects(other.loadWeights(join(dir, "web")), {
      name: "CheckpointError",
      message: /its layer 1 \(conv2d\) is Conv2D, this network has Flatten/,
    });
    assert.deepEqual(await readAll(other), before);
  }));

const { dense, conv2D, conv2DTranspose, batchNormalization, reshape, flatten, dropout } = layers;
const whole = "must be a whole number of at least 1, got";
const activations = 'activation must be one of "linear", "relu", "sigmoid", "tanh", got';
const positive = "every axis must be a positive integer";
const image = [7, 7, 3];

/** What a network of one layer is refused for, by the shape of its input. */
const REFUSED: readonly [shape: number[], layer: () => LayerFactory, message: string][] = [
  [image, () => dense(1), "dense takes samples [size], got [7, 7, 3]: put flatten() before it"],
  ...[conv2D, conv2DTranspose].flatMap((layer): typeof REFUSED => {
    const conv = (filters: number, options = {}) => () =>
      layer(filters, { kernelSize: 3, ...options });
    const axes = "height, width, channels";
    const advice = `got [49]: put reshape([${axes}]) before it`;
    return [
      [[49], conv(1), `${layer.name} takes samples [${axes}], ${advice}`],
      [image, conv(0), `filters ${whole} 0`],
      [image, conv(1, { kernelSize: [3, 0.5] }), `kernelSize ${whole} 0.5`],
      [image, conv(1, { strides: -1 }), `strides ${whole} -1`],
      [image, conv(1, { padding: "full" }), 'padding must be "same" or "valid", got "full"'],
    ];
  }),
  [
    [2, 7, 3],
    () => conv2D(1, { kernelSize: 3 }),
    `The output of Conv2D in the sequential has shape [0, 5, 1]: ${positive}`,
  ],
  [
    [6],
    () => reshape([2, 2]),
    "Cannot reshape samples [6] of 6 values to [2, 2] of 4: give a shape of as many values",
  ],
  [[0], flatten, `The input of the sequential has shape [0]: ${positive}`],
  [[6], () => dense(1.5), `units ${whole} 1.5`],
  [[6], () => dense(1, { activation: "gelu" as "relu" }), `${activations} "gelu"`],
  [[6], () => layers.activation("toString" as "relu"), `${activations} "toString"`],
  [[6], () => dropout(1), "dropout must be at least 0 and below 1, got 1"],
  [[6], () => batchNormalization({ momentum: 2 }), "momentum must be from 0 to 1, got 2"],
  [[6], () => batchNormalization({ epsilon: 0 }), "epsilon must be a number above 0, got 0"],
];

Deno.test("sequential: layers that do not fit are refused, and nothing is allocated", async () => {
  using gpu = await Gpu.request();
  const { count } = gpu.context.memory;
  for (const [shape, layer, message] of REFUSED) {
    // A wrong option is a wrong value, a wrong shape a wrong type.
    const name = /shape|samples/.test(message) ? "TypeError" : "RangeError";
    assert.throws(() => new Sequential(gpu, shape, [layer()]), { name, message });
  }
  assert.equal(gpu.context.memory.count, count);
});

Deno.test("sequential: an activation that is unknown is refused by each layer that takes one", () => {
  const name = "swish" as "relu";
  const options = { activation: name };
  for (
    const layer of [
      () => layers.dense(2, options),
      () => layers.conv2D(2, { kernelSize: 3, ...options }),
      () => layers.conv2DTranspose(2, { kernelSize: 3, ...options }),
      () => layers.activation(name),
    ]
  ) {
    assert.throws(layer, {
      name: "RangeError",
      message: /activation must be one of .*, got "swish"/,
    });
  }
});
