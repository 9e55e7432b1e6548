/** The kernel distance against NumPy's numbers by torchmetrics' formula, and its statistics. */

import { deepEqual, equal, notDeepEqual, ok, rejects } from "node:assert/strict";
import { kernelDistance } from "../../mod.ts";
import { assertClose } from "../support/close.ts";
import { congruential } from "../support/features.ts";

const [real, fake] = [congruential(300, 64, 5), congruential(300, 64, 6, 1, 0.1)];

Deno.test("kernelDistance: all samples at once give torchmetrics' number", async () => {
  // NumPy in float64 by torchmetrics' `poly_mmd` (degree 3, gamma 1/d, coef 1): 0.0760888607.
  const { mean, std } = await kernelDistance(real, fake, 64, { subsets: 3 });
  assertClose([mean], [0.07608886071835], { rtol: 1e-9 });
  equal(std, 0);
});

Deno.test("kernelDistance: subsets scatter around that number, as the seed says", async () => {
  const options = { subsets: 60, size: 100, seed: 1 };
  const found = await kernelDistance(real, fake, 64, options);
  ok(found.std > 1e-4, `${found.std}`);
  ok(Math.abs(found.mean - 0.0760889) < 4 * found.std / Math.sqrt(60), `${found.mean}`);
  deepEqual(await kernelDistance(real, fake, 64, options), found);
  notDeepEqual(await kernelDistance(real, fake, 64, { ...options, seed: 2 }), found);
});

Deno.test("kernelDistance: of equal distributions it is 0 on average", async () => {
  // Thirty independent estimates with as many samples each; the bound is four standard errors.
  const values = await Promise.all(Array.from({ length: 30 }, async (_, i) => {
    const [a, b] = [congruential(50, 8, 100 + i), congruential(50, 8, 900 + i)];
    return (await kernelDistance(a, b, 8, { subsets: 1 })).mean;
  }));
  const mean = values.reduce((a, b) => a + b) / 30;
  const error = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (30 * 29));
  ok(Math.abs(mean) < 4 * error, `${mean} with a standard error of ${error}`);
});

Deno.test("kernelDistance: options out of range are refused", async () => {
  await rejects(kernelDistance(real, fake, 64, { size: 301 }), {
    name: "RangeError",
    message: "size must be at most 300, got 301",
  });
  await rejects(kernelDistance(real, fake, 64, { size: 1 }), /size must be at least 2, got 1/);
  await rejects(kernelDistance(real, fake, 64, { subsets: 0 }), RangeError);
  await rejects(kernelDistance(real, fake, 64, { seed: -1 }), RangeError);
  await rejects(kernelDistance(real.subarray(0, 64), fake, 64), {
    message: "There are 1 real samples, and at least 2 are needed: the kernel distance is of pairs",
  });
});
