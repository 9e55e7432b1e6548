/** The network through whose eyes images are compared. */

import type { Dataset } from "../data/dataset.ts";
import { CheckpointError } from "../errors.ts";
import { requireChecksums, withChecksums } from "../formats/checksums.ts";
import { isObject, parseJSON, plain, quote } from "../formats/json.ts";
import { decodeSafetensors, encodeSafetensors, type SafeTensor } from "../formats/safetensors.ts";
import type { Gpu } from "../graph/gpu.ts";
import type { Program } from "../graph/program.ts";
import { sizeOf } from "../graph/tensor.ts";
import { compileFitting } from "../model/fitting_batch.ts";
import type { LayerFactory } from "../model/layer.ts";
import {
  activation,
  batchNormalization,
  conv2D,
  dense,
  dropout,
  flatten,
  relu,
} from "../model/layers.ts";
import { Sequential } from "../model/sequential.ts";
import { STREAM } from "../model/threefry.ts";
import { weightData } from "../model/weights.ts";
import { once } from "../gpu/once.ts";
import { FEATURES } from "./features.ts";

/** Height and width of the last layer that is convolved are at most this. */
const LARGEST = 8;

/** Images at once, if they fit into the device's memory. */
const BATCH = 256;

/** What is known of a classifier. */
export interface ClassifierFacts {
  /** What it was trained on: "MNIST"; undefined for a random network. */
  readonly dataset?: string;
  /** [height, width, channels] */
  readonly image: readonly [height: number, width: number, channels: number];
  /** Number of classes; 1 for a random network, which knows none. */
  readonly classes: number;
  /** The fraction of images that it classified right when it was made, of those that it never saw. */
  readonly accuracy?: number;
  /** SHA-256 of the images of each data set that it is for. */
  readonly images: readonly string[];
  /** How it was made. */
  readonly made: string;
}

/**
 * A convolutional network of 64 features: convolutions 5 x 5 of stride 2 with batch normalization and
 * ReLU down to 8 x 8 pixels, one more of 3 x 3, a dense layer to the features, and one to the classes.
 */
export class Classifier implements Disposable {
  readonly body: Sequential;
  readonly head: Sequential;
  /** By the size of the batch that was asked for. */
  readonly #programs = new Map<
    number,
    { readonly program: Program<"x", "features" | "logits">; readonly batch: number }
  >();

  /**
   * @param weights gives the values of a weight by its name, `body/dense/kernel`; else they are those
   *   of the seed
   */
  constructor(
    private readonly gpu: Gpu,
    public facts: ClassifierFacts,
    { seed = 0, weights }: {
      readonly seed?: number;
      readonly weights?: (name: string, shape: readonly number[]) => Float32Array;
    } = {},
  ) {
    const { image, classes } = facts;
    const normalized = [batchNormalization({ momentum: 0.9 }), relu()];
    const convolutions: LayerFactory[] = [];
    for (let side = Math.max(image[0], image[1]), width = 16; side > LARGEST; width = 32) {
      const options = { kernelSize: 5, strides: 2, padding: "same", useBias: false } as const;
      convolutions.push(conv2D(width, options), ...normalized);
      side = Math.ceil(side / 2);
    }
    const last = { kernelSize: 3, strides: 2, padding: "same", useBias: false } as const;
    const options = (part: "body" | "head") => ({
      name: `classifier/${part}`,
      seed,
      stream: STREAM.classifier,
      weights: weights &&
        ((name: string, shape: readonly number[]) => weights(`${part}/${name}`, shape)),
    });
    this.body = new Sequential(gpu, image, [
      ...convolutions,
      ...[conv2D(32, last), ...normalized, flatten(), dense(FEATURES), activation("relu")],
    ], options("body"));
    this.head = new Sequential(gpu, [FEATURES], [dropout(0.4), dense(classes)], options("head"));
  }

  /** A network that was never trained, always the same for images of one size. */
  static random(gpu: Gpu, image: ClassifierFacts["image"]): Classifier {
    return new Classifier(gpu, { image, classes: 1, images: [], made: "random weights of seed 0" });
  }

  /** What messages call it. */
  get name(): string {
    const { dataset, accuracy } = this.facts;
    if (dataset === undefined) return "a fixed random network, which says less than a classifier";
    return `the classifier of ${plain(dataset)} (${(100 * (accuracy ?? NaN)).toFixed(2)} % right)`;
  }

  /** Whether it tells classes apart. */
  get knowsClasses(): boolean {
    return this.facts.dataset !== undefined;
  }

