/**
 * Classes of images: the layers that read labels, and labels of a grid.
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const judge = new Sequential(gpu, [8, 8, 1], [
 *   layers.conv2D(4, { kernelSize: 3, strides: 2, initializer: layers.heUniform(1) }),
 *   layers.flatten(),
 *   layers.classProjection(10, layers.heUniform(1)),
 * ]);
 * const noise = new Sequential(gpu, [6], [layers.classEmbedding(10)]);
 * console.log(judge.classes, judge.outputShape, noise.outputShape); // 10 [ 1 ] [ 12 ]
 * const inputs = { x: [2, 8, 8, 1], labels: { shape: [2], dtype: "u32" } } as const;
 * const program = gpu.compile(inputs, ({ x, labels }) => ({
 *   logits: judge.call(x, { training: false, labels }),
 * }));
 * ```
 *
 * @module
 */

import { type TensorLike, toTensor } from "../graph/graph.ts";
import { show, type Tensor } from "../graph/tensor.ts";
import * as ops from "../ops/mod.ts";
import { glorotUniform, heUniform, type KernelInitializer } from "./initializers.ts";
import type { LayerFactory, WeightSpec } from "./layer.ts";
import { requireCount } from "./validate.ts";

const kernel = (name: string, inputs: number, outputs: number, initializer: KernelInitializer) => ({
  name,
  shape: [inputs, outputs],
  initializer: initializer({ fanIn: inputs, fanOut: outputs, terms: inputs }),
  trainable: true,
});

/**
 * Appends to each sample a vector of the sample's class that is learned, as long as the sample
 * (Mirza and Osindero 2014): [size] to [2 * size], with a table [classes, size] whose values start with
 * a variance of 1. The call needs `labels`.
 *
 * @throws {RangeError} when `classes` is not a whole number of at least 1.
 */
export function classEmbedding(classes: number): LayerFactory {
  requireCount("classes", classes);
  return ([size]) => {
    // A row of the table is looked up, not summed: one term.
    const initializer = heUniform(1)({ fanIn: classes, fanOut: size, terms: 1 });
    return {
      type: "ClassEmbedding",
      base: "class_embedding",
      config: { classes },
      classes,
      outputShape: [2 * size],
      weights: [{ name: "embeddings", shape: [classes, size], initializer, trainable: true }],
      call: (x, [table], { labels }) => ops.concat([x, ops.gather(table, labels!)], 1),
    };
  };
}

/**
 * The last layer of a discriminator that judges an image together with its class: the projection of
 * Miyato and Koyama (2018). [size] to one logit, a dense layer's plus the product of the sample with a
 * vector of its class: x . kernel + bias + x . embeddings[label]. The call needs `labels`.
 *
 * @throws {RangeError} when `classes` is not a whole number of at least 1.
 */
export function classProjection(
  classes: number,
  initializer: KernelInitializer = glorotUniform,
): LayerFactory {
  requireCount("classes", classes);
  return ([size]) => ({
    type: "ClassProjection",
    base: "class_projection",
    config: { classes },
    classes,
    outputShape: [1],
    weights: [
      kernel("kernel", size, 1, initializer),
      { name: "bias", shape: [1], initializer: { kind: "constant", value: 0 }, trainable: true },
      // Each sample meets one row of the table.
      { ...kernel("kernel", size, 1, initializer), name: "embeddings", shape: [classes, size] },
    ] satisfies WeightSpec[],
    call(x, [kernel, bias, table], { labels }) {
      const ofClass = ops.sum(ops.mul(x, ops.gather(table, labels!)), 1, true);
      return ops.add(ops.add(ops.matmul(x, kernel), bias), ofClass);
    },
  });
}

/**
 * Refuses labels that a model cannot be called with, or none where it needs them.
 *
 * @param classes of the model; 0 for a model without
 */
export function requireLabels(
  model: string,
  classes: number,
  labels: TensorLike | undefined,
  batch: number,
): Tensor | undefined {
  if (!classes && !labels) return undefined;
  if (!classes) {
    throw new TypeError(`The ${model} has no classes, got labels: make it with { classes }`);
  }
  const needed = `The ${model} takes labels of ${classes} classes, u32 [${batch}]`;
  if (!labels) throw new TypeError(`${needed}, got none: call it with { labels }`);
  const tensor = toTensor(labels, `the labels of the ${model}`);
  if (tensor.dtype !== "u32" || show(tensor.shape) !== show([batch])) {
    throw new TypeError(`${needed}, got ${tensor.dtype} ${show(tensor.shape)}`);
  }
  return tensor;
}

/** Refuses labels that do not name a class of a generator for each of so many images. */
export function requireClasses(labels: ArrayLike<number>, count: number, classes: number): void {
  if (!classes) {
    throw new RangeError(
      `The generator has no classes, got the label ${
        labels[0]
      }: leave it out, or take a generator ` +
        "that was trained with labels",
    );
  }
  if (labels.length !== count) {
    throw new TypeError(`${count} images need ${count} labels, got ${labels.length}`);
  }
  const wrong = Array.from(labels).find((label) =>
    !(Number.isInteger(label) && label >= 0 && label < classes)
  );
  if (wrong === undefined) return;
  throw new RangeError(
    `The generator has the classes 0 to ${classes - 1}, got the label ${wrong}: use one of these`,
  );
}

/** Labels of images in rows: all images of a row are of one class, and the next row is of the next. */
export function gridLabels(
  count: number,
  classes: number,
  columns: number = Math.ceil(Math.sqrt(count)),
): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: count }, (_, i) => Math.floor(i / columns) % classes);
}
