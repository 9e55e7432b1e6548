/** Losses on their way from the device to the host. */

import assert from "node:assert/strict";
import { Gpu } from "../../mod.ts";
import { LossRing } from "../../src/training/loss_ring.ts";
import { guarded } from "../support/watchdog.ts";

Deno.test("loss ring: it gives each step its own, many times around", () =>
  guarded(async () => {
    using gpu = await Gpu.request();
    const ring = new LossRing(gpu, 8);
    const program = gpu.compile({ a: [], b: [] }, ({ a, b }) => (ring.record(a, b), {}));
    let [enqueued, taken] = [0, 0];
    const bunches = [1, 8, 3, 7, 8, 2, 8, 8, 5, 1, 6];
    for (const bunch of [...bunches, ...bunches, ...bunches]) {
      for (let i = 0; i < bunch; i++) program.run({ a: [++enqueued], b: [-enqueued] });
      const expected = Array.from({ length: bunch }, () => [++taken, -taken]);
      assert.deepEqual(await ring.take(bunch), expected);
      // Steps that nobody asks for, as those of a replay.
      if (bunch === 3) {
        program.run({ a: [NaN], b: [NaN] });
        ring.skip(1);
      }
      if (bunch === 5) {
        // Some that ran, and were never taken.
        for (let i = 0; i < 4; i++) program.run({ a: [NaN], b: [NaN] });
        ring.reset();
      }
    }
    const message = "The loss ring holds 8 steps, 9 were enqueued";
    await assert.rejects(ring.take(9), { name: "RangeError", message });
  }));
