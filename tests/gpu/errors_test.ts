import assert from "node:assert/strict";
import { DeviceLostError, Gpu, GpuValidationError, ops, OutOfMemoryError } from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import { kernel } from "../../src/gpu/shader.ts";
import { gpu, held, run } from "../support/compute.ts";
import { leastDevice, NARROWER, refusedAs, SMALLER_BATCH, writeOne } from "../support/refused.ts";

const other = await Gpu.request();
Deno.test.afterAll(() => other[Symbol.dispose]());

const negation = (gpu: Gpu) => gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));

const bufferOf = (gpu: Gpu, label = "mine") => gpu.context.memory.buffer(256, label);

Deno.test("errors: a bad dispatch throws at the next read, with its label, and only once", async () => {
  const bad = kernel("bad", "@compute @workgroup_size(64) fn main() { let x = y; }");
  using program = negation(gpu);
  program.run({ x: [1, 2] });
  const dispatch = writeOne("planted", bufferOf(gpu));
  new CommandList(gpu.context, "planted").dispatch({ ...dispatch, kernel: bad, bindings: {} });
  await assert.rejects(program.read("y"), refusedAs(GpuValidationError, /bad\.wgsl/));
  assert.deepEqual(await run(program, { x: [1, 2] }), { y: [-1, -2] });
});

Deno.test("errors: what the device refuses of the caller's own commands is thrown, too", async () => {
  const variable = gpu.variable([1], [3]);
  gpu.device.createBuffer({ label: "foreign", size: 4, usage: 0 });
  await assert.rejects(variable.read(), GpuValidationError);
  assert.deepEqual(await held(variable), [[3]]);
});

Deno.test("errors: after the device is lost everything says so", async () => {
  const device = await leastDevice();
  using gpu = Gpu.from(device);
  const program = negation(gpu);
  device.destroy();
  await device.lost;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.throws(() => program.run({ x: [1, 2] }), DeviceLostError);
  await assert.rejects(program.read("y"), DeviceLostError);
});

/**
 * A device whose driver has no memory left for buffers whose label fits. What the real one answers
 * then (seen with `ulimit -v`): an out-of-memory error in the scope around, and a buffer that is invalid.
 */
function exhaust(device: GPUDevice, label: RegExp): void {
  const { createBuffer, pushErrorScope, popErrorScope } = device;
  const scopes: { filter: string; error?: unknown }[] = [];
  Object.assign(device, {
    pushErrorScope(filter: GPUErrorFilter) {
      scopes.push({ filter });
      pushErrorScope.call(device, filter);
    },
    async popErrorScope() {
      const scope = scopes.pop();
      const error = await popErrorScope.call(device);
      return scope?.error ?? error;
    },
    createBuffer(descriptor: GPUBufferDescriptor) {
      const buffer = createBuffer.call(device, descriptor);
      if (!label.test(descriptor.label ?? "")) return buffer;
      const scope = scopes.findLast(({ filter }) => filter === "out-of-memory");
      assert.ok(scope, "memory is asked for outside of any scope");
      scope.error = Reflect.construct(GPUOutOfMemoryError, ["not enough memory left"]);
      buffer.destroy();
      return buffer;
    },
  });
}

Deno.test("errors: memory that the driver has not: the next run or read says what it was for", async () => {
  const device = await leastDevice();
  exhaust(device, /slot/);
  using gpu = Gpu.from(device);
  const program = gpu.compile({ x: [1024] }, ({ x }) => ({ y: ops.exp(ops.sum(x)) }), {
    label: "sums",
  });
  program.run({ x: new Float32Array(1024) });
  const slot =
    /^Cannot allocate \d+ bytes for sums slot \d \(.*sum .*\) beside the \d+ in use: not enough/;
  await assert.rejects(program.read(), refusedAs(OutOfMemoryError, slot, SMALLER_BATCH));
  program[Symbol.dispose]();

  exhaust(device, /^weights/);
  const weights = gpu.variable([100], undefined, { name: "weights" });
  const variable = /^Cannot allocate 512 bytes for weights \[100\] beside .*: not/;
  await assert.rejects(weights.read(), refusedAs(OutOfMemoryError, variable, NARROWER));
  device.destroy();
});

