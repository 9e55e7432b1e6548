/** Networks with classes: against their formula in float64, against tfjs, and what they refuse. */

import assert from "node:assert/strict";
import {
  type Architecture,
  Discriminator,
  discriminatorArchitecture,
  Generator,
  generatorArchitecture,
  grad,
  layers,
  ops,
  type Sequential,
  type Tensor,
  type Variable,
} from "../../mod.ts";
import { architecture } from "../../src/model/architecture.ts";
import { gridLabels } from "../../src/model/labels.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { assertClose, relativeError } from "../support/close.ts";
import { gpu } from "../support/compute.ts";
import { check, type Input, type OpCase } from "../support/gradcheck.ts";
import { TestRandom } from "../support/random.ts";
import type { Algebra } from "../support/reference.ts";
import {
  copyWeights,
  disturb,
  tf,
  tutorialDiscriminator,
  tutorialGenerator,
  weightsOf,
} from "../support/tfjs.ts";

type Formula = <T extends { readonly shape: readonly number[] }>(
  o: Algebra<T>,
  inputs: Record<string, T>,
) => T;

/** A network, with its weights as inputs, on the device; its formula in float64. */
function network(name: string, model: Architecture, x: Input, formula: Formula): OpCase {
  const labels = {
    shape: x.shape.slice(0, 1),
    values: [2, 0, 2],
    dtype: "u32",
    fixed: true,
  } as const;
  const weights: Record<string, Input> = {};
  for (const { name, layer } of model.layers) {
    for (const weight of layer.weights) {
      weights[`${name}/${weight.name}`] = { shape: weight.shape };
    }
  }
  const onDevice = (inputs: Record<string, Tensor>) => {
    let y = inputs.x;
    for (const { name, layer } of model.layers) {
      const own = layer.weights.map((weight) => inputs[`${name}/${weight.name}`]);
      const options = { training: false, labels: inputs.labels };
      // A layer calls ops, which take tensors as well as variables.
      y = layer.call(y, own as unknown as Variable[], options);
    }
    return y;
  };
  return {
    name,
    inputs: { x, labels, ...weights },
    compute: (o, inputs) =>
      (o as unknown) === ops
        ? onDevice(inputs as unknown as Record<string, Tensor>) as unknown as typeof inputs[string]
        : formula(o, inputs),
    terms: 100,
  };
}

const SAME = { padding: "same" } as const;

const CASES: readonly OpCase[] = [
  network(
    "class embedding",
    architecture("layer", [4], [layers.classEmbedding(3)]),
    { shape: [3, 4] },
    (o, { x, labels, "class_embedding/embeddings": table }) =>
      o.concat([x, o.gather(table, labels)], 1),
  ),
  network(
    "class projection",
    architecture("layer", [4], [layers.classProjection(3)]),
    { shape: [3, 4] },
    (o, inputs) => projected(o, inputs.x, inputs),
  ),
  network(
    "generator with classes",
    generatorArchitecture({
      ...{ noiseDim: 3, widths: [4, 3], height: 4, width: 6, channels: 2 },
      ...{ normalization: "none", classes: 3 },
    }),
    { shape: [3, 3] },
    (o, inputs) => {
      const { x, labels, "class_embedding/embeddings": table } = inputs;
      const weighted = (y: typeof x, name: string) => o.add(y, inputs[`${name}/bias`]);
      const noise = o.concat([x, o.gather(table, labels)], 1);
      const dense = weighted(o.matmul(noise, inputs["dense/kernel"]), "dense");
      const image = o.reshape(o.leakyRelu(dense, 0.3), [3, 2, 3, 4]);
      const [first, second] = ["conv2d_transpose", "conv2d_transpose_1"];
      const kept = o.conv2dTranspose(image, inputs[`${first}/kernel`], SAME);
      const hidden = o.leakyRelu(weighted(kept, first), 0.3);
      const doubled = o.conv2dTranspose(hidden, inputs[`${second}/kernel`], {
        ...SAME,
        strides: 2,
      });
      return o.tanh(weighted(doubled, second));
    },
  ),
  network(
    "discriminator with classes",
    discriminatorArchitecture({
      ...{ widths: [3, 4], height: 4, width: 8, channels: 2, dropout: 0, classes: 3 },
    }),
    { shape: [3, 4, 8, 2] },
    (o, inputs) => {
      let y = inputs.x;
      for (const name of ["conv2d", "conv2d_1"]) {
        const half = o.conv2d(y, inputs[`${name}/kernel`], { ...SAME, strides: 2 });
        y = o.leakyRelu(o.add(half, inputs[`${name}/bias`]), 0.3);
      }
      return projected(o, o.reshape(y, [3, 8]), inputs);
    },
  ),
];

