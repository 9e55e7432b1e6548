import assert from "node:assert/strict";
import { Adam, Gpu, ops, OutOfMemoryError } from "../../mod.ts";
import { invocations, kernel, workgroupBytes } from "../../src/gpu/shader.ts";
import { ADVICE_FOR_VARIABLES } from "../../src/graph/variable.ts";
import { leastDevice, refusedAs, SMALLER_BATCH } from "../support/refused.ts";

const device = await leastDevice();
Deno.test.afterAll(() => device.destroy());

const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;

/** What throws an OutOfMemoryError of this message, and leaves nothing allocated. */
function refuses(gpu: Gpu, act: () => unknown, message: string | RegExp): void {
  const before = gpu.context.memory.count;
  assert.throws(act, { constructor: OutOfMemoryError, message });
  assert.equal(gpu.context.memory.count, before);
}

Deno.test("limits: what is larger than the device allows is refused when compiled", () => {
  using gpu = Gpu.from(device);
  const n = maxBufferSize / 4 + 1;
  refuses(gpu, () => gpu.variable([n]), new RegExp(`maxBufferSize is ${maxBufferSize}`));
  const m = Math.ceil(Math.sqrt(maxStorageBufferBindingSize / 4)) + 1;
  const outer = () =>
    gpu.compile({ a: [m, 1], b: [1, m] }, ({ a, b }) => ({ y: ops.matmul(a, b) }));
  refuses(gpu, outer, new RegExp(`matmul \\[${m}, ${m}\\] needs .*BindingSize`));
  // One input after another is allocated.
  const two = () => gpu.compile({ a: [2], b: [n] }, ({ a }) => ({ y: ops.neg(a) }));
  refuses(gpu, two, /input b \[67108865\].*maxBufferSize/);
  const images = { name: "images", dtype: "u8" } as const;
  refuses(
    gpu,
    () => gpu.variable([400_000, 28, 28, 1], undefined, images),
    "Cannot allocate 313600000 bytes for images [400000, 28, 28, 1]: the device's " +
      `maxBufferSize is ${maxBufferSize}. A smaller batch does not help: use a narrower ` +
      "network, or fewer images where it holds data",
  );
});

Deno.test("limits: inputs, variables and optimizers beyond the binding limit are refused", () => {
  using gpu = Gpu.from(device);
  const n = maxStorageBufferBindingSize / 4 + 128;
  const says = (op: string, name: string, label: string, advice = ADVICE_FOR_VARIABLES) =>
    `${op} needs ${4 * n} bytes in one binding for ${name}, ${label}: this device's ` +
    `maxStorageBufferBindingSize is ${maxStorageBufferBindingSize}. ${advice}`;
  refuses(
    gpu,
    () => gpu.compile({ big: [n] }, ({ big }) => ({ y: ops.slice(big, [0], [1]) })),
    says("slice [1]", "x", `input big [${n}]`, "Use a smaller batch or a narrower network"),
  );
  const big = gpu.variable([n], undefined, { name: "big" });
  const part = () => gpu.compile({}, () => ({ y: ops.slice(big, [0], [1]) }));
  refuses(gpu, part, says("slice [1]", "x", `big [${n}]`));
  big.dispose();
  // Each on its own fits.
  const specs = ["a", "b"].map((name) => ({ name, shape: [n / 2], trainable: true }));
  const adam = new Adam(gpu, gpu.variables(specs));
  const zeros = () => adam.variables.map(() => ops.constant(0, [n / 2]));
  const update = () => gpu.compile({}, () => (adam.apply(zeros()), {}));
  refuses(gpu, update, says("adam", "p", `a [${n / 2}] to b [${n / 2}]`));
});

Deno.test("limits: a tensor that may be bound, but not allocated, is refused with its op", async () => {
  // Where a binding may be as large as a buffer, or larger, the buffer's limit comes first.
  const { limits } = (await navigator.gpu.requestAdapter())!;
  const { maxStorageBufferBindingSize } = limits;
  const wide = await leastDevice({ maxStorageBufferBindingSize });
  using gpu = Gpu.from(wide);
  const most = wide.limits.maxBufferSize;
  const rows = most / 256 + 1;
  const w = gpu.variable([64], undefined, { name: "w" });
  const compile = () =>
    gpu.compile({}, () => ({ y: ops.broadcastTo(w, [rows, 64]) }), { label: "wide" });
  const what = maxStorageBufferBindingSize > most ? "maxBufferSize" : "maxStorageBufferBindingSize";
  assert.ok(limits.maxBufferSize >= most);
  const message = new RegExp(`^broadcastTo \\[${rows}, 64\\] needs .*${what}`);
  refuses(gpu, compile, message);
  assert.throws(compile, refusedAs(OutOfMemoryError, SMALLER_BATCH));
  wide.destroy();
});

Deno.test("limits: a program's limits come from its kernels and dispatches", () => {
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

  using gpu = Gpu.from(device);
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
