import assert from "node:assert/strict";
import { join } from "node:path";
import { type Snapshot, type StepEvent, trainDCGAN, Trainer } from "../../mod.ts";
import { readCheckpoint } from "../../src/files/checkpoints.ts";
import type { Position } from "../../src/training/position.ts";
import { VERSION } from "../../src/version.ts";
import { blobs, OVERPOWERED } from "../support/dataset.ts";
import { digestsOf } from "../support/digest.ts";
import { inFolder } from "../support/folder.ts";
import { gpu, SMALL } from "../support/small.ts";
import { drain, listen, live, stepsTo, timeless, weightsOf } from "../support/training.ts";

/** Every bit of a state: tensors and position, times aside. */
function bits({ tensors, position }: Snapshot): unknown {
  const history = position.history.map(timeless);
  // A copy: what it is of must not change with it.
  return structuredClone([digestsOf(tensors), { ...position, history }]);
}

const whole = await Trainer.create(SMALL);
const events = await Array.fromAsync(whole);
const expected = bits(await whole.snapshot());

Deno.test("trainer: the iteration emits every step and epoch in order", () => {
  const order = events.map((e) => e.type === "step" ? e.step : e.type);
  const epochs = [1, 6, 11].map((first) => [...stepsTo(first + 4, first), "epoch"]);
  assert.deepEqual(order, epochs.flat());
  assert.equal(whole.steps, 15);
  assert.equal(whole.totalSteps, 15);
  assert.equal(whole.currentEpoch, 4);
  assert.ok(whole.betweenEpochs);
  const history = whole.history.map((e) => [e.epoch, e.step, e.steps]);
  assert.deepEqual(history, [[1, 5, 5], [2, 10, 5], [3, 15, 5]]);
});

Deno.test("trainer: it trains as trainDCGAN does, to the bit", async () => {
  using run = await trainDCGAN(SMALL);
  assert.deepEqual(await weightsOf(run), await weightsOf(whole));
  assert.deepEqual(run.history.map(timeless), whole.history.map(timeless));
});

Deno.test("trainer: steps, epochs and iterations mix, and give the same bits", async () => {
  using trainer = await Trainer.create(SMALL);
  const first = await trainer.step();
  const { type: _, ...emitted } = events[0] as { type: "step" } & StepEvent;
  assert.deepEqual(first, emitted);
  assert.equal((await trainer.step()).step, 2);
  assert.ok(!trainer.betweenEpochs);
  const epoch = await trainer.epoch();
  assert.deepEqual([epoch.epoch, epoch.step, epoch.steps], [1, 5, 5]);
  const rest: unknown[] = [];
  for await (const event of trainer) {
    rest.push(event.type === "step" ? event.step : event.type);
    // Whoever breaks off misses nothing.
    if (event.type === "step" && event.step === 8) break;
  }
  assert.ok(trainer.steps >= 8);
  for await (const event of trainer) rest.push(event.type === "step" ? event.step : event.type);
  assert.deepEqual(rest, [6, 7, 8, 9, 10, "epoch", 11, 12, 13, 14, 15, "epoch"]);
  assert.deepEqual(bits(await trainer.snapshot()), expected);
});

Deno.test("trainer: at a pause no later step has begun", async () => {
  using trainer = await Trainer.create(SMALL);
  const seen: number[][] = [];
  for await (const event of trainer.run({ pauseAfter: (step) => step % 4 === 0 || step === 5 })) {
    if (event.type === "pause") seen.push([event.step, trainer.steps, event.epoch]);
  }
  assert.deepEqual(seen, [[4, 4, 1], [5, 5, 1], [8, 8, 2], [12, 12, 3]]);
});

for (const cut of [1, 5, 7]) {
  Deno.test(`trainer: saved after ${cut} steps and restored elsewhere, it gives the same bits`, () =>
    inFolder(async (dir) => {
      const path = join(dir, "a.safetensors");
      {
        using trainer = await Trainer.create(SMALL);
        for (let i = 0; i < cut; i++) await trainer.step();
        assert.equal(await trainer.save(path), path);
      }
      using other = await Trainer.create(SMALL);
      await other.step(); // of no account
      await other.restore(path);
      assert.equal(other.steps, cut);
      await drain(other);
      assert.deepEqual(bits(await other.snapshot()), expected);
      const { version, distance } = await readCheckpoint(path);
      assert.equal(version, VERSION);
      assert.ok(distance! > 0);
    }));
}

Deno.test("trainer: a snapshot in memory is a point to come back to, more than once", async () => {
  using trainer = await Trainer.create(SMALL);
  for (let i = 0; i < 6; i++) await trainer.step();
  const snapshot = await trainer.snapshot();
  const before = bits(snapshot);
  for (let turn = 0; turn < 2; turn++) {
    await drain(trainer);
    assert.deepEqual(bits(await trainer.snapshot()), expected);
    assert.deepEqual(bits(snapshot), before);
    await trainer.restore(snapshot);
  }
});

