/** `evaluate`: what it prints for people and programs, and what it refuses. */

import { deepEqual, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { Gpu } from "../../mod.ts";
import { Classifier } from "../../src/metrics/classifier.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { assertRuns } from "../support/commands.ts";
import { writeAlike, writeDigits } from "../support/digits.ts";
import { inFolder } from "../support/folder.ts";

Deno.test("evaluate: a table for people with real images beside, one object for programs", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const checkpoint = await writeCheckpoint(gpu, join(dir, "out"));
    for (const split of ["train", "t10k"]) await writeAlike(join(dir, "both"), 80, split);
    await writeAlike(join(dir, "alone"), 80);
    await writeDigits(join(dir, "few"), 64);
    using random = Classifier.random(gpu, [28, 28, 1]);
    await Deno.writeFile(join(dir, "random.safetensors"), await random.toBytes());

    const [table, json, alone] = await assertRuns(
      dir,
      [0, "evaluate out --data both --count 70", /^data +MNIST from .*both .*, 80 images$/m],
      [0, "evaluate out --data both --count 70 --json"],
      [0, `evaluate ${checkpoint} --data alone --count 70`, /no images to test with: /],
      [1, "evaluate out --data few --count 70", /^error: At least 65 real images are needed/],
      [2, "evaluate out --data both --count 64", /It must be a whole number of at least 65/],
      [1, "evaluate nowhere --data both", /^error: There is no .*nowhere/],
      [
        1,
        "evaluate out --data both --count 70 --classifier random.safetensors",
        /^error: .*random\.safetensors is no classifier/,
      ],
    );
    // The checkpoint does not say which images its generator has seen.
    match(table, /^features a fixed random network, which says less than a classifier$/m);
    match(table, /^ +generated +real$/m);
    match(table, /^images +70 +70 +compared with images to test with$/m);
    for (const name of ["precision", "recall", "density", "coverage"]) {
      match(table, new RegExp(`^${name} +\\d\\.\\d{3} +\\d\\.\\d{3} `, "m"));
    }
    const [, fake, real] = /^Fréchet distance +([\d.e+-]+) +([\d.e+-]+) /m.exec(table)!;
    ok(Number(fake) > Number(real), table);

    const { floor, ...found } = JSON.parse(json);
    deepEqual([found.checkpoint, found.seed, found.count], [checkpoint, 0, 70]);
    ok(Math.abs(found.frechetDistance / Number(fake) - 1) < 1e-3);
    ok(floor.frechetDistance < found.frechetDistance && found.kernelDistance.mean > 0);
    match(alone, /^ +generated$/m);
    match(alone, /compared with all of the data$/m);
  }));
