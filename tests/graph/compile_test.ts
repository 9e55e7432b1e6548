/** Programs compute what was recorded: random graphs, and the order of assignments. */

import { deepEqual, equal, throws } from "node:assert/strict";
import { grad, ops, type Tensor, type Variable } from "../../mod.ts";
import { assertClose, rms } from "../support/close.ts";
import { compute, gpu, held, run } from "../support/compute.ts";
import * as graphs from "../support/fuzz/graphs.ts";
import { draw, specsOf } from "../support/gradcheck.ts";
import { TestRandom } from "../support/random.ts";
import * as float64 from "../support/reference.ts";
import type { Algebra, NdArray } from "../support/reference.ts";

async function checkGraph(seed: number): Promise<void> {
  const random = new TestRandom(`graph ${seed}`);
  // Of two sets of shapes, as each is pipelines to compile: [5, 3] and the like, or in fours.
  const inputs = graphs.leavesFor(new TestRandom(seed % 2 ? "odd" : "fours"));
  const leaves = draw({ inputs }, random);
  const grown = <T extends graphs.Shaped>(
    o: Algebra<T>,
    leaves: Record<string, T>,
    state: graphs.State<T>,
  ) => {
    const random = new TestRandom(`ops ${seed}`);
    return graphs.chosen(graphs.grow(o, leaves, random, 20, state), random);
  };
  const { shape } = leaves.a;
  const values = Array.from({ length: graphs.VARIABLES }, () => draw({ inputs }, random).a);
  const specs = values.map(({ data }, i) => ({ name: `v${i}`, shape, trainable: true, data }));
  // The first two side by side in one buffer.
  const variables = [...gpu.variables(specs.slice(0, 2)), ...gpu.variables(specs.slice(2))];
  const state: graphs.State<NdArray> = {
    read: (i) => values[i],
    assign: (i, value) => void (values[i] = value),
  };
  using program = gpu.compile(specsOf({ inputs }), (tensors) => {
    return grown(ops, tensors, graphs.recordedState(variables));
  });
  const data = Object.fromEntries(Object.entries(leaves).map(([key, { data }]) => [key, data]));
  // Twice: the second run begins with what the first one left in the variables.
  for (let turn = 1; turn <= 2; turn++) {
    const actual = await run(program, data);
    const compare = (what: string, got: ArrayLike<number>, { data }: NdArray) =>
      // Some 25 roundings, each at most doubled by what follows.
      assertClose(got, data, { atol: 2e-5 * Math.max(1, rms(data)), what: `run ${turn}, ${what}` });
    for (const [key, y] of Object.entries(grown(float64, leaves, state))) {
      compare(key, actual[key], y);
    }
    for (const [i, v] of variables.entries()) compare(v.name, await v.read(), values[i]);
  }
  for (const variable of variables) variable.dispose();
}

Deno.test("random graphs compute what the reference computes, op by op", async (t) => {
  for (let seed = 0; seed < 60; seed++) await t.step(`graph ${seed}`, () => checkGraph(seed));
});

Deno.test("what is read before an assignment is the old value, afterwards the new one", async () => {
  const v = gpu.variable([3], [1, 2, 3]);
  using program = gpu.compile({ x: [3] }, ({ x }) => {
    const old = ops.mul(v, 10);
    const oldItself = ops.reshape(v, [3]);
    ops.assign(v, x);
    const between = ops.mul(v, 10);
    ops.assign(v, ops.add(v, 1));
    return { old, oldItself, between, last: ops.mul(v, 10) };
  });
  deepEqual(await run(program, { x: [4, 5, 6] }), {
    old: [10, 20, 30],
    oldItself: [1, 2, 3],
    between: [40, 50, 60],
    last: [50, 60, 70],
  });
  deepEqual(await held(v), [[5, 6, 7]]);
  const { old, oldItself } = await run(program, { x: [0, 0, 0] });
  deepEqual([old, oldItself], [[50, 60, 70], [5, 6, 7]]);
  deepEqual(await held(v), [[1, 1, 1]]);
  v.write([7, 8, 9]);
  deepEqual((await run(program)).old, [70, 80, 90]);
});

/** Values of a variable and of an input, and what a recording of both computes in its first run. */
type Row = [
  shape: readonly number[],
  v: readonly number[],
  x: readonly number[],
  record: (v: Variable, x: Tensor) => Record<string, Tensor>,
  expected: Record<string, readonly number[]>,
];

// Multiples of four, so that a texture holds a copy.
const EYE = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const [EYE_3, EYE_18, EYE_36] = [3, 18, 36].map((factor) => EYE.map((e) => factor * e));

