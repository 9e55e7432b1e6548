/** Batch normalization where the mean is far from 0: the table of cases has the rest. */

import { ok } from "node:assert/strict";
import { ops } from "../../mod.ts";
import { rms } from "../support/close.ts";
import { compute } from "../support/compute.ts";
import { TestRandom } from "../support/random.ts";

const random = new TestRandom("batch norm");

for (const [rows, channels] of [[3, 4], [16 * 49, 64], [50_003, 5], [3000, 1024]]) {
  for (const [mean, deviation] of [[100, 0.01], [-30, 1e-3], [1e4, 3]]) {
    const name = `batchNorm of [${rows}, ${channels}], mean ${mean}, deviation ${deviation}`;
    Deno.test(name, async () => {
      const data = Float32Array.from(random.fill(rows * channels), (u) => mean + deviation * u);
      const actual = await compute({ x: { shape: [rows, channels], data } }, ({ x }) => {
        const [gamma, beta] = [1, 0].map((n) => ops.constant(n, [channels]));
        return ops.batchNorm(x, gamma, beta, { epsilon: 0 });
      });
      for (let c = 0; c < channels; c += 3) {
        const column = Array.from({ length: rows }, (_, r) => data[r * channels + c]);
        const middle = column.reduce((a, b) => a + b) / rows;
        const variance = column.reduce((sum, v) => sum + (v - middle) ** 2, 0) / rows;
        // The mean is a float32: it can be no better than their spacing, and y no better than that
        // in deviations.
        const most = Math.abs(mean) * 2 ** -23;
        const inDeviations = most / Math.sqrt(variance);
        ok(Math.abs(actual.mean[c] - middle) <= most, `mean ${actual.mean[c]}, not ${middle}`);
        const error = Math.abs(actual.variance[c] / variance - 1);
        ok(error <= 1e-5 + inDeviations / 10, `variance ${actual.variance[c]}, not ${variance}`);
        const y = column.map((v, r) =>
          actual.y[r * channels + c] - (v - middle) / Math.sqrt(variance)
        );
        ok(rms(y) <= 1e-5 + inDeviations, `y is off by ${rms(y)} of its rms`);
      }
    });
  }
}
