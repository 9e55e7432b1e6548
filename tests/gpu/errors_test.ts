import assert from "node:assert/strict";
import { DeviceLostError, Gpu, GpuValidationError, ops, OutOfMemoryError } from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import { kernel } from "../../src/gpu/shader.ts";
import { leastDevice, NARROWER, refusedAs, SMALLER_BATCH, writeOne } from "../support/refused.ts";

Deno.test("errors: a bad dispatch throws at the next read, with its label, and only once", async () => {
  using gpu = await Gpu.request();
  const bad = kernel("bad", "@compute @workgroup_size(64) fn main() { let x = y; }");
  const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
  program.run({ x: [1, 2] });
  const dispatch = writeOne("planted", gpu.context.memory.buffer(256, "mine"));
  new CommandList(gpu.context, "planted").dispatch({ ...dispatch, kernel: bad, bindings: {} });
  await assert.rejects(program.read("y"), refusedAs(GpuValidationError, /bad\.wgsl/));
  program.run({ x: [1, 2] });
  assert.deepEqual([...(await program.read("y")).y], [-1, -2]);
});

Deno.test("errors: what the device refuses of the caller's own commands is thrown, too", async () => {
  using gpu = await Gpu.request();
  const variable = gpu.variable([1], [3]);
  gpu.device.createBuffer({ label: "foreign", size: 4, usage: 0 });
  await assert.rejects(variable.read(), GpuValidationError);
  assert.deepEqual([...await variable.read()], [3]);
});

Deno.test("errors: after the device is lost everything says so", async () => {
  const device = await leastDevice();
  using gpu = Gpu.from(device);
  const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
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
      if (!label.test(descriptor.label ?? "")) return createBuffer.call(device, descriptor);
      const scope = scopes.findLast(({ filter }) => filter === "out-of-memory");
      assert.ok(scope, "memory is asked for outside of any scope");
      scope.error = Reflect.construct(GPUOutOfMemoryError, ["not enough memory left"]);
      const buffer = createBuffer.call(device, descriptor);
      buffer.destroy();
      return buffer;
    },
  });
}

Deno.test("errors: memory that the driver has not: the next run or read says what it was for", async () => {
  const device = await leastDevice();
  exhaust(device, /slot/);
  using gpu = Gpu.from(device);
  const x = new Float32Array(1024);
  const program = gpu.compile({ x: [1024] }, ({ x }) => ({ y: ops.exp(ops.sum(x)) }), {
    label: "sums",
  });
  program.run({ x });
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

Deno.test("errors: a profile of a program whose variable is gone names its op, and leaves no old data", async () => {
  using gpu = await Gpu.request();
  const w = gpu.variable([2], [1, 2], { name: "w" });
  const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.sum(ops.mul(x, w)) }), {
    label: "weighted",
  });
  program.run({ x: [1, 1] });
  await program.read();
  w.dispose();
  for (const act of [() => program.profile(), () => program.read()]) {
    const message = /^mul \[2\] \(weighted\): .*destroyed/;
    await assert.rejects(async () => await act(), refusedAs(GpuValidationError, message));
  }
});

/** A view of so many bytes, right or not, of a new buffer of 256. */
const viewOf = (gpu: Gpu, bytes: number, label = "b") => {
  return { buffer: gpu.context.memory.buffer(256, label), offset: 0, bytes };
};

for (
  const [fault, plant] of [
    ["the buffer of another device", (list: CommandList, _: Gpu, other: Gpu) => {
      list.dispatch(writeOne("planted [1]", other.context.memory.buffer(256, "foreign")));
    }],
    ["a destroyed buffer", (list: CommandList, gpu: Gpu) => {
      const buffer = gpu.context.memory.buffer(256, "destroyed");
      list.dispatch(writeOne("planted [1]", buffer));
      gpu.context.memory.free(buffer);
    }],
    ["too many workgroups", (list: CommandList, gpu: Gpu) => {
      list.dispatch(writeOne("planted [1]", gpu.context.memory.buffer(256, "mine"), 65536));
    }],
    ["a copy of a destroyed buffer", (list: CommandList, gpu: Gpu) => {
      const [from, to] = ["from", "to"].map((label) => viewOf(gpu, 256, label));
      list.copy(from, to, "planted [1]");
      gpu.context.memory.free(from.buffer);
    }],
    ["a copy beyond its buffer", (list: CommandList, gpu: Gpu) => {
      list.copy(viewOf(gpu, 512), viewOf(gpu, 512), "planted [1]");
    }],
    ["the pipeline of another device", (list: CommandList, gpu: Gpu, other: Gpu) => {
      const own = gpu.context.pipelines;
      Object.assign(gpu.context, { pipelines: other.context.pipelines });
      list.dispatch(writeOne("planted [1]", gpu.context.memory.buffer(256, "mine")));
      Object.assign(gpu.context, { pipelines: own });
    }],
  ] as const
) {
  Deno.test(`errors: ${fault}: the next read throws with the op's label, and so does the next run`, async () => {
    using gpu = await Gpu.request();
    using other = await Gpu.request();
    const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
    program.run({ x: [1, 2] });
    await program.read();
    for (const heard of ["read", "run"] as const) {
      const list = new CommandList(gpu.context, "a list");
      list.dispatch(writeOne("innocent [1]", gpu.context.memory.buffer(256, "mine")));
      plant(list, gpu, other);
      list.dispatch(writeOne("innocent [2]", gpu.context.memory.buffer(256, "mine")));
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
    program.run({ x: [3, 4] });
    assert.deepEqual([...(await program.read()).y], [-3, -4]);
  });
}

Deno.test("errors: a program whose run was refused gives no results until one succeeds", async () => {
  using gpu = await Gpu.request();
  const w = gpu.variable([2], [10, 20], { name: "w" });
  const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.sum(ops.mul(x, w)) }), {
    label: "weighted",
  });
  program.run({ x: [1, 1] });
  assert.deepEqual([...(await program.read()).y], [30]);
  w.dispose();
  program.run({ x: [2, 2] });
  for (let i = 0; i < 3; i++) {
    const message = /^mul \[2\] \(weighted\): .*w \[2\]/;
    await assert.rejects(program.read(), refusedAs(GpuValidationError, message));
  }
});
