/** The moving average of a generator's weights, and its batch statistics. */

import assert from "node:assert/strict";
import { Adam, Generator, ops, type Variable } from "../../mod.ts";
import { GeneratorAverage } from "../../src/model/average.ts";
import { RandomSequence, STREAM } from "../../src/model/threefry.ts";
import { assertClose } from "../support/close.ts";
import { gpu } from "../support/compute.ts";
import { TestRandom } from "../support/random.ts";

const OPTIONS = { noiseDim: 6, widths: [4, 3, 2], height: 8, width: 8, seed: 5 } as const;

const write = (variables: readonly Variable[], random: TestRandom) => {
  for (const variable of variables) variable.write(random.fill(variable.size));
};

Deno.test("average: it begins with the generator's weights, and moves as its formula says", async () => {
  const random = new TestRandom("average");
  const generator = new Generator(gpu, OPTIONS);
  const average = new GeneratorAverage(gpu, OPTIONS, 0.8);
  const adam = new Adam(gpu, generator.trainableVariables, { learningRate: 0 });
  using program = gpu.compile({}, () => {
    adam.apply(generator.trainableVariables.map(({ shape }) => ops.constant(0, shape)));
    average.record(generator, adam);
    return {};
  });
  const mirror = await Promise.all(
    generator.trainableVariables.map(async (v) => Float64Array.from(await v.read())),
  );
  // From the 35th update on, 9 / (10 + t) is below 0.2.
  for (let t = 1; t <= 40; t++) {
    write(generator.trainableVariables, random);
    program.run();
    const rate = Math.max(0.2, 9 / (10 + t));
    for (const [i, variable] of generator.trainableVariables.entries()) {
      const weights = await variable.read();
      mirror[i].forEach((value, j) => mirror[i][j] += rate * (weights[j] - value));
    }
  }
  for (const [i, { name }] of average.generator.trainableVariables.entries()) {
    const actual = await average.generator.trainableVariables[i].read();
    assertClose(actual, mirror[i], { atol: 1e-5, what: name });
  }
});

/** Biased mean and variance of each channel, in float64. */
function statistics(values: ArrayLike<number>, channels: number) {
  const rows = values.length / channels;
  const [mean, square] = [new Float64Array(channels), new Float64Array(channels)];
  for (let i = 0; i < values.length; i++) {
    mean[i % channels] += values[i] / rows;
    square[i % channels] += values[i] ** 2 / rows;
  }
  return { mean, variance: square.map((value, c) => value - mean[c] ** 2) };
}

Deno.test("average: its statistics are those of 512 images of its own", async () => {
  const random = new TestRandom("statistics");
  const average = new GeneratorAverage(gpu, OPTIONS, 0.5);
  const { generator } = average;
  write(generator.trainableVariables, random);
  assert.equal(average.settle(), generator);
  const of = (name: string) => generator.variables.find((v) => v.name === name)!;
  const [mean, variance] = await Promise.all(
    ["mean", "variance"].map((what) => of(`batch_normalization/moving_${what}`).read()),
  );
  // Of the first layer: its input is the noise alone.
  const { noiseDim } = generator;
  const kernel = await of("dense/kernel").read();
  const units = kernel.length / noiseDim;
  const sequence = new RandomSequence(5, STREAM.average);
  const noise = Float64Array.from({ length: 512 * noiseDim }, () => sequence.normal());
  const hidden = new Float64Array(512 * units);
  for (let n = 0; n < 512; n++) {
    for (let u = 0; u < units; u++) {
      for (let k = 0; k < noiseDim; k++) {
        hidden[n * units + u] += noise[n * noiseDim + k] * kernel[k * units + u];
      }
    }
  }
  // The means of those of two batches of 256.
  const batches = [0, 1].map((i) =>
    statistics(hidden.subarray(i * 256 * units, (i + 1) * 256 * units), units)
  );
  for (const [what, actual] of [["mean", mean], ["variance", variance]] as const) {
    const expected = actual.map((_, c) => batches.reduce((sum, b) => sum + b[what][c] / 2, 0));
    assertClose(actual, expected, { rtol: 1e-4, atol: 1e-5, what });
  }

  const settled = await of("batch_normalization_1/moving_mean").read();
  write(generator.trainableVariables, random);
  average.settle();
  assert.notDeepEqual(await of("batch_normalization_1/moving_mean").read(), settled);
});

Deno.test("average: the same weights have the same statistics, and are measured once", async () => {
  const average = new GeneratorAverage(gpu, OPTIONS, 0.5);
  const statistics = average.generator.variables.filter(({ trainable }) => !trainable);
  const read = async () => JSON.stringify(await Promise.all(statistics.map((v) => v.read())));
  average.settle();
  const first = await read();
  for (const variable of statistics) variable.write(new Float32Array(variable.size));
  average.settle();
  assert.notEqual(await read(), first, "weights that have not changed were measured again");
  const [weights] = average.generator.trainableVariables;
  weights.write(await weights.read());
  average.settle();
  assert.equal(await read(), first);
});

Deno.test("average: without batch normalization there is nothing to measure", () => {
  const average = new GeneratorAverage(gpu, { ...OPTIONS, normalization: "none" }, 0.5);
  assert.equal(average.settle(), average.generator);
});
