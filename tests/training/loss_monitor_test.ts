/** Warnings about losses: of networks that are no match for each other, and of numbers not finite. */

import assert from "node:assert/strict";
import { RandomSequence } from "../../src/model/threefry.ts";
import type { ObjectiveName } from "../../src/model/objectives.ts";
import { LossMonitor } from "../../src/training/loss_monitor.ts";

type Losses = readonly [generator: number, discriminator: number];

/** The warnings of a monitor that takes losses, step by step. */
const warnings = (...losses: Losses[]) => warningsOf("nonsaturating", losses);

function warningsOf(
  objective: ObjectiveName,
  losses: readonly Losses[],
  labelSmoothing?: number,
): string[] {
  const texts: string[] = [];
  const monitor = new LossMonitor((text) => texts.push(text), objective, labelSmoothing);
  losses.forEach(([g, d], i) => monitor.add(i + 1, g, d));
  return texts;
}

const steps = (count: number, losses: (i: number) => Losses): Losses[] =>
  Array.from({ length: count }, (_, i) => losses(i));

const steady = (count: number, g: number, d: number) => steps(count, () => [g, d]);

/** Losses of a logit of the discriminator, the same for all images: real at x, generated at -y. */
function lossesAt(x: number, y: number): Losses {
  const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
  return [softplus(y), softplus(-x) + softplus(-y)];
}

const random = new RandomSequence(1, 99);
const noisy = (): Losses => [0.95 + 0.25 * random.normal(), 1.2 + 0.2 * random.normal()];
const quiet: Record<string, Losses[]> = {
  "networks in balance": steady(5000, Math.LN2, 2 * Math.LN2),
  "losses as where the tutorial's run settles, with its noise": steps(5000, noisy),
  "a good discriminator, right with 82 %, which still teaches": steady(1000, 2.3, 0.4),
  "a discriminator that is right, when images pass": steady(1000, 1.8, 0.19),
  "images that do not pass, with a discriminator that is wrong": steady(1000, 5, 0.6),
  "a dip at the beginning of a run, however deep": [
    ...steps(30, (i) => [0.7 - 0.01 * i, 1.38 - 0.036 * i]),
    ...steady(30, 4, 0.05),
    ...steps(200, (i) => [3 - 0.01 * i, 0.3 + 0.005 * i]),
  ],
};
for (const [what, losses] of Object.entries(quiet)) {
  Deno.test(`loss monitor: no warning of ${what}`, () => assert.deepEqual(warnings(...losses), []));
}

Deno.test("loss monitor: no warning before there is a window's worth of steps", () => {
  const all = warnings(...steady(1000, 6, 0.01));
  assert.equal(all.length, 1);
  assert.match(all[0], /^step 100: the discriminator overpowers the generator/);
});

Deno.test("loss monitor: a discriminator that overpowers is named once, and its end once", () => {
  const healthy = steady(400, 1, 1.2);
  const all = warnings(...healthy.slice(100), ...steady(500, 5, 0.02), ...healthy);
  assert.equal(all.length, 2);
  // Means pass 3 and 0.2 after 50 and 85 of the hundred steps.
  assert.equal(
    all[0],
    "step 385: the discriminator overpowers the generator: over the last 100 steps the " +
      "discriminator's mean loss is 0.197 (right with 91 %) and the generator's 4.400 (its images " +
      "pass for real with 1.2 %). If it stays so, raise dropout, narrow discriminatorWidths, or " +
      "lower learningRate",
  );
  // d passes 0.4 after 33 steps: 0.33 * 1.2 + 0.67 * 0.02.
  assert.match(all[1], /^step 833: the networks are a match again: .* mean loss is 0\.409 /);
});

