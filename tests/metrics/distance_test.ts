/**
 * The energy distance against a plain version and known values. Bounds on random samples are four
 * standard errors, and the seeds are fixed, so nothing here fails by chance.
 *
 * @module
 */

import assert from "node:assert/strict";
import { energyDistance } from "../../src/metrics/distance.ts";
import { RandomSequence } from "../../src/model/threefry.ts";

function normals(seed: number, length: number, mean = 0): Float32Array {
  const random = new RandomSequence(seed, 99);
  return Float32Array.from({ length }, () => mean + random.normal());
}

/** The definition, pair by pair. */
function naive(a: Float32Array, b: Float32Array, size: number): number {
  const images = (values: Float32Array) =>
    Array.from(
      { length: values.length / size },
      (_, i) => values.subarray(i * size, (i + 1) * size),
    );
  const norm = (x: Float32Array, y: Float32Array) =>
    Math.sqrt(x.reduce((sum, v, i) => sum + (v - y[i]) ** 2, 0));
  const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const within = (all: Float32Array[]) =>
    mean(all.flatMap((x, i) => all.filter((_, j) => j !== i).map((y) => norm(x, y))));
  const [x, y] = [images(a), images(b)];
  return 2 * mean(x.flatMap((p) => y.map((q) => norm(p, q)))) - within(x) - within(y);
}

/** Mean of a statistic over samples, and its standard error. */
function repeat(times: number, statistic: (i: number) => number): { mean: number; error: number } {
  const values = Array.from({ length: times }, (_, i) => statistic(i));
  const mean = values.reduce((sum, v) => sum + v, 0) / times;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (times - 1);
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

Deno.test("distance: the docstring's example, by hand", () => {
  assert.equal(energyDistance(Float32Array.of(0, 2), Float32Array.of(3, 5), 1), 2);
});

Deno.test("distance: the same as pair by pair, at sizes and counts off the tiles'", () => {
  for (
    const [n, m, size] of [[2, 2, 1], [3, 2, 2], [5, 33, 3], [64, 31, 4], [32, 65, 7], [
      70,
      40,
      784,
    ]]
  ) {
    const a = normals(n, n * size);
    const b = normals(m + 100, m * size, 0.5);
    const wanted = naive(a, b, size);
    const got = energyDistance(a, b, size);
    assert.ok(Math.abs(got - wanted) < 1e-10, `${n} ${m} ${size}`);
    assert.ok(Math.abs(got - energyDistance(b, a, size)) < 1e-12);
  }
});

Deno.test("distance: samples of the same distribution are at 0 on average", () => {
  const { mean, error } = repeat(
    60,
    (i) => energyDistance(normals(i, 50), normals(i + 999, 80), 1),
  );
  assert.ok(Math.abs(mean) < 4 * error, `${mean} with error ${error}`);
  // Pairs of an image with itself would give 2 / sqrt(pi) * (1 / 50 + 1 / 80) = 0.037.
  assert.ok(error < 0.037 / 8, `${error}`);
});

Deno.test("distance: shifted Gaussians are as far apart as the integral says", () => {
  let last = 0;
  for (const shift of [0.5, 1, 3]) {
    const expected = 2 * meanDistance(shift) - 2 * meanDistance(0);
    const { mean, error } = repeat(
      30,
      (i) => energyDistance(normals(i, 300), normals(i + 999, 300, shift), 1),
    );
    assert.ok(Math.abs(mean - expected) < 4 * error, `${mean}, expected ${expected}, ${error}`);
    assert.ok(error < 0.1 * expected, `${error}`);
    assert.ok(mean > last);
    last = mean;
  }
});

Deno.test("distance: a value that is not finite gives NaN", () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const a = normals(1, 30);
    a[29] = value;
    assert.equal(energyDistance(a, normals(2, 30), 3), NaN);
    assert.equal(energyDistance(normals(2, 30), a, 3), NaN);
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
