/** Warnings about losses, each of them once. */

import assert from "node:assert/strict";
import { LossMonitor } from "../../src/training/loss_monitor.ts";

Deno.test("loss monitor: warns once of numbers that are not finite, by losses or by the state", () => {
  for (const first of ["losses", "state"]) {
    const warnings: string[] = [];
    const monitor = new LossMonitor((text) => warnings.push(text));
    monitor.add(1, 0.7, 1.4);
    assert.equal(monitor.diverged, false);
    if (first === "losses") monitor.add(2, NaN, 1.4);
    else monitor.diverge("dense/kernel is not finite", 2);
    monitor.add(3, 0.7, Infinity);
    monitor.diverge("dense/bias is not finite", 3);
    assert.equal(monitor.diverged, true);
    const what = first === "losses" ? "the losses are no longer" : "dense/kernel is not";
    assert.deepEqual(warnings, [`${what} finite at step 2: try a lower learning rate`]);
  }
});

Deno.test("loss monitor: passes on that a network overpowers the other", () => {
  const warnings: string[] = [];
  const monitor = new LossMonitor((text) => warnings.push(text));
  for (let step = 1; step <= 200; step++) monitor.add(step, 5, 0.01);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /^step 100: the discriminator overpowers the generator/);
});
