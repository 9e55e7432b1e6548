/** Programs compute what was recorded: random graphs, and the order of assignments. */

import { deepEqual, equal, throws } from "node:assert/strict";
import { Gpu } from "../../src/graph/gpu.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { Variable } from "../../src/graph/variable.ts";
import { grad } from "../../src/ops/grad.ts";
import * as ops from "../../src/ops/mod.ts";
import { assertClose, rms } from "../support/close.ts";
import { TestRandom } from "../support/random.ts";
import { chosen, grow, recordedState, type State, VARIABLES } from "../support/random_graph.ts";
import * as float64 from "../support/reference.ts";
import type { NdArray } from "../support/reference.ts";

const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Three n x n variables, the first two side by side in one buffer. */
function makeVariables(n: number, values: readonly NdArray[]): Variable<"f32">[] {
  const shape = [n, n];
  const spec = (i: number) => ({ name: `v${i}`, shape, trainable: true, data: values[i].data });
  const specs = [spec(0), spec(1)];
  return [...gpu.variables(specs), gpu.variable(shape, values[2].data, { name: "v2" })];
}

Deno.test("random graphs compute what the reference computes, op by op", async (t) => {
  for (let seed = 0; seed < 60; seed++) {
    await t.step(`graph ${seed}`, async () => {
      const random = new TestRandom(`graph ${seed}`);
      const n = random.pick([5, 8]);
      const array = () => float64.nd([n, n], random.fill(n * n).map(Math.fround));
      const [a, b] = [array(), array()];
      const held = Array.from({ length: VARIABLES }, array);
      const variables = makeVariables(n, held);
      const name = `ops ${seed}`;
      using program = gpu.compile({ a: [n, n], b: [n, n] }, ({ a, b }) => {
        const state = recordedState(variables);
        return chosen(grow<Tensor>(ops, [a, b], state, new TestRandom(name), 20), name);
      });
      const state: State<NdArray> = {
        read: (i) => held[i],
        assign: (i, value) => void (held[i] = value),
      };
      // Twice: the second run begins with what the first one left in the variables.
      for (let run = 1; run <= 2; run++) {
        program.run({ a: a.data, b: b.data });
        const actual = await program.read();
        const expected = chosen(grow(float64, [a, b], state, new TestRandom(name), 20), name);
        const compare = (what: string, got: Float32Array, { data }: NdArray) =>
          // Some 25 roundings, each at most doubled by what follows.
          assertClose(got, data, {
            atol: 2e-5 * Math.max(1, rms(data)),
            what: `run ${run}, ${what}`,
          });
        for (const [key, y] of Object.entries(expected)) compare(key, actual[key], y);
        for (const [i, variable] of variables.entries()) {
          compare(variable.name, await variable.read(), held[i]);
        }
      }
      variables[0].dispose();
      variables[2].dispose();
    });
  }
});

const list = (values: Float32Array | Uint32Array) => [...values];

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
  program.run({ x: [4, 5, 6] });
  let y = await program.read();
  deepEqual(list(y.old), [10, 20, 30]);
  deepEqual(list(y.oldItself), [1, 2, 3]);
  deepEqual(list(y.between), [40, 50, 60]);
  deepEqual(list(y.last), [50, 60, 70]);
  deepEqual(list(await v.read()), [5, 6, 7]);
  program.run({ x: [0, 0, 0] });
  y = await program.read();
  deepEqual(list(y.old), [50, 60, 70]);
  deepEqual(list(y.oldItself), [5, 6, 7]);
  deepEqual(list(await v.read()), [1, 1, 1]);
  v.write([7, 8, 9]);
  program.run();
  deepEqual(list((await program.read("old")).old), [70, 80, 90]);
});

/** Runs once with x, of v's shape: the outputs must be these. */
async function gives(
  v: Variable,
  x: readonly number[],
  body: (x: Tensor) => Record<string, Tensor>,
  expected: Record<string, readonly number[]>,
): Promise<void> {
  using program = gpu.compile({ x: v.shape }, ({ x }) => body(x));
  program.run({ x });
  const outputs = Object.entries(await program.read()).map(([name, data]) => [name, list(data)]);
  deepEqual(Object.fromEntries(outputs), expected);
}

Deno.test("a reader that is fused into a later op still sees the old value", () => {
  const v = gpu.variable([4], [1, 2, 3, 4]);
  return gives(v, [5, 6, 7, 8], (x) => {
    const old = ops.neg(v);
    ops.assign(v, x);
    // One dispatch, behind the assignment, with the old value and the new one.
    return { y: ops.add(ops.mul(old, 100), v) };
  }, { y: [-95, -194, -293, -392] });
});