  /**
   * Features and classes of images.
   *
   * @param images [count, height, width, channels] on [-1, 1]
   * @returns features [count, 64], the most likely class of each image, and its softmax
   * @throws {OutOfMemoryError} when not even one image fits into the device's memory.
   */
  async look(
    images: Float32Array,
  ): Promise<{ features: Float32Array; classes: Uint8Array; confidence: Float64Array }> {
    const { image, classes } = this.facts;
    const size = sizeOf(image);
    const count = images.length / size;
    const most = Math.min(count, BATCH);
    const compile = (batch: number) =>
      this.gpu.compile({ x: [batch, ...image] }, ({ x }) => {
        const features = this.body.call(x, { training: false });
        return { features, logits: this.head.call(features, { training: false }) };
      }, { label: `classifier of ${batch}` });
    const { program, batch } = once(this.#programs, most, () => compileFitting(most, compile));
    const reads: ReturnType<typeof program.read>[] = [];
    for (let at = 0; at < images.length; at += batch * size) {
      const padded = new Float32Array(batch * size);
      padded.set(images.subarray(at, at + padded.length));
      program.run({ x: padded });
      reads.push(program.read());
    }
    const result = {
      features: new Float32Array(count * FEATURES),
      classes: new Uint8Array(count),
      confidence: new Float64Array(count),
    };
    for (const [i, { features, logits }] of (await Promise.all(reads)).entries()) {
      const n = Math.min(batch, count - i * batch);
      result.features.set(features.subarray(0, n * FEATURES), i * batch * FEATURES);
      for (let j = 0; j < n; j++) {
        const row = logits.subarray(j * classes, (j + 1) * classes);
        const largest = Math.max(...row);
        result.classes[i * batch + j] = row.indexOf(largest);
        const sum = row.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
        result.confidence[i * batch + j] = 1 / sum;
      }
    }
    return result;
  }

  /** A safetensors file of the weights; the metadata has {@linkcode ClassifierFacts}. */
  async toBytes(): Promise<Uint8Array<ArrayBuffer>> {
    const tensors = new Map<string, SafeTensor>();
    for (const [part, { variables }] of Object.entries({ body: this.body, head: this.head })) {
      for (const variable of variables) {
        const data = await variable.read();
        tensors.set(`${part}/${variable.name}`, { dtype: "F32", shape: variable.shape, data });
      }
    }
    const metadata = { classifier: JSON.stringify(this.facts) };
    return encodeSafetensors(withChecksums({ tensors, metadata }));
  }

  /**
   * A classifier from the bytes of its file.
   *
   * @param path what messages call the file
   * @throws {CheckpointError} when it is damaged, or no classifier.
   */
  static fromBytes(gpu: Gpu, bytes: Uint8Array, path: string): Classifier {
    const { facts, tensors } = decodeClassifier(bytes, path);
    const weights = { path, called: (name: string) => name, tensors };
    return new Classifier(gpu, facts, {
      weights: (name, shape) => weightData(weights, name, shape),
    });
  }

  /** Frees its weights and programs. */
  [Symbol.dispose](): void {
    for (const { program } of this.#programs.values()) program[Symbol.dispose]();
    this.#programs.clear();
    this.body.dispose();
    this.head.dispose();
  }
}

/**
 * What the file of a classifier holds; whether its tensors are those of the network is left to
 * {@linkcode Classifier.fromBytes}.
 *
 * Array buffers made: the values, at most the file's bytes.
 *
 * @throws {CheckpointError} when it is damaged, or no classifier.
 */
export function decodeClassifier(bytes: Uint8Array, path: string) {
  const file = decodeSafetensors(bytes, path);
  requireChecksums(file, path);
  return { facts: requireFacts(file.metadata.classifier, path), tensors: file.tensors };
}

/** Largest side of an image that a file may name: the network is made from it. */
const MOST = 4096;

function requireFacts(text: string | undefined, path: string): ClassifierFacts {
  const refuse = (what: string): never => {
    throw new CheckpointError(`${path} ${what}. Leave out \`classifier\` (--classifier)`);
  };
  if (text === undefined) return refuse("is a safetensors file, but not a classifier");
  let facts: Partial<ClassifierFacts> | undefined;
  try {
    const parsed = parseJSON(text);
    if (isObject(parsed)) facts = parsed;
  } catch (cause) {
    refuse(`is no classifier: its metadata ${(cause as Error).message}`);
  }
  const isSize = (n: unknown, most: number) =>
    Number.isSafeInteger(n) && (n as number) >= 1 && (n as number) <= most;
  const { image, classes, dataset, accuracy, images, made } = facts ?? {};
  const isValid = Array.isArray(image) && image.length === 3 &&
    image.every((n) => isSize(n, MOST)) && isSize(classes, 256) && typeof dataset === "string" &&
    typeof accuracy === "number" && accuracy >= 0 && accuracy <= 1 && typeof made === "string" &&
    Array.isArray(images) &&
    images.every((each) => typeof each === "string");
  if (!isValid) refuse(`is no classifier: its metadata is ${quote(text)}`);
  return facts as ClassifierFacts;
}

/** The shape of a data set's images. */
export function imageOf(
  { height, width, channels }: Omit<Dataset, "images">,
): ClassifierFacts["image"] {
  return [height, width, channels];
}

/** Images of a data set on [-1, 1], those at the given places. */
export function realImages(dataset: Dataset, indices: ArrayLike<number>): Float32Array {
  const size = sizeOf(imageOf(dataset));
  const images = new Float32Array(indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * size;
    for (let j = 0; j < size; j++) images[i * size + j] = dataset.images[from + j] / 127.5 - 1;
  }
  return images;
}

/** A data set with a label for each image. */
export type Labeled = Dataset & { readonly labels: Uint8Array };

/** Whether a data set has labels of two classes at least. */
export function isLabeled<D extends Pick<Dataset, "labels">>(
  dataset: D,
): dataset is D & { readonly labels: Uint8Array } {
  const { labels = new Uint8Array() } = dataset;
  return labels.some((label) => label !== labels[0]);
}

/** The fraction of a data set's images at these places whose label the classifier finds. */
export async function accuracyOf(
  classifier: Classifier,
  dataset: Labeled,
  indices: readonly number[],
): Promise<number> {
  let right = 0;
  for (let at = 0; at < indices.length; at += 1000) {
    const part = indices.slice(at, at + 1000);
    const { classes } = await classifier.look(realImages(dataset, part));
    part.forEach((index, i) => right += classes[i] === dataset.labels[index] ? 1 : 0);
  }
  return right / indices.length;
}
