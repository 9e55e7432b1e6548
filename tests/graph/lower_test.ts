import { deepEqual } from "node:assert/strict";
import { Adam, Gpu, ops } from "../../mod.ts";
import { assertClose } from "../support/close.ts";

const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Adam's first step moves every parameter by the learning rate, against the gradient's sign. */
function variablesOfAdam(names: readonly string[]) {
  const variables = gpu.variables(names.map((name) => ({ name, shape: [3], trainable: true })));
  return { variables, adam: new Adam(gpu, variables, { learningRate: 1 }) };
}

Deno.test("an optimizer packs a gradient that is an input", async () => {
  const { variables: [v, w], adam } = variablesOfAdam(["v", "w"]);
  using program = gpu.compile({ x: [3], y: [3] }, ({ x, y }) => {
    adam.apply([ops.neg(x), y]);
    return {};
  });
  program.run({ x: [1, -2, 3], y: [-4, 5, -6] });
  assertClose(await v.read(), [1, -1, 1], { atol: 1e-4, what: "computed gradient" });
  assertClose(await w.read(), [1, -1, 1], { atol: 1e-4, what: "gradient that is an input" });
});

Deno.test("an optimizer packs one gradient for two variables", async () => {
  const { variables: [v, w, u], adam } = variablesOfAdam(["v", "w", "u"]);
  using program = gpu.compile({ x: [3] }, ({ x }) => {
    const shared = ops.neg(x);
    adam.apply([shared, ops.mul(x, 2), shared]);
    return { shared };
  });
  program.run({ x: [1, -2, 3] });
  deepEqual([...(await program.read()).shared], [-1, 2, -3]);
  assertClose(await v.read(), [1, -1, 1], { atol: 1e-4, what: "the gradient" });
  assertClose(await w.read(), [-1, 1, -1], { atol: 1e-4, what: "another" });
  assertClose(await u.read(), [1, -1, 1], { atol: 1e-4, what: "the first again" });
});

Deno.test("an optimizer packs a gradient and what is computed from it", async () => {
  const specs = ["v", "w"].map((name) => ({ name, shape: [4], trainable: true }));
  const [v, w] = gpu.variables(specs);
  const adam = new Adam(gpu, [v, w], { beta1: 0, beta2: 0, learningRate: 1, epsilon: 1 });
  using program = gpu.compile({ x: [4] }, ({ x }) => {
    const g = ops.exp(x);
    // The transpose reads g: both in one buffer would be read and written at once.
    adam.apply([g, ops.reshape(ops.transpose(ops.reshape(g, [2, 2])), [4])]);
    return {};
  });
  const g = [1, 2, 3, 4];
  program.run({ x: g.map(Math.log) });
  const moved = (g: number[]) => g.map((value) => -value / (value + 1));
  assertClose(await v.read(), moved(g), { rtol: 1e-5, what: "the gradient" });
  assertClose(await w.read(), moved([1, 3, 2, 4]), { rtol: 1e-5, what: "its transpose" });
});
