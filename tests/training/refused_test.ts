/** What does not fit, and what the device refuses: named, with the way out, and never passed over. */

import assert from "node:assert/strict";
import {
  Generator,
  Gpu,
  GpuValidationError,
  ops,
  OutOfMemoryError,
  Trainer,
  type TrainerOptions,
} from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import type { Buffer } from "../../src/gpu/memory.ts";
import { kernel } from "../../src/gpu/shader.ts";
import { Sampler, seedNoise } from "../../src/model/sampler.ts";
import { assertClose } from "../support/close.ts";
import { stateDigests } from "../support/digest.ts";
import { blobs } from "../support/dataset.ts";
import { guarded } from "../support/watchdog.ts";

function test(name: string, body: () => Promise<void>): void {
  Deno.test(`refused: ${name}`, () => guarded(body));
}

const SMALL = {
  dataset: blobs(32),
  batchSize: 16,
  epochs: 2,
  noiseDim: 10,
  generatorWidths: [16, 8, 8],
  discriminatorWidths: [8, 8],
  distance: false,
} satisfies TrainerOptions;

/** WebGPU's least limits: 128 MiB a binding, 256 MiB a buffer. No device may have less. */
async function smallest(limits: Record<string, number> = {}): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  return await adapter!.requestDevice({ requiredLimits: limits });
}

