/** What only long chains and many inputs of the fused elementwise kernel reach, against float64. */

import assert from "node:assert/strict";
import { Gpu, ops, type Tensor } from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { TestRandom } from "../support/random.ts";

const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** The most that a chain has. */
const INPUTS = 6;
const INSTRUCTIONS = 16;

/** Element of x, broadcast, at an index of the result. */
function at(x: Float32Array, shape: readonly number[], index: readonly number[]): number {
  const offset = shape.reduce((sum, n, axis) => sum * n + (n === 1 ? 0 : index[axis]), 0);
  return x[offset];
}

/** Six shapes that broadcast to the result in six ways; each and the next have all of its axes. */
function patterns([a, b, c, d]: readonly number[]): number[][] {
  return [[a, b, c, d], [1, b, 1, d], [a, 1, c, 1], [1, b, c, d], [a, b, 1, 1], [1, 1, c, d]];
}

// In fours, and not in fours.
for (const shape of [[3, 2, 5, 8], [3, 2, 5, 7]]) {
  for (let turn = 0; turn < INPUTS; turn++) {
    Deno.test(`chain: six inputs broadcast to [${shape}], each in its own way, turn ${turn}`, async () => {
      const all = patterns(shape);
      const shapes = all.map((_, i) => all[(i + turn) % INPUTS]);
      const random = new TestRandom(turn);
      const data = shapes.map((s) => Float32Array.from(random.fill(s.reduce((a, b) => a * b))));
      using program = gpu.compile(
        Object.fromEntries(shapes.map((s, i) => [`x${i}`, s])),
        (inputs) => {
          let y: Tensor = inputs.x0;
          for (let i = 1; i < INPUTS; i++) y = ops.mul(ops.add(y, inputs[`x${i}`]), i - 2.5);
          return { y };
        },
      );
      assert.equal(program.stats.dispatches, 1);
      program.run(Object.fromEntries(data.map((x, i) => [`x${i}`, x])));
      const { y } = await program.read();
      const expected = Array.from(y, (_, e) => {
        const index = shape.map((n, axis) =>
          Math.floor(e / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % n
        );
        const values = data.map((x, i) => at(x, shapes[i], index));
        return values.reduce((y, x, i) => (y + x) * (i - 2.5));
      });
      assertClose(y, expected, { rtol: 1e-5, atol: 1e-5 });
    });
  }
}

Deno.test("chain: sixteen instructions in one dispatch, each with its own constant", async () => {
  const x = new TestRandom("constants").fill(100);
  using program = gpu.compile({ x: [100] }, ({ x }) => {
    let y: Tensor = x;
    for (let n = 0; n < INSTRUCTIONS; n++) y = n % 2 ? ops.mul(y, 1 + n / 100) : ops.add(y, n + 1);
    return { y };
  });
  assert.equal(program.stats.dispatches, 1);
  program.run({ x });
  const { y } = await program.read();
  const expected = x.map((value) => {
    for (let n = 0; n < INSTRUCTIONS; n++) value = n % 2 ? value * (1 + n / 100) : value + n + 1;
    return value;
  });
  assertClose(y, expected, { rtol: 1e-6 });
});

Deno.test("chain: a cross-entropy next to zero keeps its digits", async () => {
  // log(1 + z) for every size of z = exp(-x), small ones by a series.
  const logits = Array.from({ length: 400 }, (_, i) => i / 20);
  using program = gpu.compile({ x: [logits.length] }, ({ x }) => ({
    y: ops.sigmoidCrossEntropyWithLogits(x, ops.constant(1, [logits.length])),
  }));
  program.run({ x: logits });
  const { y } = await program.read();
  const expected = [...Float32Array.from(logits)].map((x) => Math.log1p(Math.exp(-x)));
  assertClose(y, expected, { rtol: 2e-5 });
});

Deno.test("chain: recordings that differ in numbers alone share a pipeline", async () => {
  const before = gpu.context.pipelines.count;
  const count = 200;
  using program = gpu.compile({ x: [5] }, ({ x }) => {
    const outputs = Array.from({ length: count }, (_, i) => {
      return [`y${i}`, ops.add(ops.mul(x, i + 0.5), -i)] as const;
    });
    return Object.fromEntries(outputs);
  });
  assert.equal(program.stats.dispatches, count);
  assert.equal(gpu.context.pipelines.count - before, 1);
  program.run({ x: [0, 1, 2, 3, 4] });
  const y = await program.read();
  for (let i = 0; i < count; i++) {
    assert.deepEqual([...y[`y${i}`]], [0, 1, 2, 3, 4].map((x) => x * (i + 0.5) - i));
  }
});

Deno.test("chain: a constant by itself, read by other ops and as an output", async () => {
  using program = gpu.compile({ x: [2, 3] }, ({ x }) => {
    const c = ops.constant(-0.5, [2, 3]);
    return { c, t: ops.transpose(c), y: ops.mul(x, c), m: ops.matmul(x, ops.reshape(c, [3, 2])) };
  });
  program.run({ x: [1, 2, 3, 4, 5, 6] });
  const { c, t, y, m } = await program.read();
  assert.deepEqual([...c], new Array(6).fill(-0.5));
  assert.deepEqual([...t], new Array(6).fill(-0.5));
  assert.deepEqual([...y], [-0.5, -1, -1.5, -2, -2.5, -3]);
  assert.deepEqual([...m], [-3, -3, -7.5, -7.5]);
});
