/** A trainer: what it emits, what it goes back to, what it refuses. */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  Gpu,
  type Position,
  type Snapshot,
  trainDCGAN,
  Trainer,
  type TrainerOptions,
} from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import { VERSION } from "../../src/version.ts";
import { OVERPOWERED } from "../support/dataset.ts";
import { digestsOf } from "../support/digest.ts";
import { gpu, SMALL, test, tinyBlobs, train } from "../support/small.ts";
import { drain, listen, live, stepsTo, timeless, weightsOf } from "../support/training.ts";

const create = (options: Partial<TrainerOptions> = {}) => Trainer.create({ ...SMALL, ...options });

/** Every bit of a state: tensors and position, times aside. */
function bitsOf({ tensors, position }: Snapshot): unknown {
  const history = position.history.map(timeless);
  // A copy: what it is of must not change with it.
  return structuredClone([digestsOf(tensors), { ...position, history }]);
}

const bits = async (trainer: Trainer) => bitsOf(await trainer.snapshot());

const whole = await create();
const events = await Array.fromAsync(whole);
const expected = await bits(whole);

/** Trains to the end, which must be that of the run that nothing interrupted. */
async function assertGoesOn(trainer: Trainer): Promise<void> {
  await drain(trainer);
  assert.deepEqual(await bits(trainer), expected);
}

Deno.test("trainer: the iteration emits every step and epoch in order", () => {
  const order = events.map((e) => e.type === "step" ? e.step : e.type);
  const epochs = [1, 6, 11].map((first) => [...stepsTo(first + 4, first), "epoch"]);
  assert.deepEqual(order, epochs.flat());
  assert.deepEqual([whole.steps, whole.totalSteps, whole.currentEpoch], [15, 15, 4]);
  assert.ok(whole.betweenEpochs);
  const history = whole.history.map((e) => [e.epoch, e.step, e.steps]);
  assert.deepEqual(history, [[1, 5, 5], [2, 10, 5], [3, 15, 5]]);
});

Deno.test("trainer: it trains as trainDCGAN does, to the bit", async () => {
  const run = await train();
  assert.deepEqual(await weightsOf(run), await weightsOf(whole));
  assert.deepEqual(run.history.map(timeless), whole.history.map(timeless));
});

Deno.test("trainer: steps, epochs and iterations mix, and give the same bits", async () => {
  using trainer = await create();
  assert.deepEqual({ type: "step", ...await trainer.step() }, events[0]);
  assert.equal((await trainer.step()).step, 2);
  assert.ok(!trainer.betweenEpochs);
  const { epoch, step, steps } = await trainer.epoch();
  assert.deepEqual([epoch, step, steps], [1, 5, 5]);
  const rest: unknown[] = [];
  const note = (event: (typeof events)[number]) =>
    rest.push(event.type === "step" ? event.step : event.type);
  for await (const event of trainer) {
    note(event);
    // Whoever breaks off misses nothing.
    if (event.type === "step" && event.step === 8) break;
  }
  assert.ok(trainer.steps >= 8);
  for await (const event of trainer) note(event);
  assert.deepEqual(rest, [...stepsTo(10, 6), "epoch", ...stepsTo(15, 11), "epoch"]);
  assert.deepEqual(await bits(trainer), expected);
});

Deno.test("trainer: at a pause no later step has begun", async () => {
  using trainer = await create();
  const seen: number[][] = [];
  for await (const event of trainer.run({ pauseAfter: (step) => step % 4 === 0 || step === 5 })) {
    if (event.type === "pause") seen.push([event.step, trainer.steps, event.epoch]);
  }
  assert.deepEqual(seen, [[4, 4, 1], [5, 5, 1], [8, 8, 2], [12, 12, 3]]);
});

for (const cut of [1, 5, 7]) {
  test(`trainer: saved after ${cut} steps and restored elsewhere, it gives the same bits`, async (dir) => {
    const path = join(dir, "a.safetensors");
    using trainer = await create();
    for (let i = 0; i < cut; i++) await trainer.step();
    assert.equal(await trainer.save(path), path);
    using other = await create();
    await other.step(); // of no account
    await other.restore(path);
    assert.equal(other.steps, cut);
    await assertGoesOn(other);
    const { version } = await readCheckpoint(path);
    assert.equal(version, VERSION);
  });
}

