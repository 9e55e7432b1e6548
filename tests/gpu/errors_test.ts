import assert from "node:assert/strict";
import { DeviceLostError, Gpu, GpuValidationError, ops, OutOfMemoryError } from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import type { Buffer } from "../../src/gpu/memory.ts";
import { kernel } from "../../src/gpu/shader.ts";
import { leastDevice, NARROWER, refusal, SMALLER_BATCH, writeOne } from "../support/refused.ts";

Deno.test("errors: a bad dispatch throws at the next read, with its label, and only once", async () => {
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
  const error = await refusal(program.read());
  assert.ok(error instanceof OutOfMemoryError, error.stack);
  assert.match(
    error.message,
    /^Cannot allocate \d+ bytes for sums slot \d \(.*sum .*\) beside the \d+ in use: not enough/,
  );
  assert.match(error.message, SMALLER_BATCH);
  program[Symbol.dispose]();

  exhaust(device, /^weights/);
  const weights = gpu.variable([100], undefined, { name: "weights" });
  await refusal(weights.read()).then((error) => {
    assert.ok(error instanceof OutOfMemoryError, error.stack);
    assert.match(error.message, /^Cannot allocate 512 bytes for weights \[100\] beside .*: not/);
    assert.match(error.message, NARROWER);
  });
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
    const error = await refusal(act());
    assert.ok(error instanceof GpuValidationError, error.stack);
    assert.match(error.message, /^mul \[2\] \(weighted\): .*destroyed/);
  }
});

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
      const view = (buffer: Buffer) => ({
        buffer,
        offset: 0,
        bytes: 256,
      });
      const [from, to] = ["from", "to"].map((label) => gpu.context.memory.buffer(256, label));
      list.copy(view(from), view(to), "planted [1]");
      gpu.context.memory.free(from);
    }],
    ["a copy beyond its buffer", (list: CommandList, gpu: Gpu) => {
      const view = (bytes: number) => ({
        buffer: gpu.context.memory.buffer(256, "b"),
        offset: 0,
        bytes,
      });
      list.copy(view(512), view(512), "planted [1]");
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
      let error: Error;
      if (heard === "read") error = await refusal(program.read());
      else {
        // The device answers asynchronously: a turn later at the latest the run hears of it.
        await new Promise((resolve) => setTimeout(resolve, 20));
        error = await refusal((async () => await program.run({ x: [1, 2] }))());
      }
      assert.ok(error instanceof GpuValidationError, error.stack);
      assert.match(error.message, /^planted \[1\] \(a list\): /);
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
    await assert.rejects(program.read(), (error: Error) => {
      assert.ok(error instanceof GpuValidationError, error.stack);
      assert.match(error.message, /^mul \[2\] \(weighted\): .*w \[2\]/);
      return true;
    });
  }
});
