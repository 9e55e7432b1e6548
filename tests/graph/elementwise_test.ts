/** What only long chains and many inputs of the fused elementwise kernel reach, against float64. */

import assert from "node:assert/strict";
import { ops, type Tensor } from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { compute, gpu, run } from "../support/compute.ts";
import { TestRandom } from "../support/random.ts";
import * as float64 from "../support/reference.ts";
import type { Algebra } from "../support/reference.ts";

/** The most that a chain has. */
const INPUTS = 6;
const INSTRUCTIONS = 16;

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
      const data = shapes.map((s) => random.fill(float64.count(s)).map(Math.fround));
      const chain = <T>(o: Algebra<T>, inputs: readonly T[]) =>
        inputs.reduce((y, x, i) => o.mul(o.add(y, x), i - 2.5));
      using program = gpu.compile(
        Object.fromEntries(shapes.map((s, i) => [i, s])),
        (inputs) => ({ y: chain<Tensor>(ops, Object.values(inputs)) }),
      );
      assert.equal(program.stats.dispatches, 1);
      const { y } = await run(program, Object.fromEntries(data.entries()));
      const expected = chain(float64, shapes.map((s, i) => float64.nd(s, data[i])));
      assertClose(y, expected.data, { rtol: 1e-5, atol: 1e-5 });
    });
  }
}

Deno.test("chain: sixteen instructions in one dispatch, each with its own constant", async () => {
  const chain = <T>(o: Algebra<T>, x: T) => {
    for (let n = 0; n < INSTRUCTIONS; n++) x = n % 2 ? o.mul(x, 1 + n / 100) : o.add(x, n + 1);
    return x;
  };
  using program = gpu.compile({ x: [100] }, ({ x }) => ({ y: chain<Tensor>(ops, x) }));
  assert.equal(program.stats.dispatches, 1);
  const x = new TestRandom("constants").fill(100);
  const { y } = await run(program, { x });
  assertClose(y, chain(float64, float64.nd([100], x)).data, { rtol: 1e-6 });
});

Deno.test("chain: a cross-entropy next to zero keeps its digits", async () => {
  // log(1 + z) for every size of z = exp(-x), small ones by a series.
  const x = Array.from({ length: 400 }, (_, i) => Math.fround(i / 20));
  const { y } = await compute({ x }, ({ x }) => ({
    y: ops.sigmoidCrossEntropyWithLogits(x, ops.constant(1, [400])),
  }));
  assertClose(y, x.map((x) => Math.log1p(Math.exp(-x))), { rtol: 2e-5 });
});

Deno.test("chain: recordings that differ in numbers alone share a pipeline", async () => {
  const before = gpu.context.pipelines.count;
  const numbers = Array.from({ length: 200 }, (_, i) => i);
  using program = gpu.compile({ x: [5] }, ({ x }) => {
    return Object.fromEntries(numbers.map((i) => [i, ops.add(ops.mul(x, i + 0.5), -i)]));
  });
  assert.equal(program.stats.dispatches, 200);
  assert.equal(gpu.context.pipelines.count - before, 1);
  const y = await run(program, { x: [0, 1, 2, 3, 4] });
  for (const i of numbers) assert.deepEqual(y[i], [0, 1, 2, 3, 4].map((x) => x * (i + 0.5) - i));
});

Deno.test("chain: a constant by itself, read by other ops and as an output", async () => {
  const x = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
  const y = await compute({ x }, ({ x }) => {
    const c = ops.constant(-0.5, [2, 3]);
    return { c, t: ops.transpose(c), y: ops.mul(x, c), m: ops.matmul(x, ops.reshape(c, [3, 2])) };
  });
  const halves = new Array(6).fill(-0.5);
  const m = [-3, -3, -7.5, -7.5];
  assert.deepEqual(y, { c: halves, t: halves, y: [-0.5, -1, -1.5, -2, -2.5, -3], m });
});
