/**
 * Adam against Keras' formula in float64.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Adam, type AdamOptions, Discriminator, Gpu, grad, ops } from "../../mod.ts";
import type { Tensor, Variable } from "../../mod.ts";
import { sizeOf } from "../../src/graph/tensor.ts";
import { assertClose } from "../support/close.ts";
import { KerasAdam } from "../support/keras_adam.ts";
import { TestRandom } from "../support/random.ts";

/** Sizes that are no multiple of four, and none of the 64 floats that storage is aligned to. */
const SHAPES = [[3], [1], [5, 7], [2, 3, 11], [129], [64]];

const readAll = (variables: readonly Variable[]) => Promise.all(variables.map((v) => v.read()));

function separate(gpu: Gpu, random: TestRandom): Variable[] {
  return SHAPES.map((shape, i) =>
    gpu.variable(shape, random.fill(sizeOf(shape)), { name: `separate ${i}` })
  );
}

function sideBySide(gpu: Gpu, random: TestRandom, shapes = SHAPES): Variable[] {
  return gpu.variables(shapes.map((shape, i) => ({
    name: `variable ${i}`,
    shape,
    trainable: true,
    data: random.fill(sizeOf(shape)),
  })));
}

/**
 * Steps with random gradients, given as inputs, and compares weights and moments after the last.
 *
 * An update is right to 1e-5 of the learning rate or so (it is float32 arithmetic), and adding it
 * rounds the weight by 6e-8 of its size, every step.
 */
async function compare(
  gpu: Gpu,
  variables: readonly Variable[],
  { steps = 50, options = {}, draw = (r: TestRandom) => r.normal() }: {
    steps?: number;
    options?: AdamOptions;
    draw?: (random: TestRandom) => number;
  } = {},
): Promise<void> {
  const random = new TestRandom("gradients");
  const adam = new Adam(gpu, variables, options);
  const keras = new KerasAdam(await readAll(variables), options);
  const inputs = Object.fromEntries(variables.map((v, i) => [`g${i}`, v.shape]));
  using program = gpu.compile(inputs, (gradients) => {
    adam.apply(variables.map((_, i) => gradients[`g${i}`]));
    return {};
  });
  for (let t = 0; t < steps; t++) {
    const gradients = variables.map((v) => Float32Array.from(random.fill(v.size, draw)));
    program.run(Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])));
    keras.apply(gradients);
  }
  const moments = new Map(adam.moments.map((v) => [v.name, v]));
  const { learningRate = 1e-3 } = options;
  for (const [i, { name }] of variables.entries()) {
    for (const kind of ["m", "v"] as const) {
      const [what, expected] = [`${name}/${kind}`, keras[kind][i]];
      const tolerance = { rtol: 1e-5, atol: 1e-6 * Math.max(...expected.map(Math.abs)), what };
      assertClose(await moments.get(what)!.read(), expected, tolerance);
    }
    const tolerance = { rtol: steps * 6e-8, atol: steps * 1e-5 * learningRate, what: name };
    assertClose(await variables[i].read(), keras.weights[i], tolerance);
  }
  const [t, ...corrections] = await adam.state.read();
  assert.equal(t, steps);
  const { beta1 = 0.9, beta2 = 0.999 } = options;
  const expected = [1 - beta1 ** steps, 1 - beta2 ** steps, learningRate];
  assertClose(corrections, expected, { rtol: 1e-5, what: "Adam's state" });
}

for (const [name, make] of Object.entries({ separate, sideBySide })) {
  Deno.test(`Adam: variables, ${name}`, async () => {
    using gpu = await Gpu.request();
    await compare(gpu, make(gpu, new TestRandom(1)));
  });
}

Deno.test("Adam: variables in another order than they lie in memory", async () => {
  using gpu = await Gpu.request();
  const [a, b, c, d, e, f] = sideBySide(gpu, new TestRandom(3));
  const [g, h] = separate(gpu, new TestRandom(4));
  await compare(gpu, [f, c, g, a, e, h, b, d]);
});

