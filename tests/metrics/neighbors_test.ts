/** Precision, recall, density and coverage against the formulas of `prdc` in NumPy, and its own numbers. */

import { deepEqual, ok, rejects } from "node:assert/strict";
import { densityCoverage, precisionRecall } from "../../mod.ts";
import { ballsOf, neighborMeasures } from "../../src/metrics/neighbors.ts";
import { assertClose } from "../support/close.ts";
import { congruential } from "../support/features.ts";
import { TestRandom } from "../support/random.ts";

// NumPy in float64: distances from differences, the k-th neighbor by `partition`, `<=` for precision
// and recall (k = 3, Kynkäänniemi et al.), `<` for density and coverage (k = 5, prdc).
const CASES = [
  {
    ...{ dims: 3, real: congruential(50, 3, 1), fake: congruential(37, 3, 2, 1, 0.25) },
    is: { precision: 0.7837837837, recall: 0.84, density: 0.7135135135, coverage: 0.7 },
  },
  {
    ...{ dims: 16, real: congruential(200, 16, 3), fake: congruential(150, 16, 4, 1.5, -0.1) },
    is: { precision: 0.1066666666, recall: 1, density: 0.04, coverage: 0.135 },
  },
  {
    ...{ dims: 64, real: congruential(300, 64, 5), fake: congruential(300, 64, 6, 1, 0.1) },
    is: { precision: 0.56, recall: 0.5866666666, density: 0.4306666666, coverage: 0.74 },
  },
  {
    // A grid, where many distances are equal.
    dims: 2,
    real: Float32Array.from({ length: 80 }, (_, at) => {
      const i = Math.floor(at / 2);
      return at % 2 ? i * 3 % 5 : i % 7;
    }),
    fake: Float32Array.from({ length: 60 }, (_, at) => {
      const i = Math.floor(at / 2);
      return at % 2 ? i * 5 % 7 : i * 2 % 6;
    }),
    is: { precision: 0.8666666666, recall: 0.925, density: 0.4733333333, coverage: 0.675 },
  },
];

Deno.test("precisionRecall and densityCoverage: NumPy's numbers, also where distances are equal", async () => {
  for (const { dims, real, fake, is } of CASES) {
    const found = {
      ...await precisionRecall(real, fake, dims),
      ...await densityCoverage(real, fake, dims),
    };
    deepEqual(Object.keys(found), Object.keys(is));
    assertClose(Object.values(found), Object.values(is), { atol: 1e-9, what: `${dims} dims` });
    const balls = ballsOf(real, dims, 5);
    deepEqual(neighborMeasures(balls, fake, dims, { precision: 3, density: 5 }), found);
  }
});

Deno.test("precisionRecall: samples compared with themselves are all inside", async () => {
  const real = congruential(130, 5, 9);
  deepEqual(await precisionRecall(real, real.slice(), 5), { precision: 1, recall: 1 });
  // Twins have balls of radius 0, with them on the border: inside for the one, outside for the other.
  const twins = Float32Array.from({ length: 12 }, (_, i) => i >> 1);
  deepEqual(await precisionRecall(twins, twins, 1, { k: 1 }), { precision: 1, recall: 1 });
  deepEqual(await densityCoverage(twins, twins, 1, { k: 1 }), { density: 0, coverage: 0 });
});

Deno.test("precisionRecall and densityCoverage: normal numbers of 1,000 dims", async () => {
  // As prdc's own example, but 400 samples in place of 10,000, which take minutes. NumPy, mean and
  // standard deviation over twelve seeds: .643 (.032), .664 (.022), .924 (.128), .961 (.017).
  const random = new TestRandom(1);
  const [real, fake] = [1, 2].map(() => Float32Array.from(random.fill(400 * 1000)));
  const { precision, recall } = await precisionRecall(real, fake, 1000, { k: 5 });
  const { density, coverage } = await densityCoverage(real, fake, 1000);
  assertClose([precision, recall], [0.643, 0.664], { atol: 0.09 });
  assertClose([density], [0.924], { atol: 0.4 });
  assertClose([coverage], [0.961], { atol: 0.05 });
});

Deno.test("precisionRecall and densityCoverage: k + 1 samples are enough, k are not", async () => {
  const [real, fake] = [congruential(6, 2, 1), congruential(4, 2, 2)];
  ok((await precisionRecall(real, fake, 2)).recall >= 0);
  await rejects(densityCoverage(real, fake, 2), {
    name: "RangeError",
    message: "There are 4 generated samples, and at least 6 are needed: each has 5 neighbors (k) " +
      "among the others",
  });
  await rejects(precisionRecall(real, fake, 2, { k: 0 }), /k must be a whole number/);
  await rejects(precisionRecall(real, fake, 5), /12 values, which is no multiple of dims 5/);
});
