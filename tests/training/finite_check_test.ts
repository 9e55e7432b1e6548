/** Numbers that stop being finite: the first is found and named, and the state before it is kept. */

import assert from "node:assert/strict";
import { basename, join } from "node:path";
import {
  CheckpointError,
  grad,
  NonFiniteError,
  ops,
  OutOfMemoryError,
  type SafeTensor,
  Trainer,
  type TrainerOptions,
} from "../../mod.ts";
import { DCGAN } from "../../src/training/dcgan.ts";
import { FiniteCheck } from "../../src/training/finite_check.ts";
import { CheckpointFolder, readCheckpoint } from "../../src/files/checkpoints.ts";
import { blobs } from "../support/dataset.ts";
import { stateDigests } from "../support/digest.ts";
import { assertClose } from "../support/close.ts";
import { errorOf } from "../support/errors.ts";
import { gpu, SMALL, test, train } from "../support/small.ts";
import { drain, listen, stepsTo, timeless } from "../support/training.ts";

const create = (options: Partial<TrainerOptions> = {}) => Trainer.create({ ...SMALL, ...options });

/** Adam's first step makes weights of this size; the squares of what they give are beyond the floats. */
const TOO_FAST = { learningRate: 1e30 };

/** So fast that the first number that is not finite comes in step 3. */
const FAST = { learningRate: 1.5e8, dataset: blobs(70) };

async function failure(promise: Promise<unknown>): Promise<NonFiniteError> {
  const error = await promise.then(() => "it went on", (error) => error);
  assert.ok(error instanceof NonFiniteError, String(error));
  return error;
}

function assertFinite(tensors: ReadonlyMap<string, SafeTensor>): void {
  for (const [name, { data }] of tensors) assert.ok(data.every(Number.isFinite), name);
}

Deno.test("non-finite: the first op and step are named, and the run stands before them", async () => {
  using trainer = await create(TOO_FAST);
  const error = await failure(drain(trainer));
  assert.equal(error.step, 2);
  assert.match(error.where, /^batchNormStatistics \[/);
  assert.match(error.message, /not finite in step 2 .* stands at step 1 again\. Try a lower/);
  assert.equal(trainer.steps, 1);
  assertFinite((await trainer.snapshot()).tensors);
});

for (const network of ["generator", "discriminator"] as const) {
  Deno.test(`non-finite: a weight of the ${network} is found at the next check; then the bits are the same`, async () => {
    using trainer = await create();
    await trainer.epoch();
    const { variables } = trainer[network];
    const variable = network === "generator" ? variables[0] : variables.at(-1)!;
    for (const [i, value] of [NaN, Infinity, -Infinity].entries()) {
      const data = await variable.read();
      data[data.length - 1] = value;
      variable.write(data);
      const error = await failure(trainer.step());
      assert.equal(error.step, 6 + i);
      // It was there before the step: the copy was made before, of a finite state.
      assert.equal(trainer.steps, 5 + i);
      assert.ok((await variable.read()).every(Number.isFinite), "the weight is as it was");
      assert.equal((await trainer.step()).step, 6 + i, "training goes on from there");
    }
    variable.write(new Float32Array(variable.size).fill(NaN));
    await failure(drain(trainer));
    await drain(trainer);
    using straight = await create();
    await drain(straight);
    assert.deepEqual(trainer.history.map(timeless), straight.history.map(timeless));
    assert.deepEqual(await stateDigests(trainer), await stateDigests(straight));
  });
}

test("non-finite: trainDCGAN keeps the last finite state as a checkpoint", async (outDir) => {
  const { messages, onMessage } = listen();
  const options = { ...TOO_FAST, outDir, onMessage };
  assert.equal((await failure(train(options))).step, 2);
  const path = join(outDir, "training_checkpoints", "ckpt-0001-step-1.safetensors");
  assert.ok(messages.some((text) => text.startsWith(`wrote ${path}`)), messages.join("\n"));
  const { tensors, position } = await readCheckpoint<{ steps: number }>(path);
  assert.equal(position.steps, 1);
  assertFinite(tensors);
  // What it was resumed from is finite, and so is what follows with another learning rate's run.
  assert.equal((await failure(train({ ...options, resume: true }))).step, 2);
});

Deno.test("non-finite: 'warn' says it once and goes on", async () => {
  const { steps, messages } = await train({ ...TOO_FAST, onNonFinite: "warn" });
  assert.equal(steps, 15);
  assert.equal(messages.length, 1);
  assert.match(messages[0], /no longer finite at step \d+/);
});

Deno.test("non-finite: of steps that are checked together, the first is found by training them again", async () => {
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
    // Losses are read after step 1, then after steps 2 and 3.
    using trainer = await create(FAST);
    assert.equal((await failure(drain(trainer))).step, 3);
    assert.equal(trainer.steps, 1);
    assert.equal(searched.length, 2);
    assert.deepEqual(searched, trained.slice(-searched.length));
  } finally {
    DCGAN.prototype.step = step;
    FiniteCheck.prototype.search = search;
  }
  using single = await create(FAST);
  for (let step = 1; step < 3; step++) await single.step();
  assert.equal((await failure(single.step())).step, 3);
});

