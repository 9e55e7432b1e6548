import assert from "node:assert/strict";
import { Adam, Gpu, ops, OutOfMemoryError } from "../../mod.ts";
import { invocations, kernel, workgroupBytes } from "../../src/gpu/shader.ts";
import { ADVICE_FOR_VARIABLES } from "../../src/graph/variable.ts";
import { leastDevice, refusedAs, SMALLER_BATCH } from "../support/refused.ts";

Deno.test("limits: what is larger than the device allows is refused when compiled", async () => {
  const device = await leastDevice();
  using gpu = Gpu.from(device);
  const most = device.limits.maxBufferSize;
  const tooLarge = refusedAs(OutOfMemoryError, new RegExp(`maxBufferSize is ${most}`));
  assert.throws(() => gpu.variable([most / 4 + 1]), tooLarge);
  const n = Math.ceil(Math.sqrt(device.limits.maxStorageBufferBindingSize / 4)) + 1;
  const outer = () =>
    gpu.compile({ a: [n, 1], b: [1, n] }, ({ a, b }) => ({ y: ops.matmul(a, b) }));
  const product = new RegExp(`matmul \\[${n}, ${n}\\] needs .*BindingSize`);
  assert.throws(outer, refusedAs(OutOfMemoryError, product));
  // One input after another is allocated.
  const two = () => gpu.compile({ a: [2], b: [most / 4 + 1] }, ({ a }) => ({ y: ops.neg(a) }));
  assert.throws(two, { name: "OutOfMemoryError", message: /input b \[67108865\].*maxBufferSize/ });
  assert.equal(gpu.context.memory.count, 0, "what was allocated is freed");
  device.destroy();
});

Deno.test("limits: inputs, variables and optimizers beyond the binding limit are refused", async () => {
  const device = await leastDevice();
  using gpu = Gpu.from(device);
  const most = device.limits.maxStorageBufferBindingSize;
  const n = most / 4 + 128;
  const refused = (compile: () => unknown, what: string, advice = ADVICE_FOR_VARIABLES) => {
    const before = gpu.context.memory.count;
    const message = `${what}: this device's maxStorageBufferBindingSize is ${most}. ${advice}`;
    assert.throws(compile, { constructor: OutOfMemoryError, message });
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

Deno.test("limits: a tensor that may be bound, but not allocated, is refused with its op", async () => {
  // Where a binding may be as large as a buffer, or larger, the buffer's limit comes first.
  const adapter = (await navigator.gpu.requestAdapter())!;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await leastDevice({ maxStorageBufferBindingSize });
  using gpu = Gpu.from(device);
  const most = device.limits.maxBufferSize;
  const n = most / 4 + 64;
  const w = gpu.variable([64], undefined, { name: "w" });
  const compile = () =>
    gpu.compile({}, () => ({ y: ops.broadcastTo(w, [n / 64, 64]) }), { label: "wide" });
  const what = maxStorageBufferBindingSize > most ? "maxBufferSize" : "maxStorageBufferBindingSize";
  assert.ok(maxBufferSize >= most);
  const message = new RegExp(`^broadcastTo \\[${n / 64}, 64\\] needs .*${what}`);
  assert.throws(compile, refusedAs(OutOfMemoryError, message, SMALLER_BATCH));
  w.dispose();
  assert.equal(gpu.context.memory.count, 0);
  device.destroy();
});

Deno.test("limits: a data set beyond a buffer is refused by name", async () => {
  const device = await leastDevice();
  using gpu = Gpu.from(device);
  const { maxBufferSize } = device.limits;
  const images = { name: "images", dtype: "u8" } as const;
  assert.throws(() => gpu.variable([400_000, 28, 28, 1], undefined, images), {
    name: "OutOfMemoryError",
    message: "Cannot allocate 313600000 bytes for images [400000, 28, 28, 1]: the device's " +
      `maxBufferSize is ${maxBufferSize}. A smaller batch does not help: use a narrower ` +
      "network, or fewer images where it holds data",
  });
  device.destroy();
});

Deno.test("limits: a program's limits come from its kernels and dispatches", async () => {
  const shader = kernel(
    "made_up",
    `override WIDTH: u32 = 64;
     var<workgroup> tile: array<f32, 256>;
     var<workgroup> rows: array<vec4i, 8>;
     @compute @workgroup_size(WIDTH) fn main() {}
     @compute @workgroup_size(8, 4u) fn other() {}`,
  );
  assert.equal(workgroupBytes(shader), 256 * 4 + 8 * 16);
  assert.equal(invocations(shader, "main", {}), 64);
  assert.equal(invocations(shader, "main", { WIDTH: 32 }), 32);
  assert.equal(invocations(shader, "other", {}), 32);
  assert.throws(() => invocations(shader, "none", {}), /made_up\.wgsl has no entry point none/);

  using gpu = await Gpu.request();
  const needsOf = (gemm: "tiled" | "texture") => {
    using program = gpu.compile({ x: [64, 256] }, ({ x }) => {
      return { y: ops.matmul(x, x, { transposeB: true }) };
    }, { tuning: { gemm, choices: {} } });
    return program.needs;
  };
  const needs = needsOf("tiled");
  assert.equal(needs.maxStorageBufferBindingSize, 64 * 256 * 4);
  assert.equal(needs.maxComputeInvocationsPerWorkgroup, 64);
  assert.ok(needs.maxComputeWorkgroupStorageSize >= 2 * 4096);
  assert.equal(needs.maxStorageTexturesPerShaderStage, 0);
  const textured = needsOf("texture");
  assert.equal(textured.maxTextureDimension2D, 4096);
  assert.ok(textured.maxStorageTexturesPerShaderStage >= 1);
});
