/**
 * The energy distance against a plain version and known values. Bounds on random samples are four
 * standard errors, and the seeds are fixed, so nothing here fails by chance.
 */

import assert from "node:assert/strict";
import { energyDistance } from "../../src/metrics/distance.ts";
import { RandomSequence } from "../../src/model/threefry.ts";

function normals(seed: number, length: number, mean = 0): Float32Array {
  const random = new RandomSequence(seed, 99);
  return Float32Array.from({ length }, () => mean + random.normal());
}

const meanOf = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The definition, pair by pair. */
function naive(a: Float32Array, b: Float32Array, size: number): number {
  const images = (values: Float32Array) =>
    Array.from({ length: values.length / size }, (_, i) => values.slice(i * size, (i + 1) * size));
  const norm = (x: Float32Array, y: Float32Array) =>
    Math.sqrt(x.reduce((sum, v, i) => sum + (v - y[i]) ** 2, 0));
  const within = (all: Float32Array[]) =>
    meanOf(all.flatMap((x, i) => all.filter((_, j) => j !== i).map((y) => norm(x, y))));
  const [x, y] = [images(a), images(b)];
  return 2 * meanOf(x.flatMap((p) => y.map((q) => norm(p, q)))) - within(x) - within(y);
}

/** Mean and standard error of the distance of samples whose means are `shift` apart. */
function repeat(times: number, [n, m]: readonly [number, number], shift = 0) {
  const values = Array.from(
    { length: times },
    (_, i) => energyDistance(normals(i, n), normals(i + 999, m, shift), 1),
  );
  const mean = meanOf(values);
  const variance = times / (times - 1) * meanOf(values.map((v) => (v - mean) ** 2));
  return { mean, error: Math.sqrt(variance / times) };
}

/** E|Z| for Z normal with the given mean and variance 2, as the integral it is. */
function meanDistance(mean: number): number {
  const h = 1e-3;
  let sum = 0;
  for (let z = -12; z < 12; z += h) {
    sum += h * Math.abs(z) * Math.exp(-((z - mean) ** 2) / 4) / Math.sqrt(4 * Math.PI);
  }
  return sum;
}

Deno.test("distance: an example, by hand", () => {
  // 2 * 3 (the mean distance between the two) - 2 - 2 (those within)
  assert.equal(energyDistance(Float32Array.of(0, 2), Float32Array.of(3, 5), 1), 2);
});

Deno.test("distance: the same as pair by pair, at sizes and counts off the tiles'", () => {
  const sizes = [[2, 2, 1], [3, 2, 2], [5, 33, 3], [64, 31, 4], [32, 65, 7], [70, 40, 784]];
  for (const [n, m, size] of sizes) {
    const a = normals(n, n * size);
    const b = normals(m + 100, m * size, 0.5);
    const got = energyDistance(a, b, size);
    assert.ok(Math.abs(got - naive(a, b, size)) < 1e-10, `${n} ${m} ${size}`);
    assert.ok(Math.abs(got - energyDistance(b, a, size)) < 1e-12);
  }
});

Deno.test("distance: samples of the same distribution are at 0 on average", () => {
  const { mean, error } = repeat(60, [50, 80]);
  assert.ok(Math.abs(mean) < 4 * error, `${mean} with error ${error}`);
  // Pairs of an image with itself would give 2 / sqrt(pi) * (1 / 50 + 1 / 80) = 0.037.
  assert.ok(error < 0.037 / 8, `${error}`);
});

Deno.test("distance: shifted Gaussians are as far apart as the integral says", () => {
  let last = 0;
  for (const shift of [0.5, 1, 3]) {
    const expected = 2 * meanDistance(shift) - 2 * meanDistance(0);
    const { mean, error } = repeat(30, [300, 300], shift);
    assert.ok(Math.abs(mean - expected) < 4 * error, `${mean}, expected ${expected}, ${error}`);
    assert.ok(error < 0.1 * expected, `${error}`);
    assert.ok(mean > last);
    last = mean;
  }
});

Deno.test("distance: a value that is not finite gives NaN", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const [a, b] = [normals(1, 30).fill(value, 29), normals(2, 30)];
    assert.deepEqual([energyDistance(a, b, 3), energyDistance(b, a, 3)], [NaN, NaN]);
  }
});

Deno.test("distance: sizes that make no sense are refused", () => {
  const [two, three] = [new Float32Array(2), new Float32Array(3)];
  assert.throws(() => energyDistance(two, two, 0), RangeError);
  assert.throws(() => energyDistance(two, two, 0.5), RangeError);
  assert.throws(() => energyDistance(three, two, 2), /a has 3 values, .* no multiple of the 2/);
  assert.throws(() => energyDistance(new Float32Array(4), three, 2), TypeError);
  assert.throws(() => energyDistance(two, two, 2), /at least 2 images of each kind, a has 1/);
  assert.throws(() => energyDistance(new Float32Array(4), new Float32Array(), 2), RangeError);
});