async function refusal(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

const SMALLER_BATCH = /Use a smaller batch or a narrower network$/;
const NARROWER = /A smaller batch does not help: use a narrower network/;

test("the tutorial's network at batch 4,096, on the least limits", async () => {
  const device = await smallest();
  using gpu = Gpu.from(device);
  // Bytes that are never looked at: the step is refused when it is compiled.
  const [images, labels] = [new Uint8Array(4096 * 784), new Uint8Array(4096)];
  const dataset = { ...blobs(1), count: 4096, images, labels };
  const trainer = await Trainer.create({ dataset, gpu, batchSize: 4096 });
  const error = await refusal(trainer.step());
  assert.ok(error instanceof OutOfMemoryError, error.stack);
  const { maxStorageBufferBindingSize: most } = device.limits;
  const [, op, bytes] = error.message.match(/^(\w+ \[4096, .*?\]).* needs (\d+) bytes in one/)!;
  assert.ok(op && Number(bytes) > most, error.message);
  assert.ok(error.message.includes(`this device's maxStorageBufferBindingSize is ${most}. `));
  assert.match(error.message, SMALLER_BATCH);
  assert.equal(trainer.steps, 0);
  trainer[Symbol.dispose]();
  assert.equal(gpu.context.memory.count, 0);
  device.destroy();
});

for (
  const [where, widths] of [
    ["a binding", { generatorWidths: [1200, 1200, 64] }],
    ["a buffer", { generatorWidths: [2000, 2000, 64] }],
    ["the host's memory, too", { generatorWidths: [200000, 200000, 64] }],
    ["a buffer, in the discriminator", { discriminatorWidths: [2000, 2000] }],
  ] as const
) {
  test(`a network beyond ${where}: no smaller batch is proposed`, async () => {
    const device = await smallest();
    using gpu = Gpu.from(device);
    const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
    const error = await refusal((async () => {
      using trainer = await Trainer.create({ ...SMALL, ...widths, gpu });
      await trainer.step();
    })());
    assert.ok(error instanceof OutOfMemoryError, error.stack);
    assert.match(error.message, NARROWER);
    const [, limit, most] = error.message.match(/(max\w+) is (\d+)/)!;
    const expected = where === "a binding" ? maxStorageBufferBindingSize : maxBufferSize;
    assert.equal(Number(most), expected, limit);
    assert.match(error.message, /conv2d\w*(\/kernel)? \[\d+, \d+, \d+, \d+\]/);
    assert.equal(gpu.context.memory.count, 0);
    device.destroy();
  });
}

test("a tensor that may be bound, but not allocated, is refused with its op", async () => {
  // Where a binding may be as large as a buffer, or larger, the buffer's limit comes first.
  const adapter = (await navigator.gpu.requestAdapter())!;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await smallest({ maxStorageBufferBindingSize });
  using gpu = Gpu.from(device);
  const most = device.limits.maxBufferSize;
  const n = most / 4 + 64;
  const w = gpu.variable([64], undefined, { name: "w" });
  const compile = () =>
    gpu.compile({}, () => ({ y: ops.broadcastTo(w, [n / 64, 64]) }), { label: "wide" });
  const what = maxStorageBufferBindingSize > most ? "maxBufferSize" : "maxStorageBufferBindingSize";
  assert.ok(maxBufferSize >= most);
  assert.throws(compile, (error: Error) => {
    assert.ok(error instanceof OutOfMemoryError, error.stack);
    assert.match(error.message, new RegExp(`^broadcastTo \\[${n / 64}, 64\\] needs .*${what}`));
    assert.match(error.message, SMALLER_BATCH);
    return true;
  });
  w.dispose();
  assert.equal(gpu.context.memory.count, 0);
  device.destroy();
});

test("a data set beyond a buffer is refused by name", async () => {
  const device = await smallest();
  using gpu = Gpu.from(device);
  const { maxBufferSize } = device.limits;
  assert.throws(
    () => gpu.variable([400_000, 28, 28, 1], undefined, { name: "images", dtype: "u8" }),
    {
      name: "OutOfMemoryError",
      message: "Cannot allocate 313600000 bytes for images [400000, 28, 28, 1]: the device's " +
        `maxBufferSize is ${maxBufferSize}. A smaller batch does not help: use a narrower ` +
        "network, or fewer images where it holds data",
    },
  );
  device.destroy();
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

test("memory that the driver has not: the next run or read says what it was for", async () => {
  const device = await smallest();
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

test("more images than the device holds at once are made in bunches", async () => {
  const device = await smallest();
  using gpu = Gpu.from(device);
  using roomy = await Gpu.request();
  // What is before the last layer is 1 MiB an image: 256 of them are more than a binding holds.
  const options = { height: 128, width: 128, widths: [8, 8, 64], noiseDim: 10, seed: 5 } as const;
  const noise = seedNoise(256, 10, 1);
  using sampler = new Sampler(gpu, new Generator(gpu, options), 256);
  using few = new Sampler(roomy, new Generator(roomy, options), 8);
  const images = await sampler.sample(noise);
  assert.equal(images.length, 256 * 128 * 128);
  const last = 248;
  const expected = await few.sample(noise.subarray(last * 10));
  assertClose(images.subarray(last * 128 * 128), expected, { atol: 1e-5 });
  device.destroy();
});

test("a profile of a program whose variable is gone names its op, and leaves no old data", async () => {
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

const WRITE_ONE = kernel(
  "write_one",
  `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
   @compute @workgroup_size(64) fn main() { y[0] = 1.0; }`,
);

/** A dispatch like another, with a name of its own. */
const dispatch = (label: string, buffer: Buffer, groups = 1) => ({
  label,
  kernel: WRITE_ONE,
  entryPoint: "main",
  constants: {},
  bindings: { y: { buffer, offset: 0, bytes: 256 } },
  workgroups: [groups, 1, 1] as const,
});

for (
  const [fault, plant] of [
    ["the buffer of another device", (list: CommandList, _: Gpu, other: Gpu) => {
      list.dispatch(dispatch("planted [1]", other.context.memory.buffer(256, "foreign")));
    }],
    ["a destroyed buffer", (list: CommandList, gpu: Gpu) => {
      const buffer = gpu.context.memory.buffer(256, "destroyed");
      list.dispatch(dispatch("planted [1]", buffer));
      gpu.context.memory.free(buffer);
    }],
    ["too many workgroups", (list: CommandList, gpu: Gpu) => {
      list.dispatch(dispatch("planted [1]", gpu.context.memory.buffer(256, "mine"), 65536));
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
      list.dispatch(dispatch("planted [1]", gpu.context.memory.buffer(256, "mine")));
      Object.assign(gpu.context, { pipelines: own });
    }],
  ] as const
) {
  test(`${fault}: the next read throws with the op's label, and so does the next run`, async () => {
    using gpu = await Gpu.request();
    using other = await Gpu.request();
    const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
    program.run({ x: [1, 2] });
    await program.read();
    for (const heard of ["read", "run"] as const) {
      const list = new CommandList(gpu.context, "a list");
      list.dispatch(dispatch("innocent [1]", gpu.context.memory.buffer(256, "mine")));
      plant(list, gpu, other);
      list.dispatch(dispatch("innocent [2]", gpu.context.memory.buffer(256, "mine")));
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

test("a program whose run was refused gives no results until one succeeds", async () => {
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

test("a trainer whose step may have been refused goes on from a restored state only", async () => {
  using gpu = await Gpu.request();
  using straight = await Trainer.create({ ...SMALL, gpu });
  for await (const _ of straight);
  using trainer = await Trainer.create({ ...SMALL, gpu });
  await trainer.step();
  const snapshot = await trainer.snapshot();
  for (const taken of [false, true]) {
    const step = trainer.step();
    // In the queue it comes right behind the step.
    new CommandList(gpu.context, "a list").dispatch(
      dispatch("planted [1]", gpu.context.memory.buffer(4, "mine")),
    );
    const list = new CommandList(gpu.context, "a list");
    list.dispatch(dispatch("planted [1]", gpu.context.memory.buffer(256, "mine"), 65536));
    list.submit();
    if (taken) {
      // Somebody else is told first.
      await new Promise((resolve) => setTimeout(resolve, 0));
      try {
        gpu.context.errors.check();
      } catch { /* told */ }
    }
    assert.match((await refusal(step)).message, /^planted \[1\]/);
    for (const act of [trainer.step(), trainer.epoch(), trainer.snapshot()]) {
      const error = await refusal(act);
      assert.match(
        error.message,
        /^Cannot begin .* may not have been trained \(planted \[1\] .*\)\. /,
      );
      assert.match(error.message, /Restore a snapshot or checkpoint first$/);
      assert.ok(error.cause instanceof GpuValidationError);
    }
    await trainer.restore(snapshot);
  }
  const losses: number[] = [];
  for await (const event of trainer) {
    if (event.type === "step") losses.push(event.generatorLoss, event.discriminatorLoss);
  }
  assert.ok(losses.length === 6 && losses.every((loss) => loss > 0 && loss < 10), losses.join());
  assert.deepEqual(await stateDigests(trainer), await stateDigests(straight));
  const mean = (trainer: Trainer) => trainer.history.at(-1)!.generatorLoss;
  assert.equal(mean(trainer), mean(straight), "its losses are its own");
});
