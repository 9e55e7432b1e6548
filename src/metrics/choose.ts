/** Which network images of a data set are looked at through. */

import type { Dataset } from "../data/dataset.ts";
import { DataError } from "../errors.ts";
import { sha256 } from "../formats/sha256.ts";
import { pathOf, readSource, type Source } from "../formats/source.ts";
import type { Gpu } from "../graph/gpu.ts";
import { sameShape } from "../graph/tensor.ts";
import { accuracyOf, Classifier, imageOf, isLabeled } from "./classifier.ts";
import { shippedFor } from "./shipped.ts";
import { trainClassifier } from "./train_classifier.ts";

/** A classifier from its file: a path, a URL, or its bytes. */
export async function openClassifier(gpu: Gpu, source: Source): Promise<Classifier> {
  const path = pathOf(source);
  if (path !== undefined) {
    const { readFile } = await import("../files/kind.ts");
    return Classifier.fromBytes(gpu, await readFile(path), path);
  }
  const { bytes, name } = await readSource(source, "classifier");
  return Classifier.fromBytes(gpu, bytes, name);
}

/** The classifier that ships for a data set, or else a random network: at hand at once, always alike. */
export async function classifierAtHand(gpu: Gpu, dataset: Dataset): Promise<Classifier> {
  const source = await shippedFor(await sha256(dataset.images));
  return source === undefined
    ? Classifier.random(gpu, imageOf(dataset))
    : await openClassifier(gpu, source);
}

/**
 * The best classifier for a data set: the one that ships; for other data with labels, one that is
 * trained on them, once, and kept in the cache folder; for data without labels, a random network.
 */
export async function bestClassifier(
  gpu: Gpu,
  dataset: Dataset,
  onMessage: (text: string) => void,
): Promise<Classifier> {
  const atHand = await classifierAtHand(gpu, dataset);
  if (atHand.knowsClasses || !isLabeled(dataset)) return atHand;
  atHand[Symbol.dispose]();

  const { classifierCache } = await import("../files/classifier_cache.ts");
  const cache = await classifierCache(dataset.images, dataset.labels, onMessage);
  const kept = await cache.read();
  if (kept) {
    try {
      return Classifier.fromBytes(gpu, kept, cache.path);
    } catch (error) {
      onMessage(`${(error as Error).message}; a new one takes its place`);
    }
  }
  onMessage(`training a classifier on the labels of ${dataset.count} images`);
  const classifier = await trainClassifier(gpu, dataset, {
    name: "this data set",
    onProgress: ({ step, steps, loss }) => {
      if (step % 500 === 0) onMessage(`step ${step} of ${steps}, loss ${loss.toFixed(3)}`);
    },
  });
  await cache.write(await classifier.toBytes());
  return classifier;
}

/**
 * Refuses a classifier of another data set: of images of another size; or of others, as their labels
 * show, where there are any.
 *
 * @param indices of the images to try
 * @throws {DataError}
 */
export async function requireFit(
  classifier: Classifier,
  dataset: Dataset,
  indices: readonly number[],
): Promise<void> {
  const { facts: { image, accuracy = 0 }, name } = classifier;
  if (!sameShape(image, imageOf(dataset))) {
    throw new DataError(
      `Cannot look at images of [${imageOf(dataset).join(", ")}] through ${name}: it takes ` +
        `[${image.join(", ")}]. Use one of this data set`,
    );
  }
  if (!classifier.knowsClasses || !isLabeled(dataset)) return;
  const right = await accuracyOf(classifier, dataset, indices);
  if (right >= accuracy / 2) return;
  throw new DataError(
    `Cannot look at this data set through ${name}, which is of another one: it finds the labels of ` +
      `${(100 * right).toFixed(1)} % of these images. Use one of this data set`,
  );
}
