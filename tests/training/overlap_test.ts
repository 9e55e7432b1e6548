/** What overlaps: it works in program order, or throws what the documentation says; nothing hangs. */

import assert from "node:assert/strict";
import {
  Gpu,
  GpuValidationError,
  ops,
  Trainer,
  type TrainerOptions,
  type TrainEvent,
} from "../../mod.ts";
import { stateDigests } from "../support/digest.ts";
import { inFolder } from "../support/folder.ts";
import { gpu, SMALL, train } from "../support/small.ts";
import { ACTS, counted, drain, listen, live, stepsTo } from "../support/training.ts";
import { guarded } from "../support/watchdog.ts";

const test = (name: string, body: (dir: string) => Promise<void>) =>
  Deno.test(`overlap: ${name}`, () => guarded(() => inFolder(body), 60));

/** Of two epochs of five steps. */
const create = (options: Partial<TrainerOptions> = {}) =>
  Trainer.create({ ...SMALL, epochs: 2, ...options });

/** Adds x to a sum that it keeps, slowly enough that reads are still pending when more is asked for. */
function counting(gpu: Gpu) {
  const total = gpu.variable([1], [0], { name: "total" });
  const program = gpu.compile({ x: [1] }, ({ x }) => {
    const slow = ops.matmul(ops.broadcastTo(x, [300, 300]), ops.constant(1, [300, 300]));
    ops.assign(total, ops.add(total, ops.div(ops.mean(slow), 300)));
    return { total };
  }, { label: "counting" });
  return { total, program };
}

async function outcomes(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => one.status === "fulfilled" ? one.value : one.reason);
}

function assertAll(values: readonly unknown[], ...classes: (new (text: string) => Error)[]): void {
  for (const value of values) {
    assert.ok(classes.some((c) => value instanceof c), `got ${Deno.inspect(value)}`);
  }
}

const dispose = (gpu: Gpu) => gpu[Symbol.dispose]();

test("each of many pending reads sees what was enqueued before it, and nothing later", async () => {
  const { total, program } = counting(gpu);
  const reads: Promise<number>[] = [];
  const expected: number[] = [];
  for (let i = 1, sum = 0; i <= 20; i++) {
    program.run({ x: [i] });
    sum += i;
    reads.push(program.read("total").then(({ total }) => total[0]));
    reads.push(total.read().then(([value]) => value));
    expected.push(sum, sum);
    if (i % 5 === 0) {
      total.write([-1]);
      // What is handed over is taken at once: the array is the caller's again.
      const mine = Float32Array.of(100 * i);
      total.write(mine);
      mine[0] = 99;
      sum = 100 * i;
      reads.push(total.read().then(([value]) => value));
      reads.push(program.read().then(({ total }) => total[0])); // of the run, not of the write
      expected.push(sum, expected.at(-1)!);
    }
  }
  assert.deepEqual(await Promise.all(reads), expected);
});

test("a program that is disposed while reads are pending gives them what it had", async () => {
  const { total, program } = counting(gpu);
  for (let i = 0; i < 20; i++) program.run({ x: [1] });
  const pending = [program.read("total"), program.read("total")];
  program[Symbol.dispose]();
  program[Symbol.dispose]();
  assertAll(await outcomes([program.read(), program.profile()]), TypeError);
  for (const { total } of await Promise.all(pending)) assert.deepEqual([...total], [20]);
  assert.throws(() => program.run({ x: [1] }), /The program counting was disposed/);
  assert.deepEqual([...await total.read()], [20]);
});

test("a variable that is disposed while its read is pending, twice, and used afterwards", async () => {
  using gpu = await Gpu.request();
  const { total, program } = counting(gpu);
  program.run({ x: [7] });
  const pending = total.read();
  total.dispose();
  total.dispose();
  assert.deepEqual([...await pending], [7]);
  await assert.rejects(total.read(), /Cannot use the variable total \[1\], which was disposed/);
  assert.throws(() => total.write([1]), TypeError);
  // The run is refused, and fails every read that waits for it, not only the first.
  program.run({ x: [7] });
  assertAll(await outcomes([program.read(), program.read(), program.read()]), GpuValidationError);
});