Deno.test("loss monitor: a generator that overpowers is named once, and its end once", () => {
  const strong = lossesAt(-2.5, -2.5); // The discriminator is wrong with 92 % of all images.
  const healthy = steady(300, 0.7, 1.38);
  const all = warnings(...healthy.slice(100), ...steps(300, () => strong), ...healthy);
  assert.equal(all.length, 2);
  assert.match(all[0], /the generator overpowers the discriminator: .* lower dropout, widen/);
  assert.match(all[0], /generator's 0\.\d{3} \(its images pass for real with 9\d %\)/);
  assert.match(all[1], /a match again/);
});

Deno.test("loss monitor: a run at the border causes one warning", () => {
  const d = (i: number) => 0.2 + 0.15 * Math.sin(i / 50);
  const all = warnings(...steps(5000, (i) => [3 + Math.sin(i / 60), d(i)]));
  assert.equal(all.length, 1, all.join("\n"));
  // g from 0.025 to 0.175
  assert.equal(warnings(...steps(5000, (i) => [d(i) / 2, 3])).length, 1);
});

Deno.test("loss monitor: a generator's loss below 0.1 means what the documentation says", () => {
  // g = 0.1 on all images alike: the least that the discriminator's share of them can be.
  const y = -Math.log(Math.exp(0.1) - 1);
  const [g, d] = lossesAt(1e9, -y);
  assert.ok(Math.abs(g - 0.1) < 1e-12);
  assert.equal(d.toFixed(2), "2.35");
});

Deno.test("loss monitor: from one extreme to the other, each is named", () => {
  const all = warnings(...steady(200, 6, 0.01), ...steady(200, 0.01, 5));
  assert.deepEqual(
    all.map((text) => /: the (\w+ \w+)/.exec(text)?.[1]),
    ["discriminator overpowers", "networks are", "generator overpowers"],
  );
});

Deno.test("loss monitor: losses that are not finite are left out, and reported once", () => {
  const wrong: Losses[] = [[NaN, 0.01], [6, Infinity], [-Infinity, NaN]];
  const series = steady(99, 6, 0.01).flatMap((losses) => [losses, ...wrong]);
  const diverged = "the losses are no longer finite at step 2: try a lower learning rate";
  assert.deepEqual(warnings(...series), [diverged]);
  assert.equal(warnings(...series, [6, 0.01]).length, 2);
  assert.equal(warnings(...steady(1000, NaN, NaN)).length, 1);
});

Deno.test("loss monitor: numbers that are not finite are reported once, of losses or the state", () => {
  for (const first of ["losses", "state"]) {
    const texts: string[] = [];
    const monitor = new LossMonitor((text) => texts.push(text));
    monitor.add(1, 0.7, 1.4);
    assert.equal(monitor.diverged, false);
    if (first === "losses") monitor.add(2, NaN, 1.4);
    else monitor.diverge("dense/kernel is not finite", 2);
    monitor.add(3, 0.7, Infinity);
    monitor.diverge("dense/bias is not finite", 3);
    assert.equal(monitor.diverged, true);
    const what = first === "losses" ? "the losses are no longer" : "dense/kernel is not";
    assert.deepEqual(texts, [`${what} finite at step 2: try a lower learning rate`]);
  }
});

Deno.test("loss monitor: a relativistic discriminator judges pairs", () => {
  const pair = (x: number): Losses => [Math.log1p(Math.exp(x)), Math.log1p(Math.exp(-x))];
  const balanced = steps(300, () => pair(0));
  assert.deepEqual(warningsOf("relativistic", balanced), []);
  assert.deepEqual(warningsOf("relativistic", steps(300, () => pair(2.5))), [], "right with 92 %");
  const [strong] = warningsOf("relativistic", steps(100, () => pair(4)));
  assert.equal(
    strong,
    "step 100: the discriminator overpowers the generator: over the last 100 steps the " +
      "discriminator's mean loss is 0.018 (right with 98 %) and the generator's 4.018 (its images " +
      "pass for more real than real ones with 1.8 %). If it stays so, raise dropout, narrow " +
      "discriminatorWidths, or lower learningRate",
  );
  const [weak] = warningsOf("relativistic", steps(100, () => pair(-3)));
  assert.match(weak, /the generator overpowers the discriminator/);
});

Deno.test("loss monitor: losses without a scale cause no warning but of numbers not finite", () => {
  for (const objective of ["hinge", "wgan-gp"] as const) {
    assert.deepEqual(warningsOf(objective, steady(300, -40, -60)), []);
    assert.deepEqual(warningsOf(objective, steady(300, 4, 0.01)), []);
    assert.equal(warningsOf(objective, steady(300, NaN, 0.01)).length, 1);
  }
});

Deno.test("loss monitor: shares near 0 and 1 keep telling digits", () => {
  const [text] = warnings(...steady(100, 16, 0.001));
  assert.match(text, /right with 99\.95 %/);
  assert.match(text, /pass for real with less than 0\.01 %/);
  const [more] = warnings(...steady(100, 5.5, 1e-9));
  assert.match(more, /right with more than 99\.99 %/);
  assert.match(more, /with 0\.41 %/);
});

Deno.test("loss monitor: with smoothed labels, the discriminator's loss is measured from its least", () => {
  const smoothed = (g: number, d: number) => warningsOf("nonsaturating", steady(100, g, d), 0.1);
  const least = -0.9 * Math.log(0.9) - 0.1 * Math.log(0.1);
  const [strong] = smoothed(6, least + 0.02);
  assert.match(
    strong,
    /discriminator overpowers the generator: .* mean loss is 0\.345 \(right with 99/,
  );
  assert.deepEqual(smoothed(6, least + 0.3), []);
  assert.deepEqual(warningsOf("nonsaturating", steady(100, 6, least + 0.02)), []);
});
