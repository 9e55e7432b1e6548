import assert from "node:assert/strict";
import {
  Adam,
  DeviceLostError,
  Gpu,
  GpuValidationError,
  grad,
  ops,
  OutOfMemoryError,
} from "../../mod.ts";
import { ADVICE_FOR_VARIABLES } from "../../src/graph/variable.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import { kernel } from "../../src/gpu/shader.ts";

async function defaultDevice(): Promise<GPUDevice> {
  return await (await navigator.gpu.requestAdapter())!.requestDevice();
}

Deno.test("gpu: the public contract's example", async () => {
  using gpu = await Gpu.request();
  const w = gpu.variable([5, 5, 1, 64], new Float32Array(1600).fill(0.01));
  const program = gpu.compile({ x: [8, 28, 28, 1] }, ({ x }) => {
    const y = ops.conv2d(x, w, { strides: 2, padding: "same" });
    const loss = ops.mean(ops.mul(y, y));
    const [dx, dw] = grad(loss, [x, w]);
    return { y, loss, dx, dw };
  });
  program.run({ x: new Float32Array(8 * 784).fill(1) });
  const { y, dw } = await program.read("y", "dw");
  assert.ok(y instanceof Float32Array && dw instanceof Float32Array);
  assert.equal(y.length, 8 * 14 * 14 * 64);
  assert.ok(Math.abs(y[(14 * 7 + 7) * 64] - 0.25) < 1e-6, "25 taps of 0.01");
  assert.deepEqual(Object.keys(await program.read()), ["y", "loss", "dx", "dw"]);
  w.write(new Float32Array(1600).fill(2));
  assert.equal((await w.read())[1599], 2);
});

Deno.test("gpu: a caller's device with default limits works, and is left alone", async () => {
  const device = await defaultDevice();
  {
    using gpu = Gpu.from(device);
    assert.equal(gpu.device, device);
    const program = gpu.compile({ a: [70, 33], b: [33, 65] }, ({ a, b }) => ({
      y: ops.sum(ops.matmul(a, b)),
    }));
    program.run({ a: new Float32Array(2310).fill(1), b: new Float32Array(2145).fill(1) });
    assert.equal((await program.read("y")).y[0], 70 * 33 * 65);
  }
  const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, new Uint8Array(16));
  await device.queue.onSubmittedWorkDone();
  device.destroy();
});

Deno.test("gpu: inputs keep their last data; outputs are those of the last run", async () => {
  using gpu = await Gpu.request();
  const program = gpu.compile({ a: [2], b: [2] }, ({ a, b }) => ({ y: ops.add(a, b) }));
  program.run({ a: [1, 2], b: [10, 20] });
  const first = program.read("y");
  program.run({ a: [3, 4] });
  assert.deepEqual([...(await program.read("y")).y], [13, 24]);
  assert.deepEqual([...(await first).y], [11, 22], "a read sees the run before it");
});

