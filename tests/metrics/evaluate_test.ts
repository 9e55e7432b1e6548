/** Comparing a generator with a data set in one call. */

import { deepEqual, equal, notDeepEqual, ok, rejects } from "node:assert/strict";
import { evaluate, frechetDistance, Generator, kernelDistance } from "../../mod.ts";
import { trainClassifier } from "../../src/metrics/train_classifier.ts";
import { Evaluator } from "../../src/metrics/evaluator.ts";
import { Classifier, realImages } from "../../src/metrics/classifier.ts";
import { evenly, imagesAt } from "../../src/data/dataset.ts";
import { generate, seedNoise } from "../../src/model/sampler.ts";
import { RandomSequence, STREAM } from "../../src/model/threefry.ts";
import { assertClose } from "../support/close.ts";
import { inFolder } from "../support/folder.ts";
import { corners } from "../support/labeled.ts";
import { gpu, tinyBlobs } from "../support/small.ts";
import { live } from "../support/training.ts";

const SIZES = { noiseDim: 6, widths: [8, 4, 4], height: 8, width: 8, seed: 1 } as const;

Deno.test("evaluate: the numbers are those of the functions, on the features of the same images", async () => {
  const before = live(gpu);
  const generator = new Generator(gpu, SIZES);
  const data = tinyBlobs(200);
  const found = await evaluate(generator, data, { count: 100, seed: 5 });
  {
    using random = Classifier.random(gpu, [8, 8, 1]);
    const images = await generate(gpu, generator, seedNoise(100, 6, 5));
    const { features: fake } = await random.look(images);
    // Every second of 200 real ones.
    const { features: real } = await random.look(realImages(data, evenly(100, 200)));
    equal(found.frechetDistance, await frechetDistance(real, fake, 64));
    deepEqual(found.kernelDistance, await kernelDistance(real, fake, 64, { seed: 5 }));
  }
  deepEqual([found.count, found.realCount, found.classes], [100, 100, undefined]);
  deepEqual(await evaluate(generator, data, { count: 100, seed: 5 }), found);
  notDeepEqual(await evaluate(generator, data, { count: 100, seed: 6 }), found);
  generator.dispose();
  deepEqual(live(gpu), before);
});

Deno.test("evaluate: through a classifier, real images are at home and classes are counted", async () => {
  const data = corners(300);
  const classifier = await trainClassifier(gpu, data, { name: "corners", steps: 60 });
  const bytes = await classifier.toBytes();
  using evaluator = await Evaluator.create(classifier, data, evenly(150, 300));
  const images = (from: number, to: number) =>
    realImages(data, Array.from({ length: to - from }, (_, i) => 2 * (from + i) + 1));
  const real = await evaluator.measure(150, images, { subsets: 2 });
  assertClose(real.classes!, [50, 50, 50], { atol: 5 });
  assertClose([real.entropy!], [Math.log(3)], { atol: 0.02 });
  ok(real.precision > 0.6 && real.coverage > 0.6, JSON.stringify(real));
  const generator = new Generator(gpu, SIZES);
  const fake = await evaluate(generator, data, { count: 150, classifier: bytes });
  equal(fake.features, real.features);
  ok(fake.frechetDistance > 3 * real.frechetDistance);
  equal(fake.classes!.reduce((a, b) => a + b), 150);
  generator.dispose();
});

