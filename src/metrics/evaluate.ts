/** Comparing a generator with a data set, in one call. */

import {
  type Dataset,
  evenly,
  inMemory,
  type StreamedDataset,
  validateDataset,
} from "../data/dataset.ts";
import { DataError } from "../errors.ts";
import type { Source } from "../formats/source.ts";
import { sameShape, show } from "../graph/tensor.ts";
import type { Gpu } from "../graph/gpu.ts";
import type { Generator } from "../model/generator.ts";
import { Sampler, seedNoise } from "../model/sampler.ts";
import { requireCount } from "../model/validate.ts";
import { requireSeed } from "../ops/random.ts";
import type { Evaluation, Evaluator, ImageSource } from "./evaluator.ts";
import { FEWEST } from "./features.ts";

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions {
  /** Generated images, and real ones if the data set has as many. Default 10,000; at least 65. */
  readonly count?: number;
  /** Of the noise, and of the kernel distance's subsets. Default 0. */
  readonly seed?: number;
  /**
   * A classifier's file to look through: a path, a URL, or its bytes. Default: the one that ships for
   * MNIST or Fashion-MNIST; for other data with labels one that is trained on those of `train`, once, and
   * kept in the user's cache folder; without labels a fixed random network.
   */
  readonly classifier?: Source;
  /**
   * Other images of the same kind, to train a classifier on if one must be trained. Default: the data set
   * itself, whose images the classifier has then seen: give others if there are any. Of a streamed data set
   * it is trained on 256 MiB of images, whatever `count` is.
   */
  readonly train?: Dataset | StreamedDataset;
  /** Called with what a person may want to know. */
  readonly onMessage?: (text: string) => void;
}

/** Subsets of the kernel distance. */
export const SUBSETS = 100;

/** Refuses what cannot be compared, before anything is computed. */
export function requireComparable(count: number, dataset: Pick<Dataset, "count">): void {
  requireCount("count", count);
  const why = `are needed to compare ${FEWEST - 1} features: the covariance of fewer is singular`;
  if (count < FEWEST) {
    throw new RangeError(`At least ${FEWEST} generated images ${why}, got count ${count}`);
  }
  if (dataset.count < FEWEST) {
    throw new RangeError(
      `At least ${FEWEST} real images ${why}, the data set has ${dataset.count}`,
    );
  }
}

/** What images are made from. */
interface GeneratedOptions {
  readonly count: number;
  readonly seed: number;
  /** Of the data set: a generator with classes makes as many of each as the data has. */
  readonly labels?: Uint8Array;
}

/** Images of a generator from the noise of a seed. */
export function generated(
  { noiseDim, classes }: Generator,
  sampler: Pick<Sampler, "sample">,
  { count, seed, labels = new Uint8Array() }: GeneratedOptions,
): ImageSource {
  const noise = seedNoise(count, noiseDim, seed);
  const each = evenly(count, labels.length || classes);
  const ofClass = classes
    ? Uint32Array.from(each, (place) => labels.length ? labels[place] : place)
    : undefined;
  return (from, to) =>
    sampler.sample(noise.subarray(from * noiseDim, to * noiseDim), ofClass?.subarray(from, to));
}

/**
 * Opens what looks at a data set, and lets it look at as many images of it as are asked for. That is
 * loaded when it is used: most programs only train.
 *
 * @param options.atHand whether a classifier may not be trained: a random network takes its place then
 */
export async function evaluatorOf(
  gpu: Gpu,
  dataset: Dataset | StreamedDataset,
  { count = 10_000, classifier: source, train, onMessage = () => {}, atHand = false }:
    & EvaluateOptions
    & { readonly atHand?: boolean },
): Promise<Evaluator> {
  requireComparable(count, dataset);
  const choose = await import("./choose.ts");
  const { Evaluator } = await import("./evaluator.ts");
  const real = await inMemory(dataset, count);
  const indices = evenly(Math.min(count, real.count), real.count);
  const classifier = source !== undefined
    ? await choose.openClassifier(gpu, source)
    : atHand
    ? await choose.classifierAtHand(gpu, real)
    : await choose.bestClassifier(gpu, train ?? dataset, onMessage);
  try {
    if (source !== undefined || train) await choose.requireFit(classifier, real, indices);
    return await Evaluator.create(classifier, real, indices);
  } catch (error) {
    classifier[Symbol.dispose]();
    throw error;
  }
}

/**
 * Compares a generator's images with those of a data set, through a classifier: what it makes of an
 * image before it names the class are 64 features, and sets of features are compared.
 *
 * ```ts
 * import { evaluate, Generator, Gpu, loadMNIST } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const generator = await Generator.load(gpu, "out/training_checkpoints/ckpt-0050.safetensors");
 * const { frechetDistance, coverage } = await evaluate(
 *   generator,
 *   await loadMNIST({ split: "test" }),
 *   { count: 10_000 },
 * );
 * console.log(frechetDistance, coverage);
 * ```
 *
 * Permissions: none for MNIST and Fashion-MNIST; for other data with labels env, read and write, where
 * the user's caches are. Any of the latter may be missing, with a message.
 *
 * @throws {DataError} when the data set is invalid or of another size than the generator's images, or
 *   the classifier is of another data set.
 * @throws {RangeError} when there are fewer than 65 images of a kind, or an option is out of range.
 * @throws {CheckpointError} when the classifier's file is damaged or missing.
 */
export async function evaluate(
  generator: Generator,
  dataset: Dataset | StreamedDataset,
  options: EvaluateOptions = {},
): Promise<Evaluation & Required<Pick<Evaluation, "kernelDistance">>> {
  const { count = 10_000, seed = 0, train = dataset } = options;
  requireSeed(seed);
  for (const images of [dataset, train]) {
    validateDataset(images);
    requireGenerates(generator, images);
  }
  using evaluator = await evaluatorOf(generator.gpu, dataset, options);
  const { labels } = dataset;
  const evaluation = await measureAll(generator, evaluator, { count, seed, labels });
  return { ...evaluation, kernelDistance: evaluation.kernelDistance! };
}

/** All measures of a generator's images. */
export async function measureAll(
  generator: Generator,
  evaluator: Evaluator,
  options: GeneratedOptions,
): Promise<Evaluation> {
  const { count, seed } = options;
  using sampler = new Sampler(generator.gpu, generator, count);
  const images = generated(generator, sampler, options);
  return await evaluator.measure(count, images, { subsets: SUBSETS, seed });
}

/** Refuses a data set of images of another size than a generator's. @throws {DataError} */
export function requireGenerates(
  { outputShape }: Generator,
  dataset: Omit<Dataset, "images">,
): void {
  const { height, width, channels } = dataset;
  const image = [height, width, channels];
  if (sameShape(outputShape, image)) return;
  throw new DataError(
    `Cannot compare generated images ${show(outputShape)} with a data set of ` +
      `${show(image)}: use the data that the generator was trained on`,
  );
}