Deno.test("trainer: a cut epoch that version 0.1.0 kept in the history is left out until it is over", async () => {
  using trainer = await create({ maxSteps: 7 });
  await drain(trainer);
  const { position, ...rest } = await trainer.snapshot();
  const cut = { ...position.history[0], epoch: 2, step: 7, steps: 2 };
  using other = await create();
  await other.restore({ ...rest, position: { ...position, history: [...position.history, cut] } });
  assert.deepEqual(other.history.map((e) => e.epoch), [1]);
  await assertGoesOn(other);
});

Deno.test("trainer: a checkpoint is also bytes, which any source of them restores", async () => {
  using trainer = await create();
  await trainer.step();
  await trainer.step();
  const bytes = await trainer.toBytes();
  for (const source of [bytes, new Blob([bytes]), new File([bytes], "run.safetensors")]) {
    using other = await create();
    await other.restore(source);
    assert.deepEqual(await bits(other), await bits(trainer));
  }
  await drain(trainer);
  using last = await create();
  await last.restore(bytes);
  await assertGoesOn(last);
  const damaged = new File([bytes.subarray(0, 1000)], "cut.safetensors");
  await assert.rejects(last.restore(damaged), /cut\.safetensors/);
  assert.deepEqual(await bits(last), expected, "nothing changed");
});

Deno.test("trainer: it reports how many kernels are compiled before the first step", async () => {
  using own = await Gpu.request();
  const reports: string[] = [];
  const onCompile = ({ done, total }: { readonly done: number; readonly total: number }) =>
    reports.push(`${done} of ${total}`);
  using trainer = await create({ gpu: own, onCompile });
  await trainer.prepare();
  assert.ok(reports.length > 20, "a step has many kernels");
  assert.deepEqual(reports, reports.map((_, i) => `${i + 1} of ${reports.length}`));
  await trainer.prepare();
  await trainer.step();
  assert.equal(reports.at(-1), `${reports.length} of ${reports.length}`, "nothing more");
});

Deno.test("trainer: a snapshot in memory is a point to come back to, more than once", async () => {
  using trainer = await create();
  for (let i = 0; i < 6; i++) await trainer.step();
  const snapshot = await trainer.snapshot();
  const before = bitsOf(snapshot);
  for (let turn = 0; turn < 2; turn++) {
    await assertGoesOn(trainer);
    assert.deepEqual(bitsOf(snapshot), before);
    await trainer.restore(snapshot);
  }
});