Deno.test("Adam: a subset of a network's variables leaves the others alone", async () => {
  using gpu = await Gpu.request();
  const { variables } = new Discriminator(gpu, { widths: [3, 5] });
  const chosen = variables.filter((_, i) => i === 0 || i === 3 || i === 4);
  const others = variables.filter((v) => !chosen.includes(v));
  const before = await readAll(others);
  await compare(gpu, chosen, { steps: 5 });
  assert.deepEqual(await readAll(others), before);
});

Deno.test("Adam: other rates and decays", async () => {
  using gpu = await Gpu.request();
  const options = { learningRate: 0.02, beta1: 0.5, beta2: 0.9, epsilon: 0.1 };
  await compare(gpu, sideBySide(gpu, new TestRandom(5)), { options });
  const zero = { learningRate: 0.01, beta1: 0, beta2: 0 };
  await compare(gpu, separate(gpu, new TestRandom(6)), { options: zero, steps: 5 });
});

Deno.test("Adam: gradients that are tiny, zero and huge", async () => {
  using gpu = await Gpu.request();
  for (const scale of [1e-12, 1e-6, 1e6]) {
    const draw = (r: TestRandom) => scale * r.normal();
    await compare(gpu, sideBySide(gpu, new TestRandom(7)), { draw });
  }
  await compare(gpu, sideBySide(gpu, new TestRandom(8)), { draw: (r) => r.pick([0, 1e-12, 1e6]) });
  const variables = sideBySide(gpu, new TestRandom(9));
  const before = await readAll(variables);
  await compare(gpu, variables, { draw: () => 0 });
  assert.deepEqual(await readAll(variables), before, "zero gradients move nothing");
});

/** One step of a recording against the formula, with the gradients that the recording gives out. */
async function compareRecorded(
  gpu: Gpu,
  variables: readonly Variable[],
  loss: () => Tensor,
  pick = (gradients: readonly Tensor[]): readonly Tensor[] => gradients,
): Promise<void> {
  const run = (apply: (gradients: readonly Tensor[]) => void) =>
    gpu.compile({}, () => {
      const gradients = pick(grad(loss(), variables));
      apply(gradients);
      return Object.fromEntries(gradients.map((g, i) => [`g${i}`, g]));
    });
  const keras = new KerasAdam(await readAll(variables));
  const adam = new Adam(gpu, variables);
  using updating = run((gradients) => adam.apply(gradients));
  using plain = run(() => {});
  for (let t = 1; t <= 3; t++) {
    plain.run();
    const expected = Object.values(await plain.read());
    updating.run();
    assert.deepEqual(Object.values(await updating.read()), expected, "gradients given out");
    keras.apply(expected);
    for (const [i, variable] of variables.entries()) {
      const tolerance = { rtol: t * 1e-7, atol: t * 1e-8, what: variable.name };
      assertClose(await variable.read(), keras.weights[i], tolerance);
    }
  }
}

Deno.test("Adam: gradients that are outputs of the program too", async () => {
  using gpu = await Gpu.request();
  const variables = sideBySide(gpu, new TestRandom(10));
  await compareRecorded(gpu, variables, () => {
    const terms = variables.map((v) => ops.sum(ops.mul(ops.tanh(v), ops.tanh(v))));
    return terms.reduce((a, b) => ops.add(a, b));
  });
});

Deno.test("Adam: one gradient for two variables", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom(11);
  for (const together of [true, false]) {
    const shape = [5, 3];
    const [a, b] = together
      ? sideBySide(gpu, random, [shape, shape])
      : ["a", "b"].map((name) => gpu.variable(shape, random.fill(15), { name }));
    const loss = () => {
      const sum = ops.add(a, b);
      return ops.sum(ops.mul(sum, sum));
    };
    await compareRecorded(gpu, [a, b], loss);
    await compareRecorded(gpu, [a, b], loss, ([first]) => [first, first]);
  }
});

Deno.test("Adam: gradients that are variables, or each other's variables", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom(13);
  const make = (name: string) => gpu.variable([7], random.fill(7), { name });
  const [a, b, c] = [make("a"), make("b"), make("c")];
  const [x, y, z] = await readAll([a, b, c]);
  const adam = new Adam(gpu, [a, b]);
  const keras = new KerasAdam([x, y]);
  using program = gpu.compile({}, () => {
    adam.apply([c, a]); // the a of before the update
    return {};
  });
  program.run();
  keras.apply([z, x]);
  const tolerance = { rtol: 1e-7, atol: 1e-8 };
  assertClose(await a.read(), keras.weights[0], { ...tolerance, what: "a" });
  assertClose(await b.read(), keras.weights[1], { ...tolerance, what: "b" });
  assert.deepEqual(await c.read(), z);
});