/** A program of a variable w of [10, 20], which has run with x = [1, 1] and given 30. */
async function weighted() {
  const w = gpu.variable([2], [10, 20], { name: "w" });
  const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.sum(ops.mul(x, w)) }), {
    label: "weighted",
  });
  assert.deepEqual(await run(program, { x: [1, 1] }), { y: [30] });
  return { w, program };
}

Deno.test("errors: a profile of a program whose variable is gone names its op, and leaves no old data", async () => {
  const { w, program } = await weighted();
  w.dispose();
  for (const act of [() => program.profile(), () => program.read()]) {
    const message = /^mul \[2\] \(weighted\): .*destroyed/;
    await assert.rejects(async () => await act(), refusedAs(GpuValidationError, message));
  }
});

Deno.test("errors: a program whose run was refused gives no results until one succeeds", async () => {
  const { w, program } = await weighted();
  w.dispose();
  program.run({ x: [2, 2] });
  for (let i = 0; i < 3; i++) {
    const message = /^mul \[2\] \(weighted\): .*w \[2\]/;
    await assert.rejects(program.read(), refusedAs(GpuValidationError, message));
  }
});

/** A view of so many bytes, right or not, of a new buffer of 256. */
const viewOf = (bytes: number) => ({ buffer: bufferOf(gpu), offset: 0, bytes });

const PLANTED = "planted [1]";

const FAULTS: Record<string, (list: CommandList) => void> = {
  "the buffer of another device": (list) =>
    list.dispatch(writeOne(PLANTED, bufferOf(other, "foreign"))),
  "a destroyed buffer": (list) => {
    const buffer = bufferOf(gpu, "destroyed");
    list.dispatch(writeOne(PLANTED, buffer));
    gpu.context.memory.free(buffer);
  },
  "too many workgroups": (list) => list.dispatch(writeOne(PLANTED, bufferOf(gpu), 65536)),
  "a copy of a destroyed buffer": (list) => {
    const [from, to] = [viewOf(256), viewOf(256)];
    list.copy(from, to, PLANTED);
    gpu.context.memory.free(from.buffer);
  },
  "a copy beyond its buffer": (list) => list.copy(viewOf(512), viewOf(512), PLANTED),
  "the pipeline of another device": (list) => {
    const own = gpu.context.pipelines;
    Object.assign(gpu.context, { pipelines: other.context.pipelines });
    list.dispatch(writeOne(PLANTED, bufferOf(gpu)));
    Object.assign(gpu.context, { pipelines: own });
  },
};

for (const [fault, plant] of Object.entries(FAULTS)) {
  Deno.test(`errors: ${fault}: the next read throws with the op's label, and so does the next run`, async () => {
    using program = negation(gpu);
    await run(program, { x: [1, 2] });
    for (const heard of ["read", "run"]) {
      const list = new CommandList(gpu.context, "a list");
      list.dispatch(writeOne("innocent [1]", bufferOf(gpu)));
      plant(list);
      list.dispatch(writeOne("innocent [2]", bufferOf(gpu)));
      list.submit();
      const planted = refusedAs(GpuValidationError, /^planted \[1\] \(a list\): /);
      if (heard === "read") await assert.rejects(program.read(), planted);
      else {
        // The device answers asynchronously: a turn later at the latest the run hears of it.
        await new Promise((resolve) => setTimeout(resolve, 20));
        assert.throws(() => program.run({ x: [1, 2] }), planted);
      }
      // The pass of which it was a part was refused as well; nothing else is left to say.
      await gpu.idle().catch(() => {});
    }
    assert.deepEqual(await run(program, { x: [3, 4] }), { y: [-3, -4] });
  });
}
