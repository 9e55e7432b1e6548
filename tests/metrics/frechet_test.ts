/** The Fréchet distance against numbers of NumPy and SciPy 1.10 (`linalg.sqrtm`), and known values. */

import { equal, ok, rejects } from "node:assert/strict";
import { frechetDistance } from "../../mod.ts";
import { symmetricEigenvalues } from "../../src/metrics/eigenvalues.ts";
import { assertClose } from "../support/close.ts";
import { congruential } from "../support/features.ts";
import { TestRandom } from "../support/random.ts";

// SciPy: sum((m - n)**2) + trace(A + B - 2 * sqrtm(A @ B)) with numpy.cov, of the same features.
const CASES = [
  {
    dims: 3,
    real: congruential(50, 3, 1),
    fake: congruential(37, 3, 2, 1, 0.25),
    is: 0.2202677577,
  },
  {
    dims: 16,
    real: congruential(200, 16, 3),
    fake: congruential(150, 16, 4, 1.5, -0.1),
    is: 0.90215211489,
  },
  {
    dims: 64,
    real: congruential(300, 64, 5),
    fake: congruential(300, 64, 6, 1, 0.1),
    is: 1.24499924392,
  },
];

Deno.test("frechetDistance: SciPy's numbers, both ways round", async () => {
  for (const { dims, real, fake, is } of CASES) {
    const both = [await frechetDistance(real, fake, dims), await frechetDistance(fake, real, dims)];
    assertClose(both, [is, is], { rtol: 1e-9, what: `${dims} dims` });
  }
});

Deno.test("frechetDistance: a feature that is always 0, and one that repeats another", async () => {
  // What a dead unit gives. SciPy's sqrtm and NumPy's eigvals: 0.1374935800172.
  const dims = 6;
  const change = (features: Float32Array) =>
    features.map((value, i) => i % dims === 2 ? 0 : i % dims === 4 ? features[i - 3] : value);
  const real = change(congruential(100, dims, 7));
  const fake = change(congruential(100, dims, 8, 1.2));
  assertClose([await frechetDistance(real, fake, dims)], [0.1374935800172], { rtol: 1e-7 });
});

Deno.test("frechetDistance: the same features are 0 apart, moved ones the move squared", async () => {
  const real = congruential(100, 8, 1);
  ok(Math.abs(await frechetDistance(real, real, 8)) < 1e-12);
  const moved = Float32Array.from(real, (value) => value + 4);
  assertClose([await frechetDistance(real, moved, 8)], [8 * 16], { rtol: 1e-6 });
});

Deno.test("eigenvalues: of Q D QT, with equal ones, zeros and large ones, are D", () => {
  const random = new TestRandom("eigenvalues");
  for (const n of [1, 2, 3, 5, 16, 40]) {
    const values = Float64Array.from(
      { length: n },
      (_, i) => [0, 1, 1, -3, 1e6, 1e-6][i] ?? random.normal(),
    );
    const matrix = new Float64Array(n * n);
    for (let i = 0; i < n; i++) matrix[i * n + i] = values[i];
    // Reflections on both sides, which change no eigenvalue.
    for (let times = 0; times < 3; times++) {
      const u = random.fill(n);
      const square = u.reduce((sum, x) => sum + x * x, 0);
      for (const [step, along] of [[n, 1], [1, n]]) {
        for (let row = 0; row < n; row++) {
          let sum = 0;
          for (let i = 0; i < n; i++) sum += u[i] * matrix[row * step + i * along];
          for (let i = 0; i < n; i++) matrix[row * step + i * along] -= 2 * sum / square * u[i];
        }
      }
    }
    const found = symmetricEigenvalues(matrix, n).sort();
    assertClose(found, values.sort(), { atol: 1e-9, rtol: 1e-12, what: `n = ${n}` });
  }
});

Deno.test("frechetDistance: what cannot be compared is refused with a sentence", async () => {
  const [real, fake] = [congruential(20, 4, 1), congruential(20, 4, 2)];
  await rejects(frechetDistance(real.subarray(0, 79), fake, 4), {
    name: "TypeError",
    message: "The real features have 79 values, which is no multiple of dims 4: give " +
      "[count, dims], row by row",
  });
  await rejects(frechetDistance(real, fake.subarray(0, 16), 4), {
    name: "RangeError",
    message: "There are 4 generated samples, and at least 5 are needed: the covariance of 4 " +
      "features is singular with fewer",
  });
  equal(typeof await frechetDistance(real, fake.subarray(0, 20), 4), "number");
  const damaged = fake.slice();
  damaged[9] = NaN;
  await rejects(frechetDistance(real, damaged, 4), {
    name: "RangeError",
    message: "The generated features hold NaN at [2, 1]: all must be finite",
  });
  await rejects(frechetDistance(real, fake, 0), RangeError);
  await rejects(frechetDistance([...real] as unknown as Float32Array, fake, 4), TypeError);
});
