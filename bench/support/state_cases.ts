/**
 * Kernels that read or change more than their inputs: random numbers, the data set, the optimizer,
 * the ring of losses.
 *
 * @module
 */

import { Adam, Generator, type Gpu, grad, ops, type Program } from "../../mod.ts";
import { LossRing } from "../../src/training/loss_ring.ts";
import { threefry } from "../../src/model/threefry.ts";
import { KerasAdam } from "../../tests/support/keras_adam.ts";
import { bytesOf, type KernelCase, numbers, requireClose, type Running } from "./kernel_case.ts";
import { syntheticDataset } from "./model.ts";

/** A case without counted operations. */
function stateCase(
  name: string,
  kernel: RegExp,
  bytes: number,
  make: (gpu: Gpu) => Running,
): KernelCase {
  return { name, kernel, flops: 0, bytes, make };
}

/** Pair `i` of the first random op of a program with seed 0, in its first run. */
function uniformPair(i: number): number[] {
  return threefry([i, 0], [0, 0]).map((word) => (word >>> 8) / 2 ** 24);
}

function normalPair(i: number): number[] {
  const [u, v] = uniformPair(i);
  const radius = Math.sqrt(-2 * Math.log(1 - u));
  return [radius * Math.cos(2 * Math.PI * v), radius * Math.sin(2 * Math.PI * v)];
}

function randomCase(
  name: "normal" | "uniform",
  shape: readonly number[],
): KernelCase {
  const [op, pair] = name === "normal"
    ? [ops.randomNormal, normalPair]
    : [ops.randomUniform, uniformPair];
  const kernel = new RegExp(`^random.${name}`);
  return stateCase(`random ${name}, ${shape.join("x")}`, kernel, bytesOf([shape]), (gpu) => {
    const program = gpu.compile({}, () => ({ y: op(shape) }));
    return {
      program,
      async verify() {
        program.run();
        const { y } = await program.read();
        const expected = Array.from({ length: y.length / 2 }, (_, i) => pair(i)).flat();
        // WGSL lets sin and cos be wrong by 2^-11.
        requireClose(y, expected, name, 1e-3);
      },
    };
  });
}

/** Places in no order, some of them twice. */
function scattered(batch: number, count: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: batch }, (_, i) => i * 37 % Math.min(count, batch - 1));
}

function gatherImagesCase(batch: number): KernelCase {
  const dataset = syntheticDataset(4 * batch);
  const { count, height, width, channels } = dataset;
  const size = height * width * channels;
  const bytes = batch * size * 5 + batch * 4; // a byte read, a float written
  return stateCase(`gatherImages, ${batch} of ${count}x28x28x1`, /^gather\./, bytes, (gpu) => {
    const shape = [count, height, width, channels];
    const images = gpu.variable(shape, dataset.images, { dtype: "u8" });
    const program = gpu.compile(
      { indices: { shape: [batch], dtype: "u32" } },
      ({ indices }) => ({ y: ops.gatherImages(images, indices) }),
    );
    return {
      program,
      async verify() {
        const indices = scattered(batch, count);
        program.run({ indices });
        const { y } = await program.read("y");
        const expected = y.map((_, i) => {
          const byte = dataset.images[indices[Math.floor(i / size)] * size + i % size];
          return (byte - 127.5) / 127.5;
        });
        requireClose(y, expected, "gatherImages");
      },
      parts: [images],
    };
  });
}

/** The gradient of gather: rows of dy added up by index. */
function gatherGradCase(batch: number): KernelCase {
  const [count, size] = [4 * batch, 784];
  const bytes = bytesOf([[batch, size], [count, size], [batch]]);
  return stateCase(
    `gather's gradient, ${batch}x${size} to ${count}`,
    /^gather_grad/,
    bytes,
    (gpu) => {
      const x = gpu.variable([count, size]);
      const program = gpu.compile(
        { dy: [batch, size], indices: { shape: [batch], dtype: "u32" } },
        ({ dy, indices }) => {
          const [dx] = grad(ops.sum(ops.mul(ops.gather(x, indices), dy)), [x]);
          return { dx };
        },
      );
      return {
        program: program as Program,
        async verify() {
          const dy = numbers(batch * size, "dy of gather");
          const indices = scattered(batch, count);
          program.run({ dy, indices });
          const { dx } = await program.read("dx");
          const expected = new Float64Array(count * size);
          dy.forEach((v, i) => expected[indices[Math.floor(i / size)] * size + i % size] += v);
          requireClose(dx, expected, "gather's gradient");
        },
        parts: [x],
      };
    },
  );
}

/** One update of the tutorial's generator; its gradients are its weights. */
function adamCase(): KernelCase {
  const size = 2_305_472;
  // Weights and both moments are read and written, gradients read.
  return stateCase(`Adam, ${size} weights`, /^adam/, 7 * 4 * size, (gpu) => {
    const generator = new Generator(gpu);
    const weights = generator.trainableVariables;
    const adam = new Adam(gpu, weights, { learningRate: 0.01 });
    const program = gpu.compile({}, () => {
      adam.apply(weights.map((w) => ops.mul(w, 1)));
      return {};
    });
    const read = () => Promise.all(weights.map((w) => w.read()));
    return {
      program,
      async verify() {
        const before = await read();
        const keras = new KerasAdam(before, { learningRate: 0.01 });
        keras.apply(before);
        program.run();
        const after = await read();
        after.forEach((w, i) => requireClose(w, keras.weights[i], weights[i].name));
      },
      parts: [adam, generator],
    };
  });
}

function ringCase(): KernelCase {
  return stateCase("ring, two losses", /^ring/, 4 * 4 + 2 * 4, (gpu) => {
    const ring = new LossRing(gpu);
    const program = gpu.compile({ a: [], b: [] }, ({ a, b }) => {
      ring.record(a, b);
      return {};
    });
    return {
      program: program as Program,
      async verify() {
        program.run({ a: [0.25], b: [0.5] });
        requireClose((await ring.take(1)).flat(), [0.25, 0.5], "ring");
      },
      parts: [ring],
    };
  });
}

/** All of them. */
export function stateCases(batch: number): KernelCase[] {
  return [
    randomCase("normal", [batch, 100]),
    randomCase("uniform", [batch, 14, 14, 64]),
    gatherImagesCase(batch),
    gatherGradCase(batch),
    adamCase(),
    ringCase(),
  ];
}