Deno.test("Adam: gradients through reshape and transpose", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom(12);
  const [a, b, c] = sideBySide(gpu, random, [[6, 5], [30], [5, 6]]);
  await compareRecorded(gpu, [a, b, c], () => {
    const product = ops.mul(ops.mul(ops.reshape(a, [30]), b), ops.reshape(ops.transpose(c), [30]));
    return ops.sum(ops.mul(product, product));
  });
});

Deno.test("Adam: what is read before an update is the old value, afterwards the new one", async () => {
  using gpu = await Gpu.request();
  const random = new TestRandom(14);
  const w = gpu.variable([9], random.fill(9));
  const adam = new Adam(gpu, [w], { learningRate: 0.1 });
  const [old] = await readAll([w]);
  using program = gpu.compile({ g: [9] }, ({ g }) => {
    const before = ops.stopGradient(w);
    adam.apply([g]);
    return { before, change: ops.sub(w, before), w, state: adam.state };
  });
  program.run({ g: random.fill(9) });
  const { before, change, w: after, state } = await program.read();
  const [now] = await readAll([w]);
  assert.deepEqual(before, old);
  assert.deepEqual(after, now);
  assert.deepEqual(change, now.map((value, i) => value - old[i]));
  assert.ok(change.every((value) => Math.abs(value) > 0.09));
  assert.equal(state[0], 1);
});

Deno.test("Adam refuses what it cannot do", async () => {
  using gpu = await Gpu.request();
  const variable = gpu.variable([2, 3], undefined, { name: "kernel" });
  const options: [AdamOptions, string][] = [
    [{ beta1: 1 }, "beta1 1; it must be at least 0 and below 1"],
    [{ beta2: -0.1 }, "beta2 -0.1; it must be at least 0 and below 1"],
    [{ beta1: NaN }, "beta1 NaN; it must be at least 0 and below 1"],
    [{ learningRate: -1 }, "learningRate -1; it must be a number of at least 0"],
    [{ learningRate: Infinity }, "learningRate Infinity; it must be a number of at least 0"],
    [{ epsilon: NaN }, "epsilon NaN; it must be a number of at least 0"],
  ];
  for (const [option, reason] of options) {
    const error = { name: "RangeError", message: `Adam got ${reason}` };
    assert.throws(() => new Adam(gpu, [variable], option), error);
  }

  const disposed = gpu.variable([2], undefined, { name: "old" });
  disposed.dispose();
  const words = gpu.variable([2], [0, 1], { name: "c", dtype: "u32" });
  const variables: [Variable[], string | RegExp][] = [
    [[], "Adam needs at least one variable"],
    [[words], "Adam updates f32 variables, c is u32"],
    [[disposed], /variable old \[2\], which was disposed/],
    [[variable, variable], /got a variable twice/],
  ];
  for (const [given, message] of variables) {
    assert.throws(() => new Adam(gpu, given), { name: "TypeError", message });
  }

  const adam = new Adam(gpu, [variable]);
  const gradients: [() => unknown, string | RegExp][] = [
    [
      () => [],
      "Adam updates 1 variables, got 0 gradients: give one for each, in the order of " +
      "adam.variables",
    ],
    [() => ops.constant(0, [2, 3]), /^Adam takes a list of gradients, one for each variable: /],
    [() => [ops.randomBits([2, 3])], "The gradient of kernel is u32: gradients are f32"],
    [() => [undefined], /as the gradient of kernel, got undefined/],
    [
      () => [ops.constant(0, [3, 2])],
      "The gradient of kernel has shape [3, 2], the variable [2, 3]",
    ],
  ];
  for (const [given, message] of gradients) {
    const apply = () => gpu.compile({}, () => (adam.apply(given() as Tensor[]), {}));
    assert.throws(apply, { name: "TypeError", message });
  }
  assert.throws(() => adam.apply([variable]), {
    name: "TypeError",
    message: /call them inside gpu\.compile/,
  });
});