Deno.test("evaluate: images with a softmax of 0.9 for a class are counted", async () => {
  const facts = { dataset: "noise", image: [8, 8, 1], classes: 3, images: [], made: "" } as const;
  const classifier = new Classifier(gpu, { ...facts, accuracy: 1 }, { seed: 4 });
  const [kernel] = classifier.head.variables; // [64, 3]
  const weights = Float32Array.from({ length: 192 }, (_, i) => 5 * Math.sin(i * i));
  kernel.write(weights);
  const data = corners(100);
  const random = new RandomSequence(1, STREAM.samples);
  const images = Float32Array.from({ length: 6400 }, () => random.normal());
  using evaluator = await Evaluator.create(classifier, data, evenly(100, 100));
  const { confident } = await evaluator.measure(
    100,
    (from, to) => images.subarray(64 * from, 64 * to),
  );
  const { features } = await classifier.look(images);
  const softmax = Array.from({ length: 100 }, (_, image) => {
    const logit = (label: number) =>
      features.subarray(64 * image, 64 * image + 64)
        .reduce((sum, feature, at) => sum + feature * weights[3 * at + label], 0);
    const exps = [0, 1, 2].map((label) => Math.exp(logit(label)));
    return Math.max(...exps) / exps.reduce((a, b) => a + b);
  });
  const sure = (least: number) => softmax.filter((value) => value >= least).length;
  equal(confident, sure(0.9) / 100);
  ok(0 < sure(0.95) && sure(0.95) < sure(0.9) && sure(0.9) < sure(0.85), softmax.join());
});

Deno.test("evaluate: a classifier learns from the images to train on, however few are compared", () =>
  inFolder(async (dir) => {
    const before = Deno.env.get("XDG_CACHE_HOME");
    Deno.env.set("XDG_CACHE_HOME", dir);
    const generator = new Generator(gpu, SIZES);
    try {
      const { images: _, ...rest } = corners(90);
      const read = (places: Uint32Array) => imagesAt(corners(90), places);
      const said: string[] = [];
      const found = await evaluate(generator, corners(80), {
        ...{ count: 70, train: { ...rest, read, id: "corners" } },
        onMessage: (text) => said.push(text),
      });
      equal(said[0], "training a classifier on the labels of 90 images");
      equal(found.realCount, 70);
      ok(found.confident! >= 0 && found.confident! <= 1);
    } finally {
      generator.dispose();
      if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
      else Deno.env.set("XDG_CACHE_HOME", before);
    }
  }));

Deno.test("evaluate: a generator with classes makes as many of each as the data has", async () => {
  const generator = new Generator(gpu, { ...SIZES, classes: 3 });
  const data = corners(90);
  // No class in the data but 2: as if all labels of the noise were 2.
  const labels = new Uint8Array(90).fill(2);
  const found = await evaluate(generator, { ...data, labels }, { count: 70 });
  const images = await generate(gpu, generator, seedNoise(70, 6, 0), new Uint32Array(70).fill(2));
  using random = Classifier.random(gpu, [8, 8, 1]);
  const [fake, real] = [images, realImages(data, evenly(70, 90))];
  equal(
    found.frechetDistance,
    await frechetDistance(
      (await random.look(real)).features,
      (await random.look(fake)).features,
      64,
    ),
  );
  generator.dispose();
});

Deno.test("evaluate: what cannot be compared is refused, and nothing stays on the device", async () => {
  const generator = new Generator(gpu, SIZES);
  const before = live(gpu);
  await rejects(evaluate(generator, tinyBlobs(100), { count: 64 }), {
    name: "RangeError",
    message: "At least 65 generated images are needed to compare 64 features: the covariance of " +
      "fewer is singular, got count 64",
  });
  await rejects(
    evaluate(generator, tinyBlobs(64)),
    /real images are needed .*, the data set has 64/,
  );
  await rejects(evaluate(generator, { ...tinyBlobs(100), height: 4, width: 16 }), {
    name: "DataError",
    message: "Cannot compare generated images [8, 8, 1] with a data set of [4, 16, 1]: use the " +
      "data that the generator was trained on",
  });
  await rejects(evaluate(generator, tinyBlobs(100), { seed: -1 }), RangeError);
  const train = { ...tinyBlobs(100), height: 4, width: 16 };
  await rejects(evaluate(generator, tinyBlobs(100), { train }), /with a data set of \[4, 16, 1\]/);
  const classifier = new Uint8Array(9);
  await rejects(evaluate(generator, tinyBlobs(100), { count: 70, classifier }), {
    name: "CheckpointError",
  });
  const [bias] = generator.variables;
  bias.write(new Float32Array(bias.size).fill(NaN));
  await rejects(evaluate(generator, tinyBlobs(100), { count: 70 }), /features hold NaN at/);
  deepEqual(live(gpu), before);
  generator.dispose();
});
