/** Settings and the address that repeats them. */

import assert from "node:assert/strict";
import { BREAKS, fromAddress, settingsOf, SIZES, toAddress } from "../../web/settings.ts";
import type { BreakName, Settings, SizeName } from "../../web/settings.ts";

const fail = (text: string): never => assert.fail(text);

Deno.test("an address gives the settings that it was made of", () => {
  for (const size of Object.keys(SIZES) as SizeName[]) {
    for (const broken of [undefined, ...Object.keys(BREAKS) as BreakName[]]) {
      const settings = settingsOf(size, broken);
      const changed = {
        ...{ ...settings, seed: 7, generatorWidths: [9, 8] },
        ...{ learningRate: 3e-5, discriminatorLearningRate: 3e-5 },
      };
      const others: Settings = {
        ...{ ...changed, discriminatorLearningRate: 1e-3, objective: "relativistic", r1: 0.5 },
        ...{ ema: 0.99, augment: ["translation", "cutout"], normalization: "none" },
      };
      for (const each of [settings, changed, others]) {
        assert.deepEqual(fromAddress(toAddress(each), fail), each);
      }
    }
  }
  assert.equal(toAddress(settingsOf("small")), "");
  assert.equal(toAddress({ ...settingsOf("tiny"), seed: 7 }), "?size=tiny&seed=7");
});

Deno.test("values of an address that are none of their field are left out with a sentence", () => {
  const refused: string[] = [];
  const settings = fromAddress(
    "?seed=-1&lr=&beta1=2&g=1&d=4,4&batch=1e3&size=huge&unknown=1&r2=x&conditional=1",
    (text) => refused.push(text),
  );
  assert.deepEqual(settings, {
    ...settingsOf("small"),
    discriminatorWidths: [4, 4],
    batchSize: 1000,
  });
  assert.equal(refused.length, 7);
  assert.match(refused[1], /^Seed stays 0: seed must be a whole number below 2\^32, got -1/);
});

Deno.test("a learning rate is of both networks, unless they have one each", () => {
  const { learningRate, discriminatorLearningRate } = settingsOf("small", "fast");
  assert.equal(discriminatorLearningRate, learningRate);
  const both = fromAddress("?lr=0.5", fail);
  assert.equal(both.discriminatorLearningRate, 0.5);
  const own = fromAddress("?lr=0.5&discriminatorLearningRate=0.25", fail);
  assert.deepEqual([own.learningRate, own.discriminatorLearningRate], [0.5, 0.25]);
});
