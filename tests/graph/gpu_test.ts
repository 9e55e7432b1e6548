import assert from "node:assert/strict";
import { Adam, DeviceLostError, Gpu, grad, ops, type Tensor } from "../../mod.ts";
import { leastDevice } from "../support/refused.ts";

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
  const device = await leastDevice();
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

Deno.test("gpu: a disposed one refuses to work", async () => {
  const gpu = await Gpu.request();
  const v = gpu.variable([2]);
  const twice = gpu.variable([2]);
  for (let i = 0; i < 2; i++) twice.dispose();
  for (let i = 0; i < 2; i++) gpu[Symbol.dispose]();
  assert.equal(gpu.context.memory.count, 0);
  await assert.rejects(v.read(), DeviceLostError);
  assert.throws(() => gpu.variable([2]), DeviceLostError);
});

Deno.test("gpu: what is no device is refused", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const values = { Object: {}, GPUAdapter: adapter, undefined, null: null, 'string "gpu"': "gpu" };
  for (const [what, value] of Object.entries(values)) {
    assert.throws(() => Gpu.from(value as unknown as GPUDevice), {
      name: "TypeError",
      message: `Gpu.from expects a GPUDevice, got ${what}: request one from an adapter, or use ` +
        "Gpu.request()",
    });
  }
});

Deno.test("gpu: a recording that is no function, or names no outputs, is refused", async () => {
  using gpu = await Gpu.request();
  // deno-lint-ignore no-explicit-any
  const compile = (body: any) => () => gpu.compile({ x: [2] }, body);
  const w = gpu.variable([2]);
  type Inputs = { x: ReturnType<typeof ops.neg> };
  const values: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [3, "number 3"],
    ["x", 'string "x"'],
  ];
  for (const [body, what] of [...values, [{}, "Object"]]) {
    assert.throws(compile(body), {
      name: "TypeError",
      message: `A recording is a function from inputs to outputs, got ${what}: ` +
        "gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }))",
    });
  }
  for (
    const [body, what] of [
      ...values.map(([value, what]) => [() => value, what]),
      [({ x }: Inputs) => ops.neg(x), "Tensor"],
      [() => w, "Variable"],
    ]
  ) {
    assert.throws(compile(body), {
      name: "TypeError",
      message: `The recording returned ${what}: it must return its outputs by name, such as ` +
        "{ y }, or {} if it has none",
    });
  }
  assert.throws(compile(() => ({ y: 3 })), /Expected a Tensor .* as output y, got number 3/);
  let foreign: unknown;
  compile(({ x }: Inputs) => ({ y: foreign = ops.neg(x) }))();
  assert.throws(compile(() => ({ y: foreign })), {
    name: "TypeError",
    message: /^The tensor given as output y belongs to another recording/,
  });
  assert.throws(() => gpu.compile({ x: 3 as unknown as number[] }, ({ x }) => ({ x })), {
    name: "TypeError",
    message: "Input x has shape 3: every axis must be a positive integer",
  });
});

Deno.test("gpu: an unknown type of elements is refused with the types there are", async () => {
  using gpu = await Gpu.request();
  for (const dtype of ["float32", "f16", null, 32] as unknown as "f32"[]) {
    const refused = (act: () => unknown, what: string) => {
      const message = `${what} cannot hold ${JSON.stringify(dtype)}: types are "f32", "u32", "u8"`;
      assert.throws(act, { name: "TypeError", message });
    };
    refused(() => gpu.variable([2], [1, 2], { name: "w", dtype }), "Variable w");
    refused(() => gpu.compile({ x: { shape: [2], dtype } }, ({ x }) => ({ x })), "Input x");
  }
  assert.equal(gpu.context.memory.count, 0);
});

Deno.test("gpu: variables side by side are checked before anything is allocated", async () => {
  using gpu = await Gpu.request();
  for (const shape of [[2, -1], [0], [1.5], undefined as unknown as number[]]) {
    let called = false;
    const data = () => (called = true, [1, 2]);
    const specs = [
      { name: "a", shape: [2], trainable: true, data },
      { name: "b", shape, trainable: true },
    ];
    assert.throws(() => gpu.variables(specs), { name: "TypeError", message: /^Variable b has sh/ });
    assert.ok(!called);
  }
  assert.equal(gpu.context.memory.count, 0);
});

Deno.test("gpu: compileAsync reports each pipeline once, and compiles what compile does", async () => {
  using gpu = await Gpu.request();
  const reports: string[] = [];
  const onCompile = ({ done, total }: { done: number; total: number }) =>
    reports.push(`${done}/${total}`);
  const inputs = { x: [2, 3] } as const;
  const body = ({ x }: { x: Tensor }) => ({ y: ops.matmul(ops.transpose(x), x), sum: ops.sum(x) });
  using first = await gpu.compileAsync(inputs, body, { onCompile });
  using second = gpu.compile(inputs, body);
  assert.ok(first.stats.dispatches >= 3);
  assert.deepEqual(reports, reports.map((_, i) => `${i + 1}/${reports.length}`));
  assert.ok(reports.length >= 3);
  reports.length = 0;
  using _third = await gpu.compileAsync(inputs, body, { onCompile });
  assert.deepEqual(reports, [], "all are known by now");
  for (const program of [first, second]) program.run({ x: [1, 2, 3, 4, 5, 6] });
  assert.deepEqual(await first.read(), await second.read());
  await assert.rejects(
    gpu.compileAsync({ x: [2, 3] }, ({ x }) => ({ y: ops.matmul(x, x) })),
    TypeError,
  );
});
