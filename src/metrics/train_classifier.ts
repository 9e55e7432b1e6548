/** Training the network through whose eyes images are compared. */

import { sha256 } from "../formats/sha256.ts";
import type { Gpu } from "../graph/gpu.ts";
import { permutation, RandomSequence, STREAM } from "../model/threefry.ts";
import * as ops from "../ops/mod.ts";
import { grad } from "../ops/grad.ts";
import { Adam } from "../optim/adam.ts";
import { VERSION } from "../version.ts";
import {
  accuracyOf,
  Classifier,
  type ClassifierFacts,
  imageOf,
  type Labeled,
  realImages,
} from "./classifier.ts";

/** Options of {@linkcode trainClassifier}. */
export interface TrainClassifierOptions {
  /** What the data set is called. */
  readonly name: string;
  /** Images that it is not trained on, to measure its accuracy. Default: every tenth of the data set. */
  readonly test?: Labeled;
  /** Batches to train. Default: five epochs, and at least 500. */
  readonly steps?: number;
  /** Of weights, order, shifts and dropout. Default 0. */
  readonly seed?: number;
  /** Called after every 100 steps, and after the last. */
  readonly onProgress?: (progress: { step: number; steps: number; loss: number }) => void;
  /** Stops the training; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

const BATCH = 128;
const LEARNING_RATE = 2e-3;

/**
 * Trains a classifier on a data set's labels: Adam, whose rate falls linearly to 0, batches of 128
 * images that are shifted by up to a fourteenth of their size, dropout before the last layer. The same
 * seed gives the same bits on the same adapter.
 */
export async function trainClassifier(
  gpu: Gpu,
  dataset: Labeled,
  options: TrainClassifierOptions,
): Promise<Classifier> {
  const { name, test, seed = 0, onProgress = () => {}, signal } = options;
  const { labels } = dataset;
  const classes = labels.reduce((most, label) => Math.max(most, label), 0) + 1;
  const all = Array.from(labels, (_, i) => i);
  // Of the whole set, which may be sorted.
  const isUnseen = (i: number) => i % 10 === 0;
  const seen = test ? all : all.filter((i) => !isUnseen(i));
  const steps = options.steps ?? Math.max(500, Math.ceil(5 * seen.length / BATCH));
  const image = imageOf(dataset);
  const made = `@dcgan/webgpu ${VERSION}, ${steps} steps of ${BATCH} images, seed ${seed}`;
  const images = [await sha256(dataset.images), ...test ? [await sha256(test.images)] : []];
  const facts = { dataset: name, image, classes, images, made };
  const classifier = new Classifier(gpu, facts, { seed });
  const { body, head } = classifier;
  const adams = [body, head].map(({ trainableVariables }) =>
    new Adam(gpu, trainableVariables, { learningRate: LEARNING_RATE })
  );
  const counters = { name: "random", dtype: "u32", trainable: false } as const;
  const state = gpu.variable([2], [seed, 0], counters);
  const program = gpu.compile(
    { x: [BATCH, ...image], labels: [BATCH, classes] },
    ({ x, labels }) => {
      const features = body.call(x, { training: true, state });
      const logits = head.call(features, { training: true, state });
      const loss = ops.mean(ops.softmaxCrossEntropyWithLogits(logits, labels));
      const variables = adams.flatMap((adam) => adam.variables);
      const gradients = grad(loss, variables);
      const ofBody = adams[0].variables.length;
      adams[0].apply(gradients.slice(0, ofBody));
      adams[1].apply(gradients.slice(ofBody));
      return { loss };
    },
    { label: "training of a classifier" },
  );
  try {
    const random = new RandomSequence(seed, STREAM.classifierOrder);
    let order = new Uint32Array();
    for (let step = 0, at = 0; step < steps; step++) {
      const batch = new Uint32Array(BATCH);
      for (let i = 0; i < BATCH; i++, at++) {
        if (at >= order.length) [order, at] = [permutation(seen.length, random), 0];
        batch[i] = seen[order[at]];
      }
      const oneHot = new Float32Array(BATCH * classes);
      batch.forEach((index, i) => oneHot[i * classes + labels[index]] = 1);
      program.run({ x: shifted(realImages(dataset, batch), image, random), labels: oneHot });
      if ((step + 1) % 100 && step + 1 < steps) continue;
      const [loss] = (await program.read("loss")).loss;
      signal?.throwIfAborted();
      onProgress({ step: step + 1, steps, loss });
      for (const { state } of adams) {
        const [t, first, second] = await state.read();
        state.write([t, first, second, LEARNING_RATE * (1 - (step + 1) / steps)]);
      }
    }
    const unseen = test ? Array.from({ length: test.count }, (_, i) => i) : all.filter(isUnseen);
    const accuracy = await accuracyOf(classifier, test ?? dataset, unseen);
    classifier.facts = { ...facts, accuracy };
    return classifier;
  } catch (error) {
    classifier[Symbol.dispose]();
    throw error;
  } finally {
    program[Symbol.dispose]();
    for (const adam of adams) adam.dispose();
    state.dispose();
  }
}

/** Images moved by up to a fourteenth of their size; what comes in from outside repeats the border. */
function shifted(
  images: Float32Array,
  [height, width, channels]: ClassifierFacts["image"],
  random: RandomSequence,
): Float32Array {
  const moved = new Float32Array(images.length);
  const most = Math.round(Math.max(height, width) / 14);
  const size = height * width * channels;
  const within = (at: number, length: number) => Math.max(0, Math.min(length - 1, at));
  for (let from = 0; from < images.length; from += size) {
    const [down, right] = [random.below(2 * most + 1) - most, random.below(2 * most + 1) - most];
    let to = from;
    for (let y = 0; y < height; y++) {
      const row = from + within(y + down, height) * width * channels;
      for (let x = 0; x < width; x++) {
        const pixel = row + within(x + right, width) * channels;
        for (let c = 0; c < channels; c++) moved[to++] = images[pixel + c];
      }
    }
  }
  return moved;
}