Deno.test("trainer: events that were not emitted before a restore are dropped", async () => {
  using trainer = await Trainer.create(SMALL);
  await trainer.epoch();
  const snapshot = await trainer.snapshot();
  // Losses are read in bunches, after the first step of at least two.
  for await (const event of trainer) if (event.type === "step" && event.step === 6) break;
  assert.ok(trainer.steps > 6, "there is something left to emit");
  await trainer.restore(snapshot);
  assert.deepEqual(await drain(trainer), stepsTo(15, 6));
});

Deno.test("trainer: what does not fit is refused, and changes nothing", () =>
  inFolder(async (dir) => {
    using trainer = await Trainer.create(SMALL);
    await trainer.step();
    const snapshot = await trainer.snapshot();
    await trainer.step(); // so that the snapshot's state is another one
    const now = bits(await trainer.snapshot());
    const { configuration, position, tensors } = snapshot;
    const random = tensors.get("random")!;
    const wrong = (change: Partial<Record<keyof Position, unknown>>) => ({
      position: { ...position, ...change },
    });
    const refused: [change: object, message: RegExp][] = [
      [{ configuration: { ...configuration, dropout: 0.5 } }, /dropout 0.5, this run asks for 0.3/],
      [
        { tensors: new Map([...tensors].filter(([name]) => name !== "random")) },
        /no tensor random/,
      ],
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
      assert.deepEqual(bits(await trainer.snapshot()), now);
    }
    await assert.rejects(trainer.restore(join(dir, "none")), /Cannot open the checkpoint/);
  }));

Deno.test("trainer: a cut epoch that version 0.1.0 kept in the history is left out until it is over", async () => {
  using trainer = await Trainer.create({ ...SMALL, maxSteps: 7 });
  await drain(trainer);
  const snapshot = await trainer.snapshot();
  const { position } = snapshot;
  const cut = { ...position.history[0], epoch: 2, step: 7, steps: 2 };
  const old = { ...snapshot, position: { ...position, history: [...position.history, cut] } };
  using other = await Trainer.create(SMALL);
  await other.restore(old);
  assert.deepEqual(other.history.map((e) => e.epoch), [1]);
  await drain(other);
  assert.deepEqual(bits(await other.snapshot()), expected);
});

Deno.test("trainer: a signal stops it between steps; then it can be saved", async () => {
  const stop = new AbortController();
  using trainer = await Trainer.create({ ...SMALL, signal: stop.signal });
  await trainer.step();
  stop.abort(new Error("enough"));
  await assert.rejects(trainer.step(), /enough/);
  await assert.rejects(trainer.epoch(), /enough/);
  assert.deepEqual(await Array.fromAsync(trainer), []);
  using other = await Trainer.create(SMALL);
  await other.restore(await trainer.snapshot());
  await drain(other);
  assert.deepEqual(bits(await other.snapshot()), expected);
});

Deno.test("trainer: an epoch is aborted after the step under way", async () => {
  const stop = new AbortController();
  using trainer = await Trainer.create({ ...SMALL, dataset: blobs(2000), signal: stop.signal });
  const epoch = trainer.epoch();
  setTimeout(() => stop.abort(), 100);
  await assert.rejects(epoch, { name: "AbortError" });
  assert.ok(trainer.steps < 125, `${trainer.steps} steps`);
  assert.equal((await trainer.snapshot()).position.sums.steps, trainer.steps);
});

Deno.test("trainer: after a restore, a network that overpowers the other is reported again", async () => {
  const { messages, onMessage } = listen();
  const options = { ...SMALL, ...OVERPOWERED, distance: false, onMessage };
  using trainer = await Trainer.create(options);
  const beginning = await trainer.snapshot();
  const train = async () => {
    for await (const _ of trainer) if (messages.length) break;
    return messages.splice(0);
  };
  const warnings = await train();
  assert.match(warnings[0], /discriminator overpowers/);
  await trainer.restore(beginning);
  assert.deepEqual(await train(), warnings);
});

Deno.test("trainer: an epoch's seconds are those of training, not of its caller", async () => {
  using trainer = await Trainer.create({ ...SMALL, distance: false });
  const begun = performance.now();
  await trainer.step();
  const pause = 1000 + performance.now() - begun;
  await new Promise((done) => setTimeout(done, pause));
  const rest = performance.now();
  const { seconds } = await trainer.epoch();
  const most = (performance.now() - rest + pause - 1000) / 1000;
  assert.ok(seconds > 0 && seconds <= most, `${seconds}, not at most ${most}`);
});

Deno.test("trainer: after a restore, losses that are not finite are reported again", async () => {
  const { messages, onMessage } = listen();
  const options = { ...SMALL, learningRate: 1e30, onNonFinite: "warn", onMessage } as const;
  using trainer = await Trainer.create(options);
  const snapshot = await trainer.snapshot();
  await trainer.epoch();
  assert.equal(messages.length, 1);
  await trainer.restore(snapshot);
  await trainer.epoch();
  assert.deepEqual(messages, [messages[0], messages[0]]);
});

Deno.test("trainer: everything is freed", async () => {
  const before = live(gpu);
  const trainer = await Trainer.create({ ...SMALL, epochs: 1 });
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
    // @ts-expect-error a generator has three widths
    trainDCGAN({ dataset, generatorWidths: [8, 8] }),
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
