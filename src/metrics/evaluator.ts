/** Real images to compare others with, looked at once. */

import type { Dataset } from "../data/dataset.ts";
import type { EvaluationMetrics } from "../formats/metrics.ts";
import { type Classifier, realImages } from "./classifier.ts";
import { FEATURES } from "./features.ts";
import { frechetOfMoments, type Moments, momentsOf } from "./frechet.ts";
import { type KernelDistance, kernelEstimate } from "./kernel.ts";
import { type Balls, ballsOf, neighborMeasures } from "./neighbors.ts";

/** How generated images compare with real ones, by {@linkcode evaluate}. */
export interface Evaluation extends EvaluationMetrics {
  /** See `kernelDistance`; in a run's own evaluations it is not measured. */
  readonly kernelDistance?: KernelDistance;
  /** How many generated images the classifier takes for each class; absent for a random network. */
  readonly classes?: readonly number[];
  /**
   * The fraction of generated images whose most likely class has a softmax of at least 0.9; absent for a
   * random network.
   */
  readonly confident?: number;
  /** Generated images. */
  readonly count: number;
  /** Real images. */
  readonly realCount: number;
  /** Through which network they were looked at. */
  readonly features: string;
}

/** Images [to - from, height, width, channels] on [-1, 1]. */
export type ImageSource = (from: number, to: number) => Promise<Float32Array> | Float32Array;

/** Images that are made and looked at together; their pixels are dropped then. */
const CHUNK = 256;

/** Neighbors, as the papers have them. */
const K = { precision: 3, density: 5 };

/** The softmax from which on the classifier is confident of a class. */
const CONFIDENT = 0.9;

/** Features of images, the classes that the classifier finds, and the softmax of each. */
export async function look(classifier: Classifier, count: number, images: ImageSource) {
  const features = new Float32Array(count * FEATURES);
  const classes = new Uint8Array(count);
  const confidence = new Float64Array(count);
  for (let from = 0; from < count; from += CHUNK) {
    const to = Math.min(count, from + CHUNK);
    const seen = await classifier.look(await images(from, to));
    features.set(seen.features, from * FEATURES);
    classes.set(seen.classes, from);
    confidence.set(seen.confidence, from);
  }
  return { features, classes, confidence };
}

/** Compares images with a data set's, whose features are computed once. */
export class Evaluator implements Disposable {
  private constructor(
    private readonly classifier: Classifier,
    private readonly real: Float32Array,
    private readonly moments: Moments,
    private readonly balls: Balls,
  ) {}

  /**
   * Looks at the real images.
   *
   * @param classifier which it then owns
   * @param indices of the images to compare with
   * @throws {RangeError} when they are fewer than 65.
   */
  static async create(
    classifier: Classifier,
    dataset: Dataset,
    indices: readonly number[],
  ): Promise<Evaluator> {
    const images: ImageSource = (from, to) => realImages(dataset, indices.slice(from, to));
    const { features } = await look(classifier, indices.length, images);
    const moments = momentsOf("real", features, FEATURES);
    return new Evaluator(classifier, features, moments, ballsOf(features, FEATURES, K.density));
  }

  /** Through which network it looks. */
  get features(): string {
    return this.classifier.name;
  }

  /**
   * Compares images with the real ones. With `subsets`, the kernel distance is measured, too: it
   * takes as long as all else.
   *
   * @throws {RangeError} when they are fewer than 65, or one has features that are not finite.
   */
  async measure(
    count: number,
    images: ImageSource,
    { subsets = 0, seed = 0 }: { readonly subsets?: number; readonly seed?: number } = {},
  ): Promise<Evaluation> {
    const { classifier: { facts, knowsClasses }, real } = this;
    const { features, classes, confidence } = await look(this.classifier, count, images);
    const frechetDistance = frechetOfMoments(
      this.moments,
      momentsOf("generated", features, FEATURES),
    );
    const histogram = Array.from({ length: facts.classes }, () => 0);
    for (const label of classes) histogram[label]++;
    const confident = confidence.filter((softmax) => softmax >= CONFIDENT).length / count;
    return {
      ...{ count, realCount: real.length / FEATURES, features: this.features },
      frechetDistance,
      ...(subsets && {
        kernelDistance: kernelEstimate(real, features, FEATURES, { subsets, seed }),
      }),
      ...neighborMeasures(this.balls, features, FEATURES, K),
      ...(knowsClasses && { classes: histogram, entropy: entropyOf(histogram), confident }),
    };
  }

  /** Frees the classifier. */
  [Symbol.dispose](): void {
    this.classifier[Symbol.dispose]();
  }
}

/** Of a histogram, in nats: 0 where all are of one class, ln(classes) where all are equally many. */
function entropyOf(histogram: readonly number[]): number {
  const total = histogram.reduce((sum, n) => sum + n, 0);
  return histogram.reduce((sum, n) => n ? sum - n / total * Math.log(n / total) : sum, 0);
}