for (
  const [what, owned, end, message] of [
    [
      "a device that is lost",
      true,
      (gpu) => gpu.device.destroy(),
      /device was lost .* Request a new/,
    ],
    ["a Gpu (its own device) that is disposed", true, dispose, /Gpu was disposed\. Request a new/],
    ["a Gpu (the caller's device) that is disposed", false, dispose, /Gpu was disposed/],
  ] satisfies [string, boolean, (gpu: Gpu) => void, RegExp][]
) {
  test(`${what} while work is queued and reads are pending`, async () => {
    const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
    using gpu = owned ? await Gpu.request() : Gpu.from(device);
    const { total, program } = counting(gpu);
    for (let i = 0; i < 50; i++) program.run({ x: [1] });
    const pending: Promise<unknown>[] = [program.read(), program.read(), total.read(), gpu.idle()];
    if (gpu.device.features.has("timestamp-query")) pending.push(program.profile());
    end(gpu);
    end(gpu);
    pending.push(program.read(), total.read(), gpu.idle());
    const refused = { name: "DeviceLostError", message };
    await Promise.all(pending.map((one) => assert.rejects(one, refused)));
    assert.throws(() => program.run({ x: [1] }), refused);
    assert.throws(() => total.write([1]), refused);
    assert.throws(() => gpu.variable([1]), refused);
    assert.throws(() => gpu.compile({}, () => ({})), refused);
    gpu[Symbol.dispose]();
    program[Symbol.dispose]();
    total.dispose();
    assert.deepEqual(live(gpu), { count: 0, bytes: 0 });
    if (!owned) {
      using again = Gpu.from(device);
      assert.deepEqual([...await again.variable([2], [5, 6]).read()], [5, 6]);
    }
    device.destroy();
  });
}

test("two Gpus have each their own numbers and errors", async () => {
  using one = await Gpu.request();
  using two = await Gpu.request();
  const [a, b] = [counting(one), counting(two)];
  for (let i = 0; i < 10; i++) {
    a.program.run({ x: [1] });
    b.program.run({ x: [10] });
  }
  assert.deepEqual(
    (await Promise.all([a.total.read(), b.total.read()])).map(([value]) => value),
    [10, 100],
  );
  assert.throws(
    () => two.compile({}, () => ({ y: ops.neg(a.total) })),
    { name: "TypeError", message: /variable total \[1\], which belongs to another device/ },
  );
  a.total.dispose();
  a.program.run({ x: [1] });
  b.program.run({ x: [10] });
  const [ofA, ofB] = await outcomes([a.program.read(), b.program.read()]);
  assertAll([ofA], GpuValidationError);
  assert.deepEqual(ofB, { total: new Float32Array([110]) });
  one[Symbol.dispose]();
  b.program.run({ x: [10] });
  assert.deepEqual([...await b.total.read()], [120]);
});

test("samples during a step are of the state before or after it", async () => {
  using trainer = await create();
  using other = await create();
  const step = trainer.step();
  const results = (trainer: Trainer) =>
    Promise.all([
      trainer.sample({ count: 4 }),
      trainer.sample({ count: 4, seed: 5 }),
      trainer.sample({ count: 2 }),
    ]);
  const during = await results(trainer);
  await step;
  const states: unknown[][] = [];
  for (let i = 0; i < 2; i++) {
    states.push(await results(other));
    await other.step();
  }
  for (const [i, result] of during.entries()) {
    const fits = states.some((state) => Deno.inspect(state[i]) === Deno.inspect(result));
    assert.ok(fits, `result ${i}`);
  }
});