Deno.test("gpu: an output that is a variable is its value in the last run", async () => {
  using gpu = await Gpu.request();
  const v = gpu.variable([2, 2], [1, 2, 3, 4]);
  using plain = gpu.compile(
    {},
    () => ({ v, flat: ops.reshape(v, [4]), same: ops.stopGradient(v) }),
  );
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

Deno.test("gpu: the first run needs every input, and so does a profile", async () => {
  using gpu = await Gpu.request();
  const program = gpu.compile({ a: [2], b: [2] }, ({ a, b }) => ({ y: ops.add(a, b) }));
  const missing = (names: string) => ({
    name: "TypeError",
    message: `The first run of program needs a value for ${names}; later runs keep what they had`,
  });
  assert.throws(() => program.run(), missing("a, b"));
  assert.throws(() => program.run({ b: [10, 20] }), missing("a"));
  await assert.rejects(async () => await program.profile(), missing("a, b"));
  program.run({ a: [1, 2], b: [10, 20] });
  program.run({ a: undefined, b: [30, 40] });
  assert.deepEqual([...(await program.read()).y], [31, 42]);
});

Deno.test("gpu: outputs have the type of their elements", async () => {
  using gpu = await Gpu.request();
  const counter = gpu.variable([1], [7], { dtype: "u32" });
  const input = { i: { shape: [2], dtype: "u32" }, x: [2] } as const;
  const program = gpu.compile(input, ({ i, x }) => ({
    i,
    counter,
    moved: ops.slice(ops.transpose(ops.concat([i, ops.reshape(counter, [1])])), [1], [2]),
    padded: ops.stopGradient(ops.pad(ops.gather(i, i), [[0, 1]])),
    bits: ops.randomBits([2]),
    y: ops.neg(x),
    z: ops.reshape(x, [2, 1]),
  }));
  program.run({ i: [1, 0xffffffff], x: [1, 2] });
  const all = await program.read();
  // These lines are the test as much as what follows: they would not compile.
  const words: Record<string, Uint32Array> = {
    i: all.i,
    counter: all.counter,
    moved: all.moved,
    padded: all.padded,
    bits: (await program.read("bits")).bits,
  };
  const floats: Record<string, Float32Array> = { y: all.y, z: (await program.read("z", "y")).z };
  for (const data of Object.values(words)) assert.ok(data instanceof Uint32Array);
  for (const data of Object.values(floats)) assert.ok(data instanceof Float32Array);
  assert.deepEqual([...words.moved], [0xffffffff, 7]);
  assert.deepEqual([...words.padded], [0xffffffff, 0xffffffff, 0]);
  // @ts-expect-error they are whole numbers
  assert.ok(!((all.bits satisfies Float32Array) instanceof Float32Array));
});

Deno.test("gpu: a variable of another device, or a disposed one, is refused by name", async () => {
  using gpu = await Gpu.request();
  using other = await Gpu.request();
  const recordings = (name: string, owner: Gpu) => {
    const foreign = owner.variable([2], [1, 2], { name });
    const adam = new Adam(owner, [foreign]);
    return [foreign, [
      () => gpu.compile({}, () => ({ y: ops.neg(foreign) })),
      () => gpu.compile({}, () => ({ foreign })),
      () => gpu.compile({ x: [2] }, ({ x }) => (ops.assign(foreign, x), {})),
      () => gpu.compile({ x: [2] }, ({ x }) => (adam.apply([x]), {})),
    ]] as const;
  };
  const [, foreign] = recordings("kernel", other);
  for (const compile of foreign) {
    assert.throws(compile, { name: "TypeError", message: /^Cannot use .* another device.*: make/ });
  }
  const [variable, disposed] = recordings("bias", gpu);
  variable.dispose();
  for (const compile of disposed) {
    assert.throws(compile, { name: "TypeError", message: /variable bias.* disposed: make/ });
  }
  await assert.rejects(variable.read(), { name: "TypeError", message: /bias.* disposed/ });
  assert.throws(() => variable.write([1, 2]), { name: "TypeError", message: /bias.* disposed/ });
  // Another Gpu over the same device may use it.
  using again = Gpu.from(gpu.device);
  const shared = gpu.variable([2], [1, 2]);
  using program = again.compile({}, () => ({ y: ops.neg(shared) }));
  program.run();
  assert.deepEqual([...(await program.read()).y], [-1, -2]);
});

Deno.test("gpu: a recording must return its outputs, not a promise of them", async () => {
  using gpu = await Gpu.request();
  // @ts-expect-error a promise has no tensors
  const compile = () => gpu.compile({ x: [2] }, ({ x }) => Promise.resolve({ y: ops.neg(x) }));
  assert.throws(compile, { name: "TypeError", message: /returned a promise/ });
  assert.equal(gpu.context.memory.count, 0);
});

Deno.test("gpu: what does not fit is refused with names and numbers", async () => {
  using gpu = await Gpu.request();
  const program = gpu.compile({ x: [2, 2] }, ({ x }) => ({ y: ops.neg(x) }));
  // @ts-expect-error there is no such input
  assert.throws(() => program.run({ z: [1] }), /no input z; it has x/);
  assert.throws(() => program.run({ x: [1, 2, 3] }), /3 values to input x \[2, 2\]: it holds 4/);
  // @ts-expect-error there is no such output
  await assert.rejects(program.read("z"), /no output z; it has y/);
  assert.throws(() => gpu.variable([2], [1, 2, 3]), /3 values to variable \[2\]/);
  assert.throws(() => gpu.variable([2, 0]), /every axis must be a positive integer/);
  program[Symbol.dispose]();
  assert.throws(() => program.run(), /was disposed/);
});

Deno.test("gpu: what is larger than the device allows is refused when compiled", async () => {
  const device = await defaultDevice();
  using gpu = Gpu.from(device);
  const most = device.limits.maxBufferSize;
  assert.throws(() => gpu.variable([most / 4 + 1]), (error: Error) => {
    assert.ok(error instanceof OutOfMemoryError);
    assert.match(error.message, new RegExp(`maxBufferSize is ${most}`));
    return true;
  });
  const n = Math.ceil(Math.sqrt(device.limits.maxStorageBufferBindingSize / 4)) + 1;
  const outer = () =>
    gpu.compile({ a: [n, 1], b: [1, n] }, ({ a, b }) => ({ y: ops.matmul(a, b) }));
  assert.throws(outer, (error: Error) => {
    assert.ok(error instanceof OutOfMemoryError);
    assert.match(error.message, new RegExp(`matmul \\[${n}, ${n}\\] needs .*BindingSize`));
    return true;
  });
  // One input after another is allocated.
  const two = () => gpu.compile({ a: [2], b: [most / 4 + 1] }, ({ a }) => ({ y: ops.neg(a) }));
  assert.throws(two, { name: "OutOfMemoryError", message: /input b \[67108865\].*maxBufferSize/ });
  assert.equal(gpu.context.memory.count, 0, "what was allocated is freed");
  device.destroy();
});

Deno.test("gpu: inputs, variables and optimizers beyond the binding limit are refused", async () => {
  const device = await defaultDevice();
  using gpu = Gpu.from(device);
  const most = device.limits.maxStorageBufferBindingSize;
  const n = most / 4 + 128;
  const refused = (compile: () => unknown, what: string, advice = ADVICE_FOR_VARIABLES) => {
    const before = gpu.context.memory.count;
    assert.throws(compile, (error: Error) => {
      assert.ok(error instanceof OutOfMemoryError, error.stack);
      assert.equal(
        error.message,
        `${what}: this device's maxStorageBufferBindingSize is ${most}. ` +
          advice,
      );
      return true;
    });
    assert.equal(gpu.context.memory.count, before);
  };
  const needs = (op: string, name: string, label: string) =>
    `${op} needs ${4 * n} bytes in one binding for ${name}, ${label}`;
  refused(
    () => gpu.compile({ big: [n] }, ({ big }) => ({ y: ops.slice(big, [0], [1]) })),
    needs("slice [1]", "x", `input big [${n}]`),
    "Use a smaller batch or a narrower network",
  );
  const big = gpu.variable([n], undefined, { name: "big" });
  refused(
    () => gpu.compile({}, () => ({ y: ops.slice(big, [0], [1]) })),
    needs("slice [1]", "x", `big [${n}]`),
  );
  big.dispose();
  // Each on its own fits.
  const specs = ["a", "b"].map((name) => ({ name, shape: [n / 2], trainable: true }));
  const variables = gpu.variables(specs);
  const adam = new Adam(gpu, variables);
  refused(
    () => gpu.compile({}, () => (adam.apply(variables.map(() => ops.constant(0, [n / 2]))), {})),
    needs("adam", "p", `a [${n / 2}] to b [${n / 2}]`),
  );
  device.destroy();
});

Deno.test("gpu: a bad dispatch throws at the next read, with its label, and only once", async () => {
  using gpu = await Gpu.request();
  const bad = kernel("bad", "@compute @workgroup_size(64) fn main() { let x = y; }");
  const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
  program.run({ x: [1, 2] });
  new CommandList(gpu.context, "planted").dispatch({
    label: "planted",
    kernel: bad,
    entryPoint: "main",
    constants: {},
    bindings: {},
    workgroups: [1, 1, 1],
  });
  await assert.rejects(program.read("y"), (error: Error) => {
    assert.ok(error instanceof GpuValidationError, error.stack);
    assert.match(error.message, /bad\.wgsl/);
    return true;
  });
  program.run({ x: [1, 2] });
  assert.deepEqual([...(await program.read("y")).y], [-1, -2]);
});

Deno.test("gpu: after the device is lost everything says so", async () => {
  const device = await defaultDevice();
  using gpu = Gpu.from(device);
  const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
  device.destroy();
  await device.lost;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.throws(() => program.run({ x: [1, 2] }), DeviceLostError);
  await assert.rejects(program.read("y"), DeviceLostError);
});

Deno.test("gpu: a disposed one refuses to work", async () => {
  const gpu = await Gpu.request();
  const v = gpu.variable([2]);
  gpu[Symbol.dispose]();
  gpu[Symbol.dispose]();
  assert.equal(gpu.context.memory.count, 0);
  await assert.rejects(v.read(), DeviceLostError);
  assert.throws(() => gpu.variable([2]), DeviceLostError);
});
