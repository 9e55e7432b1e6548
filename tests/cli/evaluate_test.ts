/** `evaluate`: what it prints for people and programs, and what it refuses. */

import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { join } from "node:path";
import { encodePNG, Gpu } from "../../mod.ts";
import { Classifier } from "../../src/metrics/classifier.ts";
import { writeCheckpoint } from "../support/checkpoint.ts";
import { assertRuns, cachesIn, commands } from "../support/commands.ts";
import { TINY } from "../support/dcgan.ts";
import { writeAlike, writeDigits } from "../support/digits.ts";
import { inFolder, withFiles } from "../support/folder.ts";

Deno.test("evaluate: a table for people with real images beside, one object for programs", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const checkpoint = await writeCheckpoint(gpu, join(dir, "out"));
    for (const split of ["train", "t10k"]) await writeAlike(join(dir, "both"), 80, split);
    await writeAlike(join(dir, "alone"), 80);
    await writeDigits(join(dir, "few"), 64);
    using random = Classifier.random(gpu, [28, 28, 1]);
    await Deno.writeFile(join(dir, "random.safetensors"), await random.toBytes());
    const facts = { image: [28, 28, 1], classes: 3, images: [], made: "by a test" } as const;
    using made = new Classifier(gpu, { ...facts, dataset: "a test", accuracy: 0 });
    await Deno.writeFile(join(dir, "made.safetensors"), await made.toBytes());

    const [table, json, alone, classified] = await assertRuns(
      dir,
      [0, "evaluate out --data both --count 70", /^data +MNIST from .*both .*, 80 images$/m],
      [0, "evaluate out --data both --count 70 --json"],
      [0, `evaluate ${checkpoint} --data alone --count 70`, /no images to test with: /],
      [0, "evaluate out --data both --count 70 --classifier made.safetensors"],
      [1, "evaluate out --data few --count 70", /^error: At least 65 real images are needed/],
      [
        1,
        "evaluate out --data both --count 64",
        /^error: At least 65 .*: the covariance of fewer is singular, got count 64/,
      ],
      [1, "evaluate nowhere --data both", /^error: There is no .*nowhere/],
      [
        1,
        "evaluate out --data both --count 70 --classifier random.safetensors",
        /^error: .*random\.safetensors is no classifier: .*\. Leave out --classifier$/m,
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
    doesNotMatch(table, /^confident/m);
    match(
      classified,
      /^confident +[01]\.\d{3} +[01]\.\d{3} +of these images, 90 % sure of a class$/m,
    );
  }));

/** Seventy PNG files in a folder. */
const images = (folder: string, shift: number) =>
  Object.fromEntries(Array.from({ length: 70 }, (_, i) => {
    const data = new Uint8Array(64).map((_, at) => at * (i + 1) + shift);
    return [`${folder}/${i}.png`, encodePNG({ width: 8, height: 8, channels: 1, data })];
  }));

Deno.test("evaluate: streamed images are those in memory, and others are noticed", () =>
  withFiles({ ...images("images", 0), ...images("others", 9) }, async (dir) => {
    const size = "--image-size 8,8 --count 70 --json";
    const lines = [
      `train --data images --image-size 8,8 --stream ${TINY.slice(1).join(" ")} --batch-size 4 ` +
      "--no-calibrate --max-steps 1 --out out",
      `evaluate out --data images --stream ${size}`,
      `evaluate out --data images --channels 3 ${size}`,
      `evaluate out --data others --stream ${size}`,
      `evaluate out --data images ${size}`,
    ];
    const env = { INIT_CWD: dir, ...cachesIn(join(dir, "cache")) };
    const [train, streamed, whole, others, gray] = await commands(lines, undefined, { env });
    equal(train.code, 0, train.stderr);
    const numbers = ({ code, stdout, stderr }: typeof train) => {
      equal(code, 0, stderr);
      return { ...JSON.parse(stdout), seconds: 0 };
    };
    deepEqual(numbers(streamed), numbers(whole));
    equal(streamed.stderr, "");
    ok(numbers(others).frechetDistance > 0);
    match(others.stderr, /^warning: the generator was trained on other images than these/);
    match(gray.stderr, /^error: Cannot compare generated images \[8, 8, 3\] .* \[8, 8, 1\]/);
  }));
