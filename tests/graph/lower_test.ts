/** Gradients packed side by side for an optimizer, each computed right into its place where it may. */

import { deepEqual } from "node:assert/strict";
import { Adam, ops, type Tensor } from "../../mod.ts";
import { lower } from "../../src/graph/compile.ts";
import { record } from "../../src/graph/graph.ts";
import { assertClose } from "../support/close.ts";
import { compute, gpu, held } from "../support/compute.ts";

/** Updates zeros side by side; a step moves each by -g / (|g| + 1). */
function adamOf(count: number): Adam {
  const specs = Array.from({ length: count }, () => ({ name: "v", shape: [4], trainable: true }));
  return new Adam(gpu, gpu.variables(specs), { learningRate: 1, beta1: 0, beta2: 0, epsilon: 1 });
}

/** Gradients made of x and y, and their values. */
const GRADIENTS: Record<string, [(x: Tensor, y: Tensor) => Tensor[], number[][]]> = {
  "one that is an input": [(x, y) => [ops.neg(x), y], [[-1, 2, -3, 4], [-4, 5, -6, 7]]],
  "one for two variables": [(x) => {
    const shared = ops.neg(x);
    return [shared, ops.mul(x, 2), shared];
  }, [[-1, 2, -3, 4], [2, -4, 6, -8], [-1, 2, -3, 4]]],
  // The transpose reads g: both in one buffer would be read and written at once.
  "one and what is computed from it": [(x) => {
    const g = ops.abs(x);
    return [g, ops.reshape(ops.transpose(ops.reshape(g, [2, 2])), [4])];
  }, [[1, 2, 3, 4], [1, 3, 2, 4]]],
};

for (const [what, [gradients, expected]] of Object.entries(GRADIENTS)) {
  Deno.test(`an optimizer packs gradients: ${what}`, async () => {
    const adam = adamOf(expected.length);
    const given = { x: [1, -2, 3, -4], y: [-4, 5, -6, 7] };
    const [first] = expected;
    const y = await compute(given, ({ x, y }) => {
      const all = gradients(x, y);
      adam.apply(all);
      return { first: all[0] };
    });
    deepEqual(y, { first });
    const moved = expected.flat().map((g) => -g / (Math.abs(g) + 1));
    assertClose((await held(...adam.variables)).flat(), moved, { rtol: 1e-5 });
  });
}

Deno.test("an optimizer packs gradients without copies, whatever else is copied", () => {
  const adam = adamOf(2);
  const count = gpu.variable([4], [1, 2, 3, 4], { name: "count" });
  const recording = record({ x: [4] }, ({ x }) => {
    const old = ops.reshape(count, [4]);
    ops.assign(count, ops.add(x, 1));
    adam.apply([ops.mul(x, 2), ops.neg(x)]);
    return { old };
  });
  const copies = lower(recording, gpu.tuning).steps.filter(({ kind }) => kind === "copy");
  deepEqual(copies.map(({ label }) => label), ["snapshot of count [4]", "assign add [4]"]);
});
