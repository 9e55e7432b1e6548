import assert from "node:assert/strict";
import { Balance } from "../../src/training/balance.ts";
import { RandomSequence } from "../../src/model/threefry.ts";

type Losses = readonly [generator: number, discriminator: number];

/** The warnings, with their steps. */
function warnings(
  losses: Iterable<Losses>,
  balance = new Balance(),
): [step: number, text: string][] {
  const all: [number, string][] = [];
  let step = 0;
  for (const [g, d] of losses) {
    const sentence = balance.add(++step, g, d);
    if (sentence) all.push([step, sentence]);
  }
  return all;
}

const steady = (count: number, g: number, d: number): Losses[] => Array(count).fill([g, d]);

/** Losses of a logit of the discriminator, the same for all images: real at x, generated at -y. */
function lossesAt(x: number, y: number): Losses {
  const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
  return [softplus(y), softplus(-x) + softplus(-y)];
}

Deno.test("balance: healthy runs are left alone", () => {
  assert.deepEqual(warnings(steady(5000, Math.LN2, 2 * Math.LN2)), []);
  // Around where the tutorial's run settles, with its noise.
  const random = new RandomSequence(1, 99);
  const noisy = Array.from({ length: 5000 }, (): Losses => [
    0.95 + 0.25 * random.normal(),
    1.2 + 0.2 * random.normal(),
  ]);
  assert.deepEqual(warnings(noisy), []);
  // A good discriminator still teaches: right with 82 %, 10 % of the generated images pass.
  assert.deepEqual(warnings(steady(1000, 2.3, 0.4)), []);
  // Either condition alone is no imbalance.
  assert.deepEqual(warnings(steady(1000, 1.8, 0.19)), []);
  assert.deepEqual(warnings(steady(1000, 5, 0.6)), []);
});

Deno.test("balance: a dip at the beginning of a run, however deep, is ordinary", () => {
  const begin: Losses[] = [
    ...Array.from({ length: 30 }, (_, i): Losses => [0.7 - 0.01 * i, 1.38 - 0.036 * i]),
    ...steady(30, 4, 0.05),
    ...Array.from({ length: 200 }, (_, i): Losses => [3 - 0.01 * i, 0.3 + 0.005 * i]),
  ];
  assert.deepEqual(warnings(begin), []);
});

Deno.test("balance: no warning before there is a window's worth of steps", () => {
  const all = warnings(steady(1000, 6, 0.01));
  assert.equal(all.length, 1);
  assert.equal(all[0][0], 100);
});

Deno.test("balance: a discriminator that overpowers is named once, and its end once", () => {
  const balance = new Balance();
  assert.equal(balance.winner, undefined);
  const all = warnings(
    [...steady(300, 1, 1.2), ...steady(500, 5, 0.02), ...steady(400, 1, 1.2)],
    balance,
  );
  assert.equal(all.length, 2);
  const [[begun, begin], [ended, end]] = all;
  // Means pass 3 and 0.2 after 50 and 85 of the hundred steps.
  assert.equal(begun, 385);
  assert.equal(
    begin,
    "step 385: the discriminator overpowers the generator: over the last 100 steps the " +
      "discriminator's mean loss is 0.197 (right with 91 %) and the generator's 4.400 (its images " +
      "pass for real with 1.2 %). If it stays so, raise dropout, narrow discriminatorWidths, or " +
      "lower learningRate",
  );
  // d passes 0.4 after 33 steps: 0.33 * 1.2 + 0.67 * 0.02.
  assert.equal(ended, 833);
  assert.match(end, /^step 833: the networks are a match again: .* mean loss is 0\.409 /);
  assert.equal(balance.winner, undefined);
});

Deno.test("balance: a run at the border causes one warning", () => {
  const border = Array.from(
    { length: 5000 },
    (_, i): Losses => [3 + Math.sin(i / 60), 0.2 + 0.15 * Math.sin(i / 50)],
  );
  const all = warnings(border);
  assert.equal(all.length, 1, all.join("\n"));
  const other = border.map(([, d]): Losses => [d / 2, 3]); // g from 0.025 to 0.175
  assert.equal(warnings(other).length, 1);
});

Deno.test("balance: a generator that overpowers is named once, and its end once", () => {
  const balance = new Balance();
  const strong = lossesAt(-2.5, -2.5); // The discriminator is wrong with 92 % of all images.
  const all = warnings([...steady(200, 0.7, 1.38), ...steady(300, ...strong)], balance);
  assert.equal(all.length, 1);
  assert.match(all[0][1], /the generator overpowers the discriminator: .* lower dropout, widen/);
  assert.match(all[0][1], /generator's 0\.\d{3} \(its images pass for real with 9\d %\)/);
  assert.equal(balance.winner, "generator");
  const again = warnings(steady(300, 0.7, 1.38), balance);
  assert.equal(again.length, 1);
  assert.match(again[0][1], /a match again/);
});

Deno.test("balance: a generator's loss below 0.1 means what the documentation says", () => {
  // g = 0.1 on all images alike: the least that the discriminator's share of them can be.
  const y = -Math.log(Math.exp(0.1) - 1);
  const [g, d] = lossesAt(1e9, -y);
  assert.ok(Math.abs(g - 0.1) < 1e-12);
  assert.equal(d.toFixed(2), "2.35");
});

Deno.test("balance: from one extreme to the other, each is named", () => {
  const all = warnings([...steady(200, 6, 0.01), ...steady(200, 0.01, 5)]);
  assert.deepEqual(
    all.map(([, text]) => /: the (\w+ \w+)/.exec(text)?.[1]),
    ["discriminator overpowers", "networks are", "generator overpowers"],
  );
});

Deno.test("balance: losses that are not finite are left out", () => {
  const series: Losses[] = [];
  for (let i = 0; i < 99; i++) series.push([6, 0.01], [NaN, 0.01], [6, Infinity], [-Infinity, NaN]);
  assert.deepEqual(warnings(series), []);
  assert.equal(warnings([...series, [6, 0.01]]).length, 1);
  assert.deepEqual(warnings(steady(1000, NaN, NaN)), []);
});

Deno.test("balance: shares near 0 and 1 keep telling digits", () => {
  const [[, text]] = warnings(steady(100, 16, 0.001));
  assert.match(text, /right with 99\.95 %/);
  assert.match(text, /pass for real with less than 0\.01 %/);
  const [[, more]] = warnings(steady(100, 5.5, 1e-9));
  assert.match(more, /right with more than 99\.99 %/);
  assert.match(more, /with 0\.41 %/);
});