Deno.test("an old value is seen through reshape, stopGradient and slices", () => {
  const v = gpu.variable([2, 3], [1, 2, 3, 4, 5, 6]);
  return gives(v, [1, 0, 0, 0, 0, 10], (x) => {
    const column = ops.reshape(v, [6, 1]);
    const same = ops.stopGradient(ops.reshape(v, [3, 2]));
    ops.assign(v, x);
    const product = ops.matmul(ops.reshape(v, [1, 6]), column);
    return { product, same, cut: ops.slice(column, [4, 0], [2, 1]) };
  }, { product: [61], same: [1, 2, 3, 4, 5, 6], cut: [5, 6] });
});

Deno.test("a matrix product after an assignment takes the new matrix", async () => {
  // Multiples of four, so that a texture holds a copy.
  const eye = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  for (const beside of [false, true]) {
    const specs = ["v", "w"].map((name) => ({ name, shape: [4, 4], trainable: true, data: eye }));
    const [v] = beside ? gpu.variables(specs) : [gpu.variable([4, 4], eye)];
    const [x, after, square] = [3, 18, 36].map((factor) => eye.map((e) => factor * e));
    await gives(v, x, (x) => {
      const before = ops.matmul(v, x);
      ops.assign(v, ops.mul(before, 2));
      return { before, after: ops.matmul(v, x), square: ops.matmul(v, v) };
    }, { before: x, after, square });
  }
});

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
  swap.run();
  deepEqual(list(await a.read()), [4, 5, 6]);
  deepEqual(list(await b.read()), [1, 2, 3]);
  swap.run();
  const read = await swap.read();
  deepEqual(list(read.a), [1, 2, 3]);
  deepEqual(list(read.old), [4, 5, 6]);

  using rotate = gpu.compile({}, () => {
    const first = ops.reshape(a, [3, 1]);
    ops.assign(a, b);
    ops.assign(b, c);
    ops.assign(c, ops.reshape(first, [3]));
    ops.assign(a, a);
    return { sum: ops.add(ops.add(a, ops.mul(b, 10)), ops.mul(c, 100)) };
  });
  rotate.run();
  deepEqual(list((await rotate.read()).sum), [174, 285, 396]);
  deepEqual(list(await a.read()), [4, 5, 6]);
  deepEqual(list(await b.read()), [7, 8, 9]);
  deepEqual(list(await c.read()), [1, 2, 3]);
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
  deepEqual(list(await f.read()), [2]);
  deepEqual(list(await u.read()), [2, 0xfffffffe]);
  program.run();
  deepEqual(list(await f.read()), [3]);
  // An index beyond the last row is the last row.
  deepEqual(list(await u.read()), [0xfffffffe, 0xfffffffe]);
});

Deno.test("a gradient belongs to the value that the loss has seen", () => {
  const v = gpu.variable([2], [3, 4]);
  return gives(v, [1, 2], (x) => {
    const before = ops.sum(ops.mul(v, v));
    ops.assign(v, x);
    const after = ops.sum(ops.mul(ops.mul(v, v), v));
    const [old] = grad(before, [v]);
    const [now] = grad(after, [v]);
    return { old, now };
  }, { old: [6, 8], now: [3, 12] });
});

Deno.test("a variable stands for the newest value that the loss has seen", () => {
  const v = gpu.variable([2], [3, 4]);
  return gives(v, [5, 6], (x) => {
    const old = ops.reshape(v, [2]); // the value itself, before it is overwritten
    const square = ops.mul(v, v);
    ops.assign(v, x);
    const loss = ops.sum(ops.mul(square, v));
    const [byName, byValue] = grad(loss, [v, old]);
    return { byName, byValue };
    // The old value squared, and 2 old new.
  }, { byName: [9, 16], byValue: [30, 48] });
});

Deno.test("a variable that is read and never needed is left alone", async () => {
  const v = gpu.variable([2], [3, 4]);
  using program = gpu.compile({ x: [2] }, ({ x }) => {
    ops.mul(v, 2);
    ops.mul(ops.add(v, x), 3);
    return { y: ops.neg(x) };
  });
  program.run({ x: [1, 2] });
  deepEqual(list((await program.read()).y), [-1, -2]);
  equal(program.stats.dispatches, 1);
  throws(() => program.run({ x: [1] }), {
    name: "TypeError",
    message: /1 values to input x \[2\]/,
  });
});