for (const onNonFinite of ["stop", "warn"] as const) {
  Deno.test(`non-finite: statistics, moments and Adam's state are checked, too ("${onNonFinite}")`, async () => {
    const { messages, onMessage } = listen();
    using trainer = await create({ onNonFinite, onMessage });
    await trainer.epoch();
    const snapshot = await trainer.snapshot();
    const kinds = [/generator\/.*moving_mean/, /generator\/.*moving_variance/, /adam\/state/];
    for (const kind of [...kinds, /\/m$/, /\/v$/]) {
      const name = [...snapshot.tensors.keys()].find((key) => kind.test(key))!;
      const { data, ...rest } = snapshot.tensors.get(name)!;
      const broken = Float32Array.from(data).fill(NaN, 0, 1);
      const tensors = new Map(snapshot.tensors).set(name, { ...rest, data: broken });
      const restored = trainer.restore({ ...snapshot, tensors });
      if (onNonFinite === "warn") {
        await restored;
        await trainer.step();
        await trainer.epoch();
        assert.match(messages.pop()!, /not finite|no longer finite/);
      } else {
        // A state like that is refused, where training would only stop again.
        await assert.rejects(restored, errorOf(CheckpointError, name));
        assert.equal((await trainer.step()).step, 6, "nothing was changed");
        await trainer.restore(snapshot);
      }
      assert.deepEqual(messages, [], name);
    }
  });
}

for (const maxSteps of [3, 5, 7, 15]) {
  Deno.test(`non-finite: in the last of ${maxSteps} steps`, async () => {
    using trainer = await create({ maxSteps });
    const emitted: number[] = [];
    const run = async () => {
      for await (const event of trainer.run({ pauseAfter: (step) => step === maxSteps - 1 })) {
        if (event.type === "step") emitted.push(event.step);
        if (event.type !== "pause") continue;
        const mean = trainer.generator.variables.find(({ name }) => name.endsWith("moving_mean"))!;
        mean.write(new Float32Array(mean.size).fill(Infinity));
      }
    };
    assert.equal((await failure(run())).step, maxSteps);
    assert.deepEqual(emitted, stepsTo(maxSteps - 1));
    assert.equal(trainer.steps, maxSteps - 1);
  });
}

test("non-finite: 'warn' keeps the last finite checkpoint, and a resume that stops finds it", async (outDir) => {
  const evaluation = { evaluateEvery: 1, evaluateCount: 65 };
  const options = { learningRate: 5e7, dataset: blobs(70), epochs: 4, outDir, ...evaluation };
  const policy = { checkpoint: { everyMinutes: 1e-9, keep: 2 } };
  await train({ ...options, ...policy, onNonFinite: "warn" });
  const folder = new CheckpointFolder(join(outDir, "training_checkpoints"));
  assert.deepEqual((await folder.list()).map((path) => basename(path)), [
    "ckpt-0001.safetensors", // the best
    "ckpt-0002-step-7.safetensors",
    "ckpt-0004-step-19.safetensors",
    "ckpt-0004.safetensors",
  ]);
  const { messages, onMessage } = listen();
  const error = await failure(train({ ...options, resume: true, onMessage }));
  assert.equal(error.step, 8);
  assert.equal(messages.filter((text) => /^skipped: .*not finite/.test(text)).length, 2);
  assert.ok(messages.some((text) => /^resumed .*step-7/.test(text)), messages.join("\n"));
});

Deno.test("non-finite: a search that fails does not cost the finite state", async () => {
  using trainer = await create(TOO_FAST);
  const { compile } = gpu;
  gpu.compile = ((...args: Parameters<typeof compile>) => {
    if (args[2]?.checkFinite && args[2].label?.startsWith("training")) {
      throw new OutOfMemoryError("planted");
    }
    return compile.apply(gpu, args);
  }) as typeof compile;
  const error = await failure(drain(trainer)).finally(() => gpu.compile = compile);
  assert.match(error.message, /not finite in one of the steps 2 to 3 .* stands at step 1 again/);
  assert.ok(error.cause instanceof OutOfMemoryError);
  assertFinite((await trainer.snapshot()).tensors);
});

Deno.test("non-finite: a finite run is the same to the bit, whether a copy is kept or not", async () => {
  using looked = await create();
  using warned = await create({ onNonFinite: "warn" });
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
  }, { checkFinite: true });
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
  const dataset = { ...SMALL.dataset, images: new Uint8Array(70 * 64).fill(255) };
  assert.equal((await train({ dataset })).steps, 15);
  // A learning rate of 10 does no good, but either goes on or is stopped by name.
  try {
    assert.equal((await train({ learningRate: 10 })).steps, 15);
  } catch (error) {
    assert.ok(error instanceof NonFiniteError, String(error));
  }
  // Nothing is learnt; gradients that are all zero are tests/optim/adam_test.ts' matter.
  assert.equal((await train({ learningRate: 0, epochs: 1 })).steps, 5);
});

Deno.test("non-finite: cross-entropies of logits of 10,000 are exact, and so are their gradients", async () => {
  const x = [1e4, -1e4, 1e4, -1e4];
  const labels = [1, 0, 0, 1];
  using program = gpu.compile({ x: [4], t: [4] }, ({ x, t }) => {
    const y = ops.sigmoidCrossEntropyWithLogits(x, t);
    const [dx, dt] = grad(ops.sum(y), [x, t]);
    return { y, dx, dt };
  }, { checkFinite: true });
  program.run({ x, t: labels });
  const { y, dx, dt } = await program.read();
  assert.deepEqual([...y], [0, 0, 1e4, 1e4]);
  assert.deepEqual([...dx], [0, 0, 1, -1]); // sigmoid(x) - t
  assert.deepEqual([...dt], x.map((value) => -value));
  assert.equal(await program.firstNonFinite(), undefined);
});