test("whatever overlaps a step, an epoch or an iteration is refused, and disturbs nothing", async () => {
  using straight = await create();
  const start = await straight.snapshot();
  for (let i = 0; i < 5; i++) await straight.step();
  for (const first of ["step", "epoch", "iteration"] as const) {
    using trainer = await create();
    const iterator = trainer[Symbol.asyncIterator]();
    const begun: Promise<unknown> = first === "iteration" ? iterator.next() : trainer[first]();
    const refused = await outcomes([
      trainer.step(),
      trainer.epoch(),
      trainer.snapshot(),
      trainer.restore(start),
      trainer.save("/dev/null/never.safetensors"),
      trainer[Symbol.asyncIterator]().next(),
    ]);
    for (const error of refused) {
      assert.ok(error instanceof Error);
      assert.match(error.message, /Cannot begin an? .* while an? .* is under way: await it first/);
    }
    await begun;
    await iterator.return();
    while (trainer.steps < 5) await trainer.step();
    assert.deepEqual(await stateDigests(trainer), await stateDigests(straight), first);
  }
});

test("a restore between two events of an iteration: it goes on from there", async () => {
  using trainer = await create();
  const start = await trainer.snapshot();
  const steps: number[] = [];
  for await (const event of trainer) {
    if (event.type !== "step") continue;
    steps.push(event.step);
    if (steps.length !== 6) continue;
    // Losses are read in bunches, after the first step of at least two.
    assert.ok(trainer.steps > 6, "there is something left to emit, which is dropped");
    await trainer.restore(start);
  }
  assert.deepEqual(steps, [...stepsTo(6), ...stepsTo(10)]);
  using straight = await create();
  await drain(straight);
  assert.deepEqual(await stateDigests(trainer), await stateDigests(straight));
});

test("an iteration that is left while its read is pending is gone on with", async () => {
  using trainer = await create();
  const emitted: number[] = [];
  const note = (event: TrainEvent | void) => {
    if (event?.type === "step") emitted.push(event.step);
  };
  while (trainer.steps < trainer.totalSteps) {
    const iterator = trainer[Symbol.asyncIterator]();
    const pending = iterator.next();
    const left = iterator.return();
    note((await pending).value);
    assert.deepEqual(await left, { done: true, value: undefined });
  }
  for await (const event of trainer) note(event);
  assert.deepEqual(emitted, stepsTo(10));
});

test("an abort while an iteration reads: it emits the steps under way, then stops", async () => {
  const abort = new AbortController();
  using trainer = await create({ signal: abort.signal });
  const steps = drain(trainer);
  abort.abort();
  assert.deepEqual(await steps, stepsTo(trainer.steps));
});

test("an abort while trainDCGAN trains: it leaves a checkpoint", async (outDir) => {
  const stop = new AbortController();
  const { signal } = stop;
  const onStep = ({ step }: { readonly step: number }) => {
    if (step === 1) setTimeout(() => stop.abort(), 100); // while later steps are trained
  };
  const { aborted, checkpoint } = await train({ epochs: 1000, outDir, signal, onStep });
  assert.ok(aborted && checkpoint);
});

for (const owned of [true, false]) {
  test(`a trainer (${owned ? "its own" : "the caller's"} device) that is disposed while work is queued and reads are pending`, async () => {
    const { request, given } = counted();
    const { messages, onMessage } = listen();
    const before = live(gpu);
    for (const [name, act] of Object.entries(ACTS)) {
      // Some turns later the work is queued and its read is under way.
      for (const turns of [1, 10]) {
        const trainer = await create({ gpu: owned ? request : gpu, onMessage });
        const start = await trainer.snapshot();
        const pending = act(trainer);
        for (let i = 0; i < turns; i++) await Promise.resolve();
        trainer[Symbol.dispose]();
        trainer[Symbol.dispose]();
        const [result] = await outcomes([pending]);
        if (result instanceof Error) {
          assert.ok(result instanceof TypeError, `${name}: ${result.stack}`);
          assert.match(result.message, /The trainer was disposed/);
        }
        const later = await outcomes([
          ...Object.values(ACTS).map((act) => act(trainer)),
          trainer.restore(start),
          trainer.prepare(),
        ]);
        assertAll(later, TypeError);
        for (const error of later) assert.match(String(error), /The trainer was disposed/);
      }
    }
    assert.deepEqual(live(gpu), before);
    if (owned) assert.equal(given.length, 2 * Object.keys(ACTS).length, "none was replaced");
    assert.deepEqual(messages, []);
    assert.ok(given.every((gpu) => live(gpu).count === 0));
  });
}
