import assert from "node:assert/strict";
import { ops } from "../../mod.ts";
import { gpu, run } from "../support/compute.ts";

const adder = () => gpu.compile({ a: [2], b: [2] }, ({ a, b }) => ({ y: ops.add(a, b) }));

Deno.test("program: inputs keep their last data; outputs are those of the last run", async () => {
  using program = adder();
  program.run({ a: [1, 2], b: [10, 20] });
  const first = program.read("y");
  assert.deepEqual(await run(program, { a: [3, 4] }), { y: [13, 24] });
  assert.deepEqual([...(await first).y], [11, 22], "a read sees the run before it");
});

Deno.test("program: an output that is a variable is its value in the last run", async () => {
  const v = gpu.variable([2, 2], [1, 2, 3, 4]);
  using plain = gpu.compile({}, () => {
    return { v, flat: ops.reshape(v, [4]), same: ops.stopGradient(v) };
  });
  using counting = gpu.compile({}, () => {
    ops.assign(v, ops.add(v, 1));
    return { v, flat: ops.reshape(v, [4]) };
  });
  const outputs = async (program: { read(): Promise<Record<string, Float32Array>> }) =>
    Object.values(await program.read()).map((data) => [...data]);
  plain.run();
  counting.run();
  v.write([10, 20, 30, 40]);
  assert.deepEqual(await outputs(plain), new Array(3).fill([1, 2, 3, 4]));
  assert.deepEqual(await outputs(counting), new Array(2).fill([2, 3, 4, 5]));
  plain.run();
  const early = outputs(plain);
  v.write([0, 0, 0, 0]);
  assert.deepEqual(await early, new Array(3).fill([10, 20, 30, 40]));
});

Deno.test("program: the first run needs every input, and so does a profile", async () => {
  using program = adder();
  const missing = (names: string) => ({
    name: "TypeError",
    message: `The first run of program needs a value for ${names}; later runs keep what they had`,
  });
  assert.throws(() => program.run(), missing("a, b"));
  assert.throws(() => program.run({ b: [10, 20] }), missing("a"));
  await assert.rejects(async () => await program.profile(), missing("a, b"));
  program.run({ a: [1, 2], b: [10, 20] });
  assert.deepEqual(await run(program, { a: undefined, b: [30, 40] }), { y: [31, 42] });
});

Deno.test("program: outputs have the type of their elements", async () => {
  const counter = gpu.variable([1], [7], { dtype: "u32" });
  const input = { i: { shape: [2], dtype: "u32" }, x: [2] } as const;
  using program = gpu.compile(input, ({ i, x }) => ({
    i,
    counter,
    moved: ops.slice(ops.transpose(ops.concat([i, ops.reshape(counter, [1])])), [1], [2]),
    padded: ops.stopGradient(ops.pad(ops.gather(i, i), [[0, 1]])),
    bits: ops.randomBits([2]),
    y: ops.neg(x),
    z: ops.reshape(x, [2, 1]),
  }));
  program.run({ i: [1, 0xffffffff], x: [1, 2] });
  const { i, counter: count, moved, padded, y } = await program.read();
  const { bits, z } = await program.read("bits", "z");
  // These lines are the test as much as what follows: they would not compile.
  const words: Uint32Array[] = [i, count, moved, padded, bits];
  const floats: Float32Array[] = [y, z];
  for (const data of words) assert.ok(data instanceof Uint32Array);
  for (const data of floats) assert.ok(data instanceof Float32Array);
  assert.deepEqual([...moved], [0xffffffff, 7]);
  assert.deepEqual([...padded], [0xffffffff, 0xffffffff, 0]);
  // @ts-expect-error they are whole numbers
  assert.ok(!((bits satisfies Float32Array) instanceof Float32Array));
});

Deno.test("program: what does not fit is refused with names and numbers", async () => {
  using program = gpu.compile({ x: [2, 2] }, ({ x }) => ({ y: ops.neg(x) }));
  // @ts-expect-error there is no such input
  assert.throws(() => program.run({ z: [1] }), /no input z; it has x/);
  assert.throws(() => program.run({ x: [1, 2, 3] }), /3 values to input x \[2, 2\]: it holds 4/);
  // @ts-expect-error there is no such output
  await assert.rejects(program.read("z"), /no output z; it has y/);
  assert.throws(() => gpu.variable([2], [1, 2, 3]), /3 values to variable \[2\]/);
  assert.throws(() => gpu.variable([2, 0]), /every axis must be a positive integer/);
});

Deno.test("program: nothing is read before the first run, or after the program was disposed", async () => {
  const before = gpu.context.memory.count;
  const program = gpu.compile({ x: [1] }, ({ x }) => ({ y: ops.log(x) }), {
    label: "logarithm",
    checkFinite: true,
  });
  const early = { name: "TypeError", message: "Cannot read from logarithm, which has not run yet" };
  await assert.rejects(program.read(), early);
  await assert.rejects(program.firstNonFinite(), early);
  assert.deepEqual(await run(program, { x: [1] }), { y: [0] });
  for (let i = 0; i < 2; i++) program[Symbol.dispose]();
  assert.equal(gpu.context.memory.count, before);
  const disposed = { name: "TypeError", message: "The program logarithm was disposed" };
  assert.throws(() => program.run({ x: [1] }), disposed);
  for (const act of ["read", "profile", "firstNonFinite"] as const) {
    await assert.rejects(async () => await program[act](), disposed);
  }
});
