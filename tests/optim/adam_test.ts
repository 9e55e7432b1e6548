/** Adam against Keras' formula in float64. */

import assert from "node:assert/strict";
import { Adam, type AdamOptions, Discriminator, grad, ops } from "../../mod.ts";
import type { Tensor, Variable } from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { compute, gpu, held, run } from "../support/compute.ts";
import { KerasAdam } from "../support/keras_adam.ts";
import { TestRandom } from "../support/random.ts";
import { count } from "../support/reference.ts";

/** Sizes that are no multiple of four, and none of the 64 floats that storage is aligned to. */
const SHAPES = [[3], [1], [5, 7], [2, 3, 11], [129], [64]];

function separate(random: TestRandom, shapes = SHAPES): Variable[] {
  return shapes.map((shape, i) =>
    gpu.variable(shape, random.fill(count(shape)), { name: `separate ${i}` })
  );
}

function sideBySide(random: TestRandom, shapes = SHAPES): Variable[] {
  return gpu.variables(shapes.map((shape, i) => ({
    name: `variable ${i}`,
    shape,
    trainable: true,
    data: random.fill(count(shape)),
  })));
}

/**
 * Steps with random gradients, given as inputs, and compares weights and moments after the last.
 *
 * An update is right to 1e-5 of the learning rate or so (it is float32 arithmetic), and adding it
 * rounds the weight by 6e-8 of its size, every step.
 */
async function compare(
  variables: readonly Variable[],
  options: AdamOptions = {},
  steps = 50,
  draw = (r: TestRandom) => r.normal(),
): Promise<void> {
  const random = new TestRandom("gradients");
  const adam = new Adam(gpu, variables, options);
  const keras = new KerasAdam(await held(...variables), options);
  using program = gpu.compile(
    Object.fromEntries(variables.map((v, i) => [i, v.shape])),
    (gradients) => (adam.apply(Object.values(gradients)), {}),
  );
  for (let t = 0; t < steps; t++) {
    const gradients = variables.map((v) => Float32Array.from(random.fill(v.size, draw)));
    program.run(Object.fromEntries(gradients.entries()));
    keras.apply(gradients);
  }
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999 } = options;
  const moments = new Map(adam.moments.map((v) => [v.name, v]));
  for (const [i, variable] of variables.entries()) {
    for (const kind of ["m", "v"] as const) {
      const [what, expected] = [`${variable.name}/${kind}`, keras[kind][i]];
      const tolerance = { rtol: 1e-5, atol: 1e-6 * Math.max(...expected.map(Math.abs)), what };
      assertClose(await moments.get(what)!.read(), expected, tolerance);
    }
    const what = variable.name;
    const tolerance = { rtol: steps * 6e-8, atol: steps * 1e-5 * learningRate, what };
    assertClose(await variable.read(), keras.weights[i], tolerance);
  }
  const [[t, ...corrections]] = await held(adam.state);
  assert.equal(t, steps);
  const expected = [1 - beta1 ** steps, 1 - beta2 ** steps, learningRate];
  assertClose(corrections, expected, { rtol: 1e-5, what: "Adam's state" });
}

Deno.test("Adam: variables, separate", () => compare(separate(new TestRandom(1))));

Deno.test("Adam: variables, side by side", () => compare(sideBySide(new TestRandom(1))));

Deno.test("Adam: a learning rate that falls as Keras' PolynomialDecay does, and ends at 0", () =>
  compare(separate(new TestRandom(2)), { learningRate: 0.01, decaySteps: 40 }));

Deno.test("Adam: where the learning rate has fallen to 0, nothing moves", async () => {
  const w = gpu.variable([3], [1, 2, 3]);
  const adam = new Adam(gpu, [w], { learningRate: 0.1, decaySteps: 2.5 });
  using program = gpu.compile({ g: [3] }, ({ g }) => (adam.apply([g]), {}));
  const moved: boolean[] = [];
  for (let t = 1; t <= 5; t++) {
    const before = await w.read();
    program.run({ g: [1, -1, 1] });
    moved.push((await w.read()).some((value, i) => value !== before[i]));
  }
  assert.deepEqual(moved, [true, true, true, false, false]);
});

Deno.test("Adam: variables in another order than they lie in memory", () => {
  const [a, b, c, d, e, f] = sideBySide(new TestRandom(3));
  const [g, h] = separate(new TestRandom(4));
  return compare([f, c, g, a, e, h, b, d]);
});

Deno.test("Adam: a subset of a network's variables leaves the others alone", async () => {
  const { variables } = new Discriminator(gpu, { widths: [3, 5] });
  const chosen = variables.filter((_, i) => i === 0 || i === 3 || i === 4);
  const others = variables.filter((v) => !chosen.includes(v));
  const before = await held(...others);
  await compare(chosen, {}, 5);
  assert.deepEqual(await held(...others), before);
});

Deno.test("Adam: other rates and decays", async () => {
  const options = { learningRate: 0.02, beta1: 0.5, beta2: 0.9, epsilon: 0.1 };
  await compare(sideBySide(new TestRandom(5)), options);
  const zero = { learningRate: 0.01, beta1: 0, beta2: 0 };
  await compare(separate(new TestRandom(6)), zero, 5);
});

for (const scale of [1e-12, 1e-6, 1e6]) {
  Deno.test(`Adam: gradients of about ${scale}`, () =>
    compare(sideBySide(new TestRandom(7)), {}, 50, (r) => scale * r.normal()));
}