test("trainer: what does not fit is refused, and changes nothing", async (dir) => {
  using trainer = await create();
  await trainer.step();
  const snapshot = await trainer.snapshot();
  await trainer.step(); // so that the snapshot's state is another one
  const now = await bits(trainer);
  const { configuration, position, tensors } = snapshot;
  const random = tensors.get("random")!;
  const without = new Map([...tensors].filter(([name]) => name !== "random"));
  const wrong = (change: Partial<Record<keyof Position, unknown>>) => ({
    position: { ...position, ...change },
  });
  const refused: [change: object, message: RegExp][] = [
    [{ configuration: { ...configuration, dropout: 0.5 } }, /dropout 0.5, this run asks for 0.3/],
    [{ tensors: without }, /no tensor random/],
    [{ tensors: new Map(tensors).set("foreign", random) }, /unknown tensor "?foreign/],
    [
      { tensors: new Map(tensors).set("random", { ...random, shape: [1, 2] }) },
      /random is U32 \[1, 2\]; this network needs U32 \[2\]/,
    ],
    [wrong({ epoch: 0 }), /its epoch is 0/],
    [wrong({ at: 70 }), /of 70 images it has trained 70/],
    [wrong({ steps: 1.5 }), /its steps are 1.5/],
    [wrong({ sums: {} }), /its sums are \{\}/],
    [wrong({ sums: { steps: 1, generator: 1 } }), /its sums are/],
    [wrong({ history: [{}] }), /its history is/],
    [wrong({ history: [{ generatorLoss: 1, discriminatorLoss: 1 }] }), /its history is/],
    [{ position: null }, /its epoch is undefined/],
  ];
  for (const [change, message] of refused) {
    const restore = trainer.restore({ ...snapshot, ...change });
    await assert.rejects(restore, { name: "CheckpointError", message });
    assert.deepEqual(await bits(trainer), now);
  }
  await assert.rejects(trainer.restore(join(dir, "none")), /Cannot open the checkpoint/);
});

Deno.test("trainer: a signal stops it after the step under way; then it can be saved", async () => {
  const stop = new AbortController();
  using trainer = await create({ signal: stop.signal });
  const step = trainer.step();
  stop.abort(new Error("enough"));
  assert.equal((await step).step, 1);
  await assert.rejects(trainer.step(), /enough/);
  await assert.rejects(trainer.epoch(), /enough/);
  assert.deepEqual(await Array.fromAsync(trainer), []);
  using other = await create();
  await other.restore(await trainer.snapshot());
  assert.equal(other.steps, 1);
  await assertGoesOn(other);
});

for (const delay of [0, 100]) {
  Deno.test(`trainer: an epoch is aborted after the step under way, ${delay} ms after it began`, async () => {
    const stop = new AbortController();
    using trainer = await create({ dataset: tinyBlobs(2000), signal: stop.signal });
    const epoch = trainer.epoch();
    if (delay) await new Promise((done) => setTimeout(done, delay));
    stop.abort();
    await assert.rejects(epoch, { name: "AbortError" });
    assert.ok(trainer.steps < 125, `${trainer.steps} steps`);
    assert.equal((await trainer.snapshot()).position.sums.steps, trainer.steps);
  });
}

for (
  const [what, options, message] of [
    ["a network that overpowers the other", OVERPOWERED, /discriminator overpowers/],
    ["losses", { learningRate: 1e30, onNonFinite: "warn" }, /no longer finite/],
  ] as const
) {
  Deno.test(`trainer: after a restore, a warning of ${what} comes again`, async () => {
    const { messages, onMessage } = listen();
    using trainer = await create({ ...options, onMessage });
    const beginning = await trainer.snapshot();
    const warnings = async () => {
      for await (const _ of trainer) if (messages.length) break;
      return messages.splice(0);
    };
    const first = await warnings();
    assert.equal(first.length, 1);
    assert.match(first[0], message);
    await trainer.restore(beginning);
    assert.deepEqual(await warnings(), first);
  });
}

Deno.test("trainer: an epoch's seconds are those of training, not of its caller", async () => {
  using trainer = await create();
  const begun = performance.now();
  await trainer.step();
  const pause = 1000 + performance.now() - begun;
  await new Promise((done) => setTimeout(done, pause));
  const rest = performance.now();
  const { seconds } = await trainer.epoch();
  const most = (performance.now() - rest + pause - 1000) / 1000;
  assert.ok(seconds > 0 && seconds <= most, `${seconds}, not at most ${most}`);
});

Deno.test("trainer: everything is freed", async () => {
  const before = live(gpu);
  const trainer = await create({ epochs: 1 });
  await drain(trainer);
  trainer[Symbol.dispose]();
  assert.deepEqual(live(gpu), before);
});

Deno.test("trainer: wrong options are compile errors where they can be", () => {
  const { dataset } = SMALL;
  // Never called: what counts is that the compiler refuses each of these lines.
  const refused = () => [
    // @ts-expect-error an option that does not exist
    trainDCGAN({ dataset, epoch: 3 }),
    // @ts-expect-error nothing to resume without a folder
    trainDCGAN({ dataset, resume: true }),
    // @ts-expect-error nowhere to write checkpoints
    trainDCGAN({ dataset, checkpoint: { everyEpochs: 1 } }),
    // @ts-expect-error widths are a list
    trainDCGAN({ dataset, generatorWidths: 8 }),
    // @ts-expect-error an objective that does not exist
    trainDCGAN({ dataset, objective: "lsgan" }),
    // @ts-expect-error a recipe that does not exist
    trainDCGAN({ dataset, recipe: "slow" }),
    // @ts-expect-error a data set is more than its images
    trainDCGAN({ dataset: { images: new Uint8Array(784) } }),
    // @ts-expect-error an option that does not exist
    Trainer.create({ dataset, lr: 1e-3 }),
    // A folder makes them right, and so does a type that leaves it open.
    trainDCGAN({ dataset, outDir: "out", resume: true, checkpoint: { everyEpochs: 1 } }),
    trainDCGAN({ dataset, ...{} as { outDir?: string; resume?: boolean } }),
  ];
  assert.equal(typeof refused, "function");
});