/** Logits [batch, 1] of features, as Miyato and Koyama (2018) define them. */
function projected<T extends { readonly shape: readonly number[] }>(
  o: Algebra<T>,
  features: T,
  inputs: Record<string, T>,
): T {
  const of = (name: string) => inputs[`class_projection/${name}`];
  const dense = o.add(o.matmul(features, of("kernel")), of("bias"));
  const rows = o.gather(of("embeddings"), inputs.labels);
  return o.add(dense, o.sum(o.mul(features, rows), 1, true));
}

for (const op of CASES) {
  Deno.test(`labels: the ${op.name} and its gradients are its formula's`, () => check(gpu, op));
}

const TOLERANCE = 1e-5; // as in oracle_layers_test.ts
const LABELS = [3, 0, 3, 1, 3];

function near(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const error = relativeError(actual, expected);
  assert(error < TOLERANCE, `${what} differs from tfjs by ${error.toExponential(2)} of its norm`);
}

/** Compares output and all gradients with tfjs; `theirs` computes from its input and its table. */
async function compare(
  ours: Sequential,
  table: number,
  theirs: { apply(x: tf.Tensor, rows: tf.Tensor): tf.Tensor; readonly weights: tf.Variable[] },
): Promise<void> {
  const random = new TestRandom(ours.name);
  const shape = [LABELS.length, ...ours.inputShape];
  const outputShape = [LABELS.length, ...ours.outputShape];
  const size = (s: readonly number[]) => s.reduce((a, b) => a * b);
  const x = Float32Array.from(random.fill(size(shape)));
  const dy = Float32Array.from(random.fill(size(outputShape)));
  const inputs = { x: shape, dy: outputShape, labels: { shape: [LABELS.length], dtype: "u32" } };
  using program = gpu.compile(inputs as never, ({ x, dy, labels }: Record<string, Tensor>) => {
    const y = ours.call(x, { training: true, labels });
    const gradients = grad(ops.sum(ops.mul(y, dy)), [x, ...ours.trainableVariables]);
    return { y, ...Object.fromEntries(gradients.map((g, i) => [`gradient ${i}`, g])) };
  });
  program.run({ x, dy, labels: LABELS } as never);
  const { y, ...gradients } = await program.read() as Record<string, Float32Array>;

  const input = tf.variable(tf.tensor(x, shape));
  const held = ours.variables[table];
  const embeddings = tf.variable(tf.tensor(await held.read(), [...held.shape]));
  const all = [...theirs.weights];
  all.splice(table, 0, embeddings);
  const targets = [input, ...all.filter((_, i) => ours.variables[i].trainable)];
  let output = tf.tensor(0);
  const { grads } = tf.variableGrads(() => {
    const rows = tf.gather(embeddings, tf.tensor1d(LABELS, "int32"));
    output = tf.keep(theirs.apply(input, rows));
    return tf.sum(tf.mul(output, tf.tensor(dy, outputShape))) as tf.Scalar;
  }, targets);
  near(`${ours.name}: y`, y, await output.data());
  for (const [i, name] of ["x", ...ours.trainableVariables.map((v) => v.name)].entries()) {
    const expected = await grads[targets[i].name].data();
    near(`${ours.name}: gradient of ${name}`, gradients[`gradient ${i}`], expected);
  }
  tf.disposeVariables();
}

Deno.test("labels: tfjs agrees on the generator with classes", async () => {
  const sizes = { widths: [6, 5, 4], channels: 3, height: 12, width: 8 };
  const ours = new Generator(gpu, { ...sizes, noiseDim: 7, classes: 4, seed: 1 });
  disturb(ours.variables, new TestRandom("labels"));
  assert.equal(ours.variables[0].name, "class_embedding/embeddings");
  assert.deepEqual(ours.variables[0].shape, [4, 7]);
  const theirs = tutorialGenerator({ ...sizes, noiseDim: 14 });
  await copyWeights(ours.variables.slice(1), theirs);
  await compare(ours, 0, {
    apply: (x, rows) => theirs.apply(tf.concat([x, rows], 1), { training: true }) as tf.Tensor,
    weights: weightsOf(theirs),
  });
  ours.dispose();
});

Deno.test("labels: tfjs agrees on the discriminator with classes", async () => {
  const sizes = { widths: [4, 5, 6], channels: 2, height: 16, width: 8, dropout: 0 };
  const ours = new Discriminator(gpu, { ...sizes, classes: 4, seed: 1 });
  disturb(ours.variables, new TestRandom("labels"));
  assert.equal(ours.variables.at(-1)!.name, "class_projection/embeddings");
  assert.deepEqual(ours.variables.at(-1)!.shape, [4, 12]);
  const theirs = tutorialDiscriminator(sizes);
  await copyWeights(ours.variables.slice(0, -1), theirs);
  const [last, ...before] = [...theirs.layers].reverse();
  await compare(ours, ours.variables.length - 1, {
    apply(x, rows) {
      const features = before.reduceRight((y, layer) => layer.apply(y) as tf.Tensor, x);
      const ofClass = tf.sum(tf.mul(features, rows), 1, true);
      return tf.add(last.apply(features) as tf.Tensor, ofClass);
    },
    weights: weightsOf(theirs),
  });
  ours.dispose();
});

