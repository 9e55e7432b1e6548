/** What is the same in every run is computed once, and again when its variables were written. */

import { deepEqual, equal, ok } from "node:assert/strict";
import { ops, type Tensor } from "../../mod.ts";
import { lower } from "../../src/graph/compile.ts";
import { record } from "../../src/graph/graph.ts";
import { gpu, run } from "../support/compute.ts";
import { TestRandom } from "../support/random.ts";

Deno.test("what reads only variables is computed again when one of them was written", async () => {
  const w = gpu.variable([2, 2], [1, 2, 3, 4]);
  const b = gpu.variable([2], [0, 0]);
  const body = ({ x }: { x: Tensor }) => {
    const square = ops.matmul(w, w);
    return { y: ops.add(ops.matmul(x, square), ops.exp(b)), square };
  };
  const { invariant, steps } = lower(record({ x: [1, 2] }, body), gpu.tuning);
  ok(invariant > 0 && invariant < steps.length, `${invariant} of ${steps.length} steps`);
  using program = gpu.compile({ x: [1, 2] }, body);
  const gives = async (x: number[], y: number[], square: number[]) =>
    deepEqual(await run(program, { x }), { y, square });
  await gives([1, 0], [8, 11], [7, 10, 15, 22]);
  await gives([0, 1], [16, 23], [7, 10, 15, 22]);
  w.write([1, 0, 0, 1]);
  await gives([2, 3], [3, 4], [1, 0, 0, 1]);
  using other = gpu.compile({}, () => (ops.assign(w, ops.mul(w, 2)), {}));
  other.run();
  await gives([2, 3], [9, 13], [4, 0, 0, 4]);
  await gives([1, 1], [5, 5], [4, 0, 0, 4]);
});

Deno.test("what is kept for later runs shares no memory with what comes after its last use", async () => {
  const random = new TestRandom("kept");
  const w = gpu.variable([32, 32], random.fill(32 * 32));
  const make = () =>
    gpu.compile({ x: [32, 32] }, ({ x }) => {
      let y: Tensor = ops.matmul(x, ops.transpose(w));
      // Each is as large as the transpose, and would fit into its place.
      for (let i = 0; i < 4; i++) y = ops.tanh(ops.matmul(ops.transpose(y), x));
      return { y };
    });
  using program = make();
  for (let turn = 0; turn < 3; turn++) {
    const x = random.fill(32 * 32);
    using fresh = make();
    deepEqual(await run(program, { x }), await run(fresh, { x }), `run ${turn}`);
  }
});

Deno.test("a profile writes variables as a run does", async () => {
  const w = gpu.variable([2], [1, 2]);
  using reader = gpu.compile({}, () => ({ y: ops.mul(w, 2) }));
  using writer = gpu.compile({}, () => (ops.assign(w, ops.add(w, 10)), {}));
  deepEqual(await run(reader), { y: [2, 4] });
  await writer.profile();
  deepEqual(await run(reader), { y: [22, 24] });
});

Deno.test("what a program assigns itself is never the same", async () => {
  const w = gpu.variable([3], [1, 2, 3]);
  const body = () => {
    const y = ops.exp(ops.mul(w, 0));
    ops.assign(w, ops.add(w, y));
    return { y: ops.mul(w, 1) };
  };
  // Nothing is set apart that would have to run again after every run.
  equal(lower(record({}, body), gpu.tuning).invariant, 0);
  using program = gpu.compile({}, body);
  for (const y of [[2, 3, 4], [3, 4, 5], [4, 5, 6]]) deepEqual(await run(program), { y });
});