Deno.test("Adam: gradients that are tiny, zero and huge", async () => {
  await compare(sideBySide(new TestRandom(8)), {}, 50, (r) => r.pick([0, 1e-12, 1e6]));
  const variables = sideBySide(new TestRandom(9));
  const before = await held(...variables);
  await compare(variables, {}, 50, () => 0);
  assert.deepEqual(await held(...variables), before, "zero gradients move nothing");
});

/** Three steps of a recording against the formula, with the gradients that the recording gives out. */
async function compareRecorded(
  variables: readonly Variable[],
  loss: () => Tensor,
  pick = (gradients: readonly Tensor[]): readonly Tensor[] => gradients,
): Promise<void> {
  const compile = (apply: (gradients: readonly Tensor[]) => void) =>
    gpu.compile({}, () => {
      const gradients = pick(grad(loss(), variables));
      apply(gradients);
      return Object.fromEntries(gradients.entries());
    });
  const keras = new KerasAdam(await held(...variables));
  const adam = new Adam(gpu, variables);
  using updating = compile((gradients) => adam.apply(gradients));
  using plain = compile(() => {});
  for (let t = 1; t <= 3; t++) {
    const expected = await run(plain);
    assert.deepEqual(await run(updating), expected, "gradients given out");
    keras.apply(Object.values(expected));
    for (const [i, variable] of variables.entries()) {
      const tolerance = { rtol: t * 1e-7, atol: t * 1e-8, what: variable.name };
      assertClose(await variable.read(), keras.weights[i], tolerance);
    }
  }
}

Deno.test("Adam: gradients that are outputs of the program too", () => {
  const variables = sideBySide(new TestRandom(10));
  return compareRecorded(variables, () => {
    const terms = variables.map((v) => ops.sum(ops.mul(ops.tanh(v), ops.tanh(v))));
    return terms.reduce((a, b) => ops.add(a, b));
  });
});

Deno.test("Adam: one gradient for two variables", async () => {
  for (const make of [sideBySide, separate]) {
    const [a, b] = make(new TestRandom(11), [[5, 3], [5, 3]]);
    const loss = () => {
      const sum = ops.add(a, b);
      return ops.sum(ops.mul(sum, sum));
    };
    await compareRecorded([a, b], loss);
    await compareRecorded([a, b], loss, ([first]) => [first, first]);
  }
});

Deno.test("Adam: gradients that are variables, or each other's variables", async () => {
  const [a, b, c] = separate(new TestRandom(13), [[7], [7], [7]]);
  const [x, y, z] = await held(a, b, c);
  const adam = new Adam(gpu, [a, b]);
  const keras = new KerasAdam([x, y]);
  await compute({}, () => (adam.apply([c, a]), {})); // the a of before the update
  keras.apply([z, x]);
  const [newA, newB, newC] = await held(a, b, c);
  const tolerance = { rtol: 1e-7, atol: 1e-8 };
  assertClose([...newA, ...newB], keras.weights.flatMap((w) => [...w]), tolerance);
  assert.deepEqual(newC, z);
});

Deno.test("Adam: gradients through reshape and transpose", () => {
  const [a, b, c] = sideBySide(new TestRandom(12), [[6, 5], [30], [5, 6]]);
  return compareRecorded([a, b, c], () => {
    const product = ops.mul(ops.mul(ops.reshape(a, [30]), b), ops.reshape(ops.transpose(c), [30]));
    return ops.sum(ops.mul(product, product));
  });
});

Deno.test("Adam: what is read before an update is the old value, afterwards the new one", async () => {
  const random = new TestRandom(14);
  const [w] = separate(random, [[9]]);
  const adam = new Adam(gpu, [w], { learningRate: 0.1 });
  const [old] = await held(w);
  const { before, change, now, state } = await compute({ g: random.fill(9) }, ({ g }) => {
    const before = ops.stopGradient(w);
    adam.apply([g]);
    return { before, change: ops.sub(w, before), now: w, state: adam.state };
  });
  assert.deepEqual([before, now], [old, ...await held(w)]);
  assert.deepEqual(change, now.map((value, i) => Math.fround(value - old[i])));
  assert.ok(change.every((value) => Math.abs(value) > 0.09));
  assert.equal(state[0], 1);
});

Deno.test("Adam refuses what it cannot do", () => {
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
  const made = (...variables: Variable[]) => () => new Adam(gpu, variables);
  const adam = new Adam(gpu, [variable]);
  const applied = (gradients: () => unknown) => () =>
    gpu.compile({}, () => (adam.apply(gradients() as Tensor[]), {}));
  const refused: [act: () => unknown, message: string | RegExp][] = [
    [made(), "Adam needs at least one variable"],
    [made(words), "Adam updates f32 variables, c is u32"],
    [made(disposed), /variable old \[2\], which was disposed/],
    [made(variable, variable), /got a variable twice/],
    [
      applied(() => []),
      "Adam updates 1 variables, got 0 gradients: give one for each, in the order of " +
      "adam.variables",
    ],
    [
      applied(() => ops.constant(0, [2, 3])),
      /^Adam takes a list of gradients, one for each variable: /,
    ],
    [applied(() => [ops.randomBits([2, 3])]), "The gradient of kernel is u32: gradients are f32"],
    [applied(() => [undefined]), /as the gradient of kernel, got undefined/],
    [
      applied(() => [ops.constant(0, [3, 2])]),
      "The gradient of kernel has shape [3, 2], the variable [2, 3]",
    ],
    [() => adam.apply([variable]), /call them inside gpu\.compile/],
  ];
  for (const [act, message] of refused) assert.throws(act, { name: "TypeError", message });
});
