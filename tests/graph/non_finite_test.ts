import assert from "node:assert/strict";
import { Adam, grad, ops, type Tensor } from "../../mod.ts";
import { gpu, run } from "../support/compute.ts";

const checkFinite = true;

Deno.test("check finite: what makes the first number that is not finite is named, in every run anew", async () => {
  const w = gpu.variable([3], [1, 2, 3], { name: "w" });
  using program = gpu.compile({ x: [2, 3] }, ({ x }) => {
    const y = ops.mean(ops.log(ops.mul(x, w)));
    const [dw] = grad(y, [w]);
    return { y, dw };
  }, { checkFinite });
  const first = async (x: number[], expected?: string) => {
    program.run({ x });
    assert.equal(await program.firstNonFinite(), expected);
  };
  const good = [1, 2, 3, 4, 5, 6];
  await first(good);
  await first([1, 2, 3, 4, 5, 0], "log [2, 3]");
  await first(good);
  await first([1, 2, 3, NaN, 5, 6], "input x [2, 3]");
  await first([1, 2, 3, -Infinity, 5, 6], "input x [2, 3]");
  await first([1, 2, 3e38, 4, 5, 6], "mul [2, 3]"); // beyond the largest float
  w.write([1, Infinity, 3]);
  await first(good, "w [3]");
});

Deno.test("check finite: every number counts, and nothing beyond them", async () => {
  // 5 of 64 numbers of the buffer are the tensor's.
  for (const size of [1, 3, 4, 5, 4097]) {
    using program = gpu.compile({ x: [size] }, ({ x }) => ({ y: ops.sum(x) }), { checkFinite });
    for (let at = 0; at < size; at += Math.ceil(size / 7)) {
      const x = new Float32Array(size);
      program.run({ x });
      assert.equal(await program.firstNonFinite(), undefined);
      x[at] = NaN;
      program.run({ x });
      assert.equal(await program.firstNonFinite(), `input x [${size}]`, `number ${at}`);
    }
  }
});

Deno.test("check finite: integers are no floats, whatever their bits", async () => {
  const inputs = { i: { shape: [2], dtype: "u32" }, x: [4, 2] } as const;
  using program = gpu.compile(inputs, ({ i, x }) => ({ y: ops.gather(x, i) }), { checkFinite });
  // Out of range indices are clamped; as floats these bits would be NaN.
  program.run({ i: [0x7fffffff, 1], x: new Float32Array(8) });
  assert.equal(await program.firstNonFinite(), undefined);
});

Deno.test("check finite: what an update leaves in variables is seen in the run that made it", async () => {
  const w = gpu.variable([2], [1, 1], { name: "w" });
  const adam = new Adam(gpu, [w], { learningRate: 1 });
  using program = gpu.compile({ x: [2] }, ({ x }) => {
    adam.apply(grad(ops.sum(ops.mul(x, w)), [w]));
    return {};
  }, { checkFinite });
  program.run({ x: [1, 2] });
  assert.equal(await program.firstNonFinite(), undefined);
  // Its square is beyond the largest float.
  program.run({ x: [1e30, 2] });
  assert.equal(await program.firstNonFinite(), "w/v [2]");
});

Deno.test("check finite: it does not change results, and costs only whoever asks", async () => {
  const body = ({ x }: { x: Tensor }) => ({ y: ops.add(ops.exp(x), ops.tanh(x)) });
  using plain = gpu.compile({ x: [100] }, body);
  using checked = gpu.compile({ x: [100] }, body, { checkFinite });
  const x = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i));
  assert.deepEqual(await run(checked, { x }), await run(plain, { x }));
  assert.equal(plain.stats.dispatches, 1);
  assert.equal(checked.stats.dispatches, 3);
  await assert.rejects(plain.firstNonFinite(), /compile it with \{ checkFinite: true \}/);
});

Deno.test("check finite: the option's former name works", async () => {
  using program = gpu.compile({ x: [1] }, ({ x }) => ({ y: ops.log(x) }), { watch: true });
  program.run({ x: [0] });
  assert.equal(await program.firstNonFinite(), "log [1]");
});
