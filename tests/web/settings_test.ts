/** Settings and the address that repeats them. */

import assert from "node:assert/strict";
import { BREAKS, fromAddress, settingsOf, SIZES, toAddress } from "../../web/settings.ts";
import type { BreakName, SizeName } from "../../web/settings.ts";

const fail = (text: string): never => assert.fail(text);

Deno.test("an address gives the settings that it was made of", () => {
  for (const size of Object.keys(SIZES) as SizeName[]) {
    for (const broken of [undefined, ...Object.keys(BREAKS) as BreakName[]]) {
      const settings = settingsOf(size, broken);
      const changed = {
        ...settings,
        seed: 7,
        learningRate: 3e-5,
        generatorWidths: [9, 8, 7] as const,
      };
      for (const each of [settings, changed]) {
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
    "?seed=-1&lr=&beta1=2&g=1,2&d=4,4&batch=1e3&size=huge&unknown=1",
    (text) => refused.push(text),
  );
  assert.deepEqual(settings, {
    ...settingsOf("small"),
    discriminatorWidths: [4, 4],
    batchSize: 1000,
  });
  assert.equal(refused.length, 5);
  assert.match(refused[1], /^Seed stays 0: seed must be a whole number below 2\^32, got -1/);
});