Deno.test("labels: a table starts like the noise, and like the last kernel", async () => {
  const generator = new Generator(gpu, { noiseDim: 50, widths: [2, 2], classes: 40 });
  const rows = await generator.variables[0].read();
  const square = rows.reduce((sum, v) => sum + v * v, 0) / rows.length;
  assertClose([square], [1], { atol: 0.1, what: "mean square" });
  for (const initializer of ["glorotUniform", "heUniform"] as const) {
    const model = discriminatorArchitecture({ classes: 10, initializer });
    const [kernel, , table] = model.layers.at(-1)!.layer.weights;
    assert.deepEqual(table.initializer, kernel.initializer);
    const plain = discriminatorArchitecture({ initializer }).layers.at(-1)!.layer.weights[0];
    assert.deepEqual(kernel.initializer, plain.initializer);
  }
});

Deno.test("labels: a model with classes needs them, and one without refuses them", () => {
  const call = (model: Sequential, labels?: number[], dtype: "u32" | "f32" = "u32") => () =>
    gpu.compile(
      { x: [2, ...model.inputShape], labels: { shape: labels ?? [2], dtype } },
      ({ x, labels: given }) => ({
        y: model.call(x, { training: false, labels: labels && given }),
      }),
    );
  const options = { widths: [2, 2], classes: 10 };
  const [generator, discriminator] = [new Generator(gpu, options), new Discriminator(gpu, options)];
  for (const model of [generator, discriminator]) {
    assert.equal(model.classes, 10);
    const needed = `The ${model.name} takes labels of 10 classes, u32 [2]`;
    const refused = (make: () => unknown, message: string) =>
      assert.throws(make, { name: "TypeError", message });
    refused(call(model), `${needed}, got none: call it with { labels }`);
    refused(call(model, [3]), `${needed}, got u32 [3]`);
    refused(call(model, [2, 1]), `${needed}, got u32 [2, 1]`);
    refused(call(model, [2], "f32"), `${needed}, got f32 [2]`);
    call(model, [2])()[Symbol.dispose]();
  }
  const plain = new Generator(gpu, { widths: [2, 2] });
  assert.equal(plain.classes, 0);
  assert.throws(call(plain, [2]), {
    name: "TypeError",
    message: "The generator has no classes, got labels: make it with { classes }",
  });
});

Deno.test("labels: a sampler makes each image of its class, by default a row of each class", async () => {
  const generator = new Generator(gpu, {
    noiseDim: 6,
    widths: [4, 3],
    height: 6,
    width: 4,
    classes: 3,
  });
  const noise = seedNoise(10, 6, 1);
  using sampler = new Sampler(gpu, generator, 4); // in three batches, the last of them padded
  using program = gpu.compile(
    { x: [10, 6], labels: { shape: [10], dtype: "u32" } },
    ({ x, labels }) => ({ y: generator.call(x, { training: false, labels }) }),
  );
  const expected = async (labels: number[]) => {
    program.run({ x: noise, labels });
    return (await program.read()).y;
  };
  const labels = [2, 1, 0, 0, 1, 2, 2, 2, 0, 1];
  const given = await sampler.sample(noise, Uint32Array.from(labels));
  assertClose(given, await expected(labels), { atol: 1e-6, what: "given" });
  const rows = await sampler.sample(noise);
  assertClose(rows, await expected([0, 0, 0, 0, 1, 1, 1, 1, 2, 2]), { atol: 1e-6, what: "rows" });
  assert(relativeError(given, rows) > 0.01, "the class decides the image");
  assert.deepEqual([...gridLabels(7, 2, 3)], [0, 0, 0, 1, 1, 1, 0]);

  await assert.rejects(sampler.sample(noise, Uint32Array.from([...labels.slice(1), 3])), {
    name: "RangeError",
    message: "The generator has the classes 0 to 2, got the label 3: use one of these",
  });
  await assert.rejects(sampler.sample(noise, new Uint32Array(9)), {
    name: "TypeError",
    message: "10 images need 10 labels, got 9",
  });
  const plain = new Generator(gpu, { noiseDim: 6, widths: [2, 2] });
  using other = new Sampler(gpu, plain, 10);
  await assert.rejects(other.sample(noise, new Uint32Array(10).fill(7)), {
    name: "RangeError",
    message: /^The generator has no classes, got the label 7: leave it out, or take a generator/,
  });
});
