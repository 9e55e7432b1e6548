/** Which network images of a data set are looked at through. */

import { type Dataset, inMemory, isStreamed, type StreamedDataset } from "../data/dataset.ts";
import { CheckpointError, DataError } from "../errors.ts";
import { sha256 } from "../formats/sha256.ts";
import { pathOf, readSource, type Source } from "../formats/source.ts";
import type { Gpu } from "../graph/gpu.ts";
import { sameShape, sizeOf } from "../graph/tensor.ts";
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

/** Most bytes of a streamed data set's images that a classifier is trained on. */
const MOST_BYTES = 2 ** 28;

/**
 * The best classifier for a data set: the one that ships; for other data with labels, one that is
 * trained on them, once, and kept in the cache folder; for data without labels, a random network.
 * Of a streamed data set it is trained on 256 MiB of images, evenly over all of it.
 */
export async function bestClassifier(
  gpu: Gpu,
  source: Dataset | StreamedDataset,
  onMessage: (text: string) => void,
): Promise<Classifier> {
  const image = imageOf(source);
  if (isStreamed(source) && !isLabeled(source)) return Classifier.random(gpu, image);
  // The same images for any count of compared ones, so that numbers are of the same features.
  const dataset = await inMemory(source, Math.ceil(MOST_BYTES / sizeOf(image)));
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
      if (!(error instanceof CheckpointError)) throw error;
      onMessage(`${cache.path} is damaged; a new one takes its place`);
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
        `[${image.join(", ")}]. Leave out \`classifier\` (--classifier)`,
    );
  }
  if (!classifier.knowsClasses || !isLabeled(dataset)) return;
  const right = await accuracyOf(classifier, dataset, indices);
  if (right >= accuracy / 2) return;
  throw new DataError(
    `Cannot look at this data set through ${name}, which is of another one: it finds the labels of ` +
      `${(100 * right).toFixed(1)} % of these images. Leave out \`classifier\` (--classifier), ` +
      "or correct the labels",
  );
}
