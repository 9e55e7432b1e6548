/** Numbers that stop being finite: the first is found and named, and the state before it is kept. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import {
  CheckpointError,
  Gpu,
  grad,
  NonFiniteError,
  ops,
  OutOfMemoryError,
  type SafeTensor,
  trainDCGAN,
  Trainer,
  type TrainerOptions,
} from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { FiniteCheck } from "../../src/training/finite_check.ts";
import { CheckpointFolder, readCheckpoint } from "../../src/files/checkpoints.ts";
import { stateDigests } from "../support/digest.ts";
import { assertClose } from "../support/close.ts";
import { SMALL as ENDLESS } from "../support/dataset.ts";
import { inFolder } from "../support/folder.ts";
import { drain, listen } from "../support/training.ts";

const gpu = await Gpu.request();

/** Four epochs of five steps. */
const SMALL = { ...ENDLESS, gpu, epochs: 4 } satisfies TrainerOptions;

async function failure(promise: Promise<unknown>): Promise<NonFiniteError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof NonFiniteError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "it went on" });
}

function assertFinite(tensors: ReadonlyMap<string, SafeTensor>): void {
  for (const [name, { data }] of tensors) assert.ok(data.every(Number.isFinite), name);
}

Deno.test("non-finite: the first op and step are named, and the run stands before them", async () => {
  using trainer = await Trainer.create({ ...SMALL, learningRate: 1e30 });
  const error = await failure(drain(trainer));
  // Adam's first step makes weights of 1e30; the squares of what they give are beyond the floats.
  assert.equal(error.step, 2);
  assert.match(error.where, /^batchNormStatistics \[/);
  assert.match(error.message, /not finite in step 2 .* stands at step 1 again\. Try a lower/);
  assert.equal(trainer.steps, 1);
  assertFinite((await trainer.snapshot()).tensors);
});

for (
  const [where, plant] of [
    ["dense/kernel", (trainer: Trainer) => trainer.generator.variables[0]],
    ["dense/bias", (trainer: Trainer) => trainer.discriminator.variables.at(-1)!],
  ] as const
) {
  for (const value of [NaN, Infinity, -Infinity]) {
    Deno.test(`non-finite: a weight that is ${value} (${where}) is found at the next check`, async () => {
      using trainer = await Trainer.create(SMALL);
      await trainer.epoch();
      const variable = plant(trainer);
      const data = await variable.read();
      data[data.length - 1] = value;
      variable.write(data);
      const error = await failure(trainer.step());
      assert.equal(error.step, 6);
      // It was there before the step: the copy was made after the epoch, of a finite state.
      assert.equal(trainer.steps, 5);
      assert.ok((await variable.read()).every(Number.isFinite), "the weight is as it was");
      assert.equal((await trainer.step()).step, 6, "training goes on from there");
    });
  }
}

Deno.test("non-finite: after it was stopped, training goes on to the same bits", async () => {
  const losses = async (trainer: Trainer) =>
    (await Array.fromAsync(trainer)).flatMap((event) =>
      event.type === "step" ? [event.generatorLoss, event.discriminatorLoss] : []
    );
  using straight = await Trainer.create(SMALL);
  await straight.epoch();
  const expected = await losses(straight);
  using trainer = await Trainer.create(SMALL);
  await trainer.epoch();
  const [kernel] = trainer.generator.variables;
  kernel.write(new Float32Array(kernel.size).fill(NaN));
  await failure(drain(trainer));
  assert.deepEqual(await losses(trainer), expected);
  assert.deepEqual(await stateDigests(trainer), await stateDigests(straight));
});

Deno.test("non-finite: trainDCGAN keeps the last finite state as a checkpoint", () =>
  inFolder(async (dir) => {
    const { messages, onMessage } = listen();
    const options = { ...SMALL, learningRate: 1e30, outDir: dir, onMessage };
    assert.equal((await failure(trainDCGAN(options))).step, 2);
    const path = join(dir, "training_checkpoints", "ckpt-0001-step-1.safetensors");
    assert.ok(messages.some((text) => text.startsWith(`wrote ${path}`)), messages.join("\n"));
    const { tensors, position } = await readCheckpoint<{ steps: number }>(path);
    assert.equal(position.steps, 1);
    assertFinite(tensors);
    // What it was resumed from is finite, and so is what follows with another learning rate's run.
    assert.equal((await failure(trainDCGAN({ ...options, resume: true }))).step, 2);
  }));

Deno.test("non-finite: 'warn' says it once and goes on", async () => {
  const { messages, onMessage } = listen();
  const options = { ...SMALL, learningRate: 1e30, onNonFinite: "warn", onMessage } as const;
  using run = await trainDCGAN(options);
  assert.equal(run.steps, 20);
  assert.equal(messages.length, 1);
  assert.match(messages[0], /no longer finite at step \d+/);
});

Deno.test("non-finite: of steps that are checked together, the one with the first such number is named", async () => {
  // Losses are read after step 1, then after steps 2 and 3, then at the epoch's end.
  using trainer = await Trainer.create({ ...SMALL, learningRate: 1.5e8 });
  const error = await failure(drain(trainer));
  using single = await Trainer.create({ ...SMALL, learningRate: 1.5e8 });
  for (let step = 1; step < 3; step++) await single.step();
  assert.equal((await failure(single.step())).step, 3);
  assert.equal(error.step, 3);
  assert.equal(trainer.steps, 1);
});

const KINDS = [
  "generator/.*moving_mean",
  "generator/.*moving_variance",
  "adam/state",
  "/m$",
  "/v$",
];
for (const onNonFinite of ["stop", "warn"] as const) {
  Deno.test(`non-finite: statistics, moments and Adam's state are checked, too ("${onNonFinite}")`, async () => {
    for (const kind of KINDS) {
      const { messages, onMessage } = listen();
      using trainer = await Trainer.create({ ...SMALL, onNonFinite, onMessage });
      await trainer.epoch();
      const snapshot = await trainer.snapshot();
      const name = [...snapshot.tensors.keys()].find((key) => new RegExp(kind).test(key))!;
      const { data, ...rest } = snapshot.tensors.get(name)!;
      const broken = Float32Array.from(data).fill(NaN, 0, 1);
      const tensors = new Map(snapshot.tensors).set(name, { ...rest, data: broken });
      if (onNonFinite === "warn") {
        await trainer.restore({ ...snapshot, tensors });
        await trainer.step();
        await trainer.epoch();
        assert.equal(messages.length, 1, `${name}: ${messages.join("\n")}`);
        assert.match(messages[0], /not finite|no longer finite/);
      } else {
        // A state like that is refused, where training would only stop again.
        await assert.rejects(trainer.restore({ ...snapshot, tensors }), (error: Error) => {
          assert.ok(error instanceof CheckpointError, String(error));
          assert.ok(error.message.includes(name), error.message);
          return true;
        });
        assert.equal((await trainer.step()).step, 6, "nothing was changed");
      }
    }
  });
}

for (const maxSteps of [3, 5, 7, 20]) {
  Deno.test(`non-finite: in the last of ${maxSteps} steps`, async () => {
    using trainer = await Trainer.create({ ...SMALL, maxSteps });
    let emitted = 0;
    const run = async () => {
      for await (const event of trainer.run({ pauseAfter: (step) => step === maxSteps - 1 })) {
        if (event.type === "step") emitted = event.step;
        if (event.type !== "pause") continue;
        const mean = trainer.generator.variables.find(({ name }) => name.endsWith("moving_mean"))!;
        mean.write(new Float32Array(mean.size).fill(Infinity));
      }
    };
    assert.equal((await failure(run())).step, maxSteps);
    assert.equal(emitted, maxSteps - 1);
    assert.equal(trainer.steps, maxSteps - 1);
  });
}

Deno.test("non-finite: 'warn' keeps the last finite checkpoint, and a resume that stops finds it", () =>
  inFolder(async (dir) => {
    const options = { ...SMALL, learningRate: 5e7, outDir: dir };
    const policy = { checkpoint: { everyMinutes: 1e-9, keep: 2 } };
    using _run = await trainDCGAN({ ...options, ...policy, onNonFinite: "warn" });
    const folder = new CheckpointFolder(join(dir, "training_checkpoints"));
    const names = (await folder.list()).map((path) => basename(path));
    assert.deepEqual(names, [
      "ckpt-0001.safetensors", // the best
      "ckpt-0002-step-7.safetensors",
      "ckpt-0004-step-19.safetensors",
      "ckpt-0004.safetensors",
    ]);
    const { messages, onMessage } = listen();
    const error = await failure(trainDCGAN({ ...options, resume: true, onMessage }));
    assert.equal(error.step, 8);
    assert.equal(messages.filter((text) => /^skipped: .*not finite/.test(text)).length, 2);
    assert.ok(messages.some((text) => /^resumed .*step-7/.test(text)), messages.join("\n"));
  }));

Deno.test("non-finite: the search trains the batches of the steps since the last check again", async () => {
  const { step } = DCGAN.prototype;
  const { search } = FiniteCheck.prototype;
  const trained: number[][] = [];
  let searched: number[][] = [];
  DCGAN.prototype.step = function (indices) {
    trained.push([...indices]);
    return step.call(this, indices);
  };
  FiniteCheck.prototype.search = function (batches) {
    searched = batches.map((batch) => [...batch]);
    return search.call(this, batches);
  };
  try {
    // It checks after step 1, in the middle of the epoch, and then after step 3.
    using trainer = await Trainer.create({ ...SMALL, learningRate: 1.5e8 });
    await failure(drain(trainer));
    assert.equal(searched.length, 2);
    assert.deepEqual(searched, trained.slice(-searched.length));
  } finally {
    DCGAN.prototype.step = step;
    FiniteCheck.prototype.search = search;
  }
});

Deno.test("non-finite: a search that fails does not cost the finite state", async () => {
  using own = await Gpu.request();
  using trainer = await Trainer.create({ ...SMALL, gpu: own, learningRate: 1e30 });
  const { compile } = own;
  own.compile = function (this: Gpu, ...args: Parameters<typeof compile>) {
    if (args[2]?.watch && args[2].label?.startsWith("training")) {
      throw new OutOfMemoryError("planted");
    }
    return compile.apply(this, args);
  } as typeof compile;
  const error = await failure(drain(trainer));
  assert.match(error.message, /not finite in one of the steps 2 to 3 .* stands at step 1 again/);
  assert.ok(error.cause instanceof OutOfMemoryError);
  assertFinite((await trainer.snapshot()).tensors);
});

Deno.test("non-finite: a finite run is the same to the bit, whether a copy is kept or not", async () => {
  using looked = await Trainer.create(SMALL);
  using warned = await Trainer.create({ ...SMALL, onNonFinite: "warn" });
  assert.deepEqual(await drain(looked), await drain(warned));
  assert.deepEqual(await stateDigests(looked), await stateDigests(warned));
});

Deno.test("non-finite: identical images through batch normalization: no variance, finite gradients", async () => {
  const shape = [8, 7, 7, 3];
  const image = Array.from({ length: 7 * 7 * 3 }, (_, i) => [0.25, -1, 1e4][i % 3]);
  const gamma = gpu.variable([3], [2, 2, 2]);
  const beta = gpu.variable([3], [0.5, -0.5, 0]);
  using program = gpu.compile({ x: shape, c: shape }, ({ x, c }) => {
    const { y, variance } = ops.batchNorm(x, gamma, beta);
    const [dx, dGamma, dBeta] = grad(ops.sum(ops.mul(y, c)), [x, gamma, beta]);
    return { y, variance, dx, dGamma, dBeta };
  }, { watch: true });
  const random = Float32Array.from({ length: 8 * 147 }, (_, i) => Math.sin(i));
  program.run({ x: Array.from({ length: 8 }, () => image).flat(), c: random });
  assert.equal(await program.firstNonFinite(), undefined);
  const { y, variance, dGamma, dBeta, dx } = await program.read();
  assert.deepEqual([...variance], [0, 0, 0]);
  assert.deepEqual([...y.subarray(0, 3)], [0.5, -0.5, 0]);
  assert.deepEqual([...dGamma], [0, 0, 0]);
  const sums = [0, 1, 2].map((c) =>
    random.filter((_, i) => i % 3 === c).reduce((a, b) => a + b, 0)
  );
  assertClose(dBeta, sums, { atol: 1e-4 });
  // gamma / sqrt(epsilon) times what the cotangent is above its mean.
  const expected = random.map((v, i) => 2 / Math.sqrt(1e-3) * (v - sums[i % 3] / 392));
  assertClose(dx, expected, { atol: 1e-3 });
});

Deno.test("non-finite: what is extreme but finite does not stop a run", async () => {
  // Images that are all the same.
  const same = { ...SMALL.dataset, images: new Uint8Array(70 * 784).fill(255) };
  using run = await trainDCGAN({ ...SMALL, dataset: same });
  assert.equal(run.steps, 20);
  // A learning rate of 10 does no good, but either goes on or is stopped by name.
  try {
    using wild = await trainDCGAN({ ...SMALL, learningRate: 10 });
    assert.equal(wild.steps, 20);
  } catch (error) {
    assert.ok(error instanceof NonFiniteError, String(error));
  }
  // Nothing is learnt; gradients that are all zero are tests/optim/adam_test.ts' matter.
  using still = await trainDCGAN({ ...SMALL, learningRate: 0, epochs: 1 });
  assert.equal(still.steps, 5);
});

Deno.test("non-finite: cross-entropies of logits of 10,000 are exact, and so are their gradients", async () => {
  const x = [1e4, -1e4, 1e4, -1e4];
  const labels = [1, 0, 0, 1];
  using program = gpu.compile({ x: [4], t: [4] }, ({ x, t }) => {
    const y = ops.sigmoidCrossEntropyWithLogits(x, t);
    const [dx, dt] = grad(ops.sum(y), [x, t]);
    return { y, dx, dt };
  }, { watch: true });
  program.run({ x, t: labels });
  const { y, dx, dt } = await program.read();
  assert.deepEqual([...y], [0, 0, 1e4, 1e4]);
  assert.deepEqual([...dx], [0, 0, 1, -1]); // sigmoid(x) - t
  assert.deepEqual([...dt], x.map((value) => -value));
  assert.equal(await program.firstNonFinite(), undefined);
});
