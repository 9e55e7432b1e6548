import assert from "node:assert/strict";
import { Adam, DeviceLostError, Gpu, grad, ops, type Tensor } from "../../mod.ts";
import { compute, gpu } from "../support/compute.ts";
import { leastDevice } from "../support/refused.ts";

/** Each act throws a TypeError of this message, and leaves nothing allocated. */
function refuses(message: string | RegExp, ...acts: (() => unknown)[]): void {
  const before = gpu.context.memory.count;
  for (const act of acts) assert.throws(act, { name: "TypeError", message });
  assert.equal(gpu.context.memory.count, before);
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
  const device = await leastDevice();
  {
    using own = Gpu.from(device);
    assert.equal(own.device, device);
    const ones = (...shape: number[]) => ops.constant(1, shape);
    const product = () => ({ y: ops.sum(ops.matmul(ones(70, 33), ones(33, 65))) });
    assert.deepEqual(await compute({}, product, own), { y: [70 * 33 * 65] });
  }
  const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, new Uint8Array(16));
  await device.queue.onSubmittedWorkDone();
  device.destroy();
});

Deno.test("gpu: a variable of another device, or a disposed one, is refused by name", async () => {
  using other = await Gpu.request();
  const make = (owner: Gpu, name: string) => {
    const variable = owner.variable([2], [1, 2], { name });
    const adam = new Adam(owner, [variable]);
    return [variable, [
      () => gpu.compile({}, () => ({ y: ops.neg(variable) })),
      () => gpu.compile({}, () => ({ variable })),
      () => gpu.compile({ x: [2] }, ({ x }) => (ops.assign(variable, x), {})),
      () => gpu.compile({ x: [2] }, ({ x }) => (adam.apply([x]), {})),
    ]] as const;
  };
  refuses(/^Cannot use .* another device.*: make/, ...make(other, "kernel")[1]);
  const [variable, recordings] = make(gpu, "bias");
  variable.dispose();
  const disposed = /variable bias.* disposed: make/;
  refuses(disposed, ...recordings, () => variable.write([1, 2]));
  await assert.rejects(variable.read(), { name: "TypeError", message: disposed });
  // Another Gpu over the same device may use it.
  using again = Gpu.from(gpu.device);
  const shared = gpu.variable([2], [1, 2]);
  assert.deepEqual(await compute({}, () => ({ y: ops.neg(shared) }), again), { y: [-1, -2] });
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
    const message = `Gpu.from expects a GPUDevice, got ${what}: request one from an adapter, or ` +
      "use Gpu.request()";
    refuses(message, () => Gpu.from(value as unknown as GPUDevice));
  }
});

Deno.test("gpu: a recording that is no function, or names no outputs, is refused", () => {
  // deno-lint-ignore no-explicit-any
  const compile = (body: any) => () => gpu.compile({ x: [2] }, body);
  const w = gpu.variable([2]);
  type Inputs = { x: Tensor };
  const values = [[undefined, "undefined"], [null, "null"], [3, "number 3"], ["x", 'string "x"']];
  for (const [body, what] of [...values, [{}, "Object"]]) {
    const message = `A recording is a function from inputs to outputs, got ${what}: ` +
      "gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }))";
    refuses(message, compile(body));
  }
  const bodies = values.map(([value, what]) => [() => value, what]);
  for (
    const [body, what] of [
      ...bodies,
      [({ x }: Inputs) => ops.neg(x), "Tensor"],
      [() => w, "Variable"],
    ]
  ) {
    const message = `The recording returned ${what}: it must return its outputs by name, such as ` +
      "{ y }, or {} if it has none";
    refuses(message, compile(body));
  }
  refuses(/Expected a Tensor .* as output y, got number 3/, compile(() => ({ y: 3 })));
  let foreign: unknown;
  compile(({ x }: Inputs) => ({ y: foreign = ops.neg(x) }))()[Symbol.dispose]();
  const another = /^The tensor given as output y belongs to another recording/;
  refuses(another, compile(() => ({ y: foreign })));
  const input = () => gpu.compile({ x: 3 as unknown as number[] }, ({ x }) => ({ x }));
  refuses("Input x has shape 3: every axis must be a positive integer", input);
  // @ts-expect-error a promise has no tensors
  const late = () => gpu.compile({ x: [2] }, ({ x }) => Promise.resolve({ y: ops.neg(x) }));
  refuses(/returned a promise/, late);
});

Deno.test("gpu: an unknown type of elements is refused with the types there are", () => {
  for (const dtype of ["float32", "f16", null, 32] as unknown as "f32"[]) {
    const says = `cannot hold ${JSON.stringify(dtype)}: types are "f32", "u32", "u8"`;
    refuses(`Variable w ${says}`, () => gpu.variable([2], [1, 2], { name: "w", dtype }));
    refuses(`Input x ${says}`, () => {
      return gpu.compile({ x: { shape: [2], dtype } }, ({ x }) => ({ x }));
    });
  }
});

Deno.test("gpu: variables side by side are checked before anything is allocated", () => {
  for (const shape of [[2, -1], [0], [1.5], undefined as unknown as number[]]) {
    const data = () => assert.fail("data was asked for");
    const specs = [
      { name: "a", shape: [2], trainable: true, data },
      { name: "b", shape, trainable: true },
    ];
    refuses(/^Variable b has sh/, () => gpu.variables(specs));
  }
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