const ROWS: Record<string, Row> = {
  "a reader that is fused into a later op still sees the old value": [
    [4],
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    (v, x) => {
      const old = ops.neg(v);
      ops.assign(v, x);
      // One dispatch, behind the assignment, with the old value and the new one.
      return { y: ops.add(ops.mul(old, 100), v) };
    },
    { y: [-95, -194, -293, -392] },
  ],
  "an old value is seen through reshape, stopGradient and slices": [
    [2, 3],
    [1, 2, 3, 4, 5, 6],
    [1, 0, 0, 0, 0, 10],
    (v, x) => {
      const column = ops.reshape(v, [6, 1]);
      const same = ops.stopGradient(ops.reshape(v, [3, 2]));
      ops.assign(v, x);
      const product = ops.matmul(ops.reshape(v, [1, 6]), column);
      return { product, same, cut: ops.slice(column, [4, 0], [2, 1]) };
    },
    { product: [61], same: [1, 2, 3, 4, 5, 6], cut: [5, 6] },
  ],
  "a matrix product after an assignment takes the new matrix": [
    [4, 4],
    EYE,
    EYE_3,
    (v, x) => {
      const before = ops.matmul(v, x);
      ops.assign(v, ops.mul(before, 2));
      return { before, after: ops.matmul(v, x), square: ops.matmul(v, v) };
    },
    { before: EYE_3, after: EYE_18, square: EYE_36 },
  ],
  "a gradient belongs to the value that the loss has seen": [
    [2],
    [3, 4],
    [1, 2],
    (v, x) => {
      const before = ops.sum(ops.mul(v, v));
      ops.assign(v, x);
      const after = ops.sum(ops.mul(ops.mul(v, v), v));
      return { old: grad(before, [v])[0], now: grad(after, [v])[0] };
    },
    { old: [6, 8], now: [3, 12] },
  ],
  "a variable stands for the newest value that the loss has seen": [
    [2],
    [3, 4],
    [5, 6],
    (v, x) => {
      const old = ops.reshape(v, [2]); // the value itself, before it is overwritten
      const square = ops.mul(v, v);
      ops.assign(v, x);
      const [byName, byValue] = grad(ops.sum(ops.mul(square, v)), [v, old]);
      return { byName, byValue };
    },
    { byName: [9, 16], byValue: [30, 48] }, // the old value squared, and 2 old new
  ],
};

for (const [name, [shape, values, x, record, expected]] of Object.entries(ROWS)) {
  Deno.test(name, async () => {
    const spec = { name: "v", shape, trainable: true, data: values };
    const [beside] = gpu.variables([spec, { ...spec, name: "w" }]);
    for (const v of [gpu.variable(shape, values), beside]) {
      deepEqual(await compute({ x: { shape, data: x } }, ({ x }) => record(v, x)), expected);
    }
  });
}

Deno.test("variables that live side by side", async () => {
  const specs = [[1, 2, 3], [4, 5, 6], [7, 8, 9]].map((data, i) => {
    return { name: `v${i}`, shape: [3], trainable: true, data };
  });
  const [a, b, c] = gpu.variables(specs);
  equal(a.view.buffer, b.view.buffer);
  using swap = gpu.compile({}, () => {
    const old = ops.reshape(a, [3]);
    ops.assign(a, b);
    ops.assign(b, old);
    return { a, old };
  });
  deepEqual(await run(swap), { a: [4, 5, 6], old: [1, 2, 3] });
  deepEqual(await held(a, b), [[4, 5, 6], [1, 2, 3]]);
  deepEqual(await run(swap), { a: [1, 2, 3], old: [4, 5, 6] });
  using rotate = gpu.compile({}, () => {
    const first = ops.reshape(a, [3, 1]);
    ops.assign(a, b);
    ops.assign(b, c);
    ops.assign(c, ops.reshape(first, [3]));
    ops.assign(a, a);
    return { sum: ops.add(ops.add(a, ops.mul(b, 10)), ops.mul(c, 100)) };
  });
  deepEqual(await run(rotate), { sum: [174, 285, 396] });
  deepEqual(await held(a, b, c), [[4, 5, 6], [7, 8, 9], [1, 2, 3]]);
});

Deno.test("a counter counts runs, in f32 and in u32", async () => {
  const f = gpu.variable([], [0]);
  const u = gpu.variable([2], [0, 1], { dtype: "u32" });
  using program = gpu.compile({ words: { shape: [3], dtype: "u32" } }, ({ words }) => {
    ops.assign(f, ops.add(f, 1));
    ops.assign(u, ops.gather(words, u));
    return {};
  });
  program.run({ words: [1, 2, 0xfffffffe] });
  program.run();
  deepEqual(await held(f, u), [[2], [2, 0xfffffffe]]);
  program.run();
  // An index beyond the last row is the last row.
  deepEqual(await held(f, u), [[3], [0xfffffffe, 0xfffffffe]]);
});

Deno.test("a variable that is read and never needed is left alone", async () => {
  const v = gpu.variable([2], [3, 4]);
  using program = gpu.compile({ x: [2] }, ({ x }) => {
    ops.mul(v, 2);
    ops.mul(ops.add(v, x), 3);
    return { y: ops.neg(x) };
  });
  deepEqual(await run(program, { x: [1, 2] }), { y: [-1, -2] });
  equal(program.stats.dispatches, 1);
  const message = /1 values to input x \[2\]/;
  throws(() => program.run({ x: [1] }), { name: "TypeError", message });
});
