/** A stack of layers without its weights: what is known of a model before there is a device. */

import { type Shape, sizeOf, validateShape } from "../graph/tensor.ts";
import type { TfjsWeight } from "../formats/tfjs_model.ts";
import type { Layer, LayerFactory, WeightSpec } from "./layer.ts";

/** A layer with the name that it has in the model. */
export interface NamedLayer {
  /** Keras' name: `dense`, `batch_normalization_1`, ... */
  readonly name: string;
  /** What it computes. */
  readonly layer: Layer;
}

/** The layers of a model, their shapes and their numbers of weights. Needs no device. */
export interface Architecture {
  /** Name of the model. */
  readonly name: string;
  /** Shape of one sample of the input, without the batch axis. */
  readonly inputShape: Shape;
  /** Shape of one sample of the output, without the batch axis. */
  readonly outputShape: Shape;
  /** In the order in which they are called. */
  readonly layers: readonly NamedLayer[];
}

/** A model with the values of its weights on the host. */
export interface ModelParts extends Architecture {
  /** Names of the input and the output in files: `noise`, `images`. */
  readonly ends: readonly [input: string, output: string];
  /** All weights by their names in the model (`dense/kernel`), in the order of the layers. */
  readonly weights: readonly TfjsWeight[];
}

/** Names of layers in a model as Keras counts them: `dense`, `dense_1`. */
export function layerNames(bases: readonly string[]): string[] {
  return bases.map((base, i) => {
    const before = bases.slice(0, i).filter((each) => each === base).length;
    return before ? `${base}_${before}` : base;
  });
}

/**
 * Gives each layer the shape of its input, and a name as Keras counts them.
 *
 * @throws {TypeError} when a layer does not take the shape that the layer before it gives.
 */
export function architecture(
  name: string,
  inputShape: Shape,
  factories: readonly LayerFactory[],
): Architecture {
  validateShape(inputShape, `The input of the ${name}`);
  let outputShape = inputShape;
  const layers = factories.map((factory) => {
    const layer = factory(outputShape);
    validateShape(layer.outputShape, `The output of ${layer.type} in the ${name}`);
    outputShape = layer.outputShape;
    return layer;
  });
  const names = layerNames(layers.map(({ base }) => base));
  const named = layers.map((layer, i) => ({ name: names[i], layer }));
  return { name, inputShape, outputShape, layers: named };
}

/** All weights of a model by their names in it: `dense/kernel`. */
export function weightSpecs({ layers }: Pick<Architecture, "layers">): WeightSpec[] {
  return layers.flatMap(({ name, layer }) =>
    layer.weights.map((weight) => ({ ...weight, name: `${name}/${weight.name}` }))
  );
}

/** How many classes the layers of a model know; 0 for a model without. */
export function classesOf({ layers }: Pick<Architecture, "layers">): number {
  return Math.max(0, ...layers.map(({ layer }) => layer.classes ?? 0));
}

/** How many values the weights have in all. */
export function countWeights(weights: readonly WeightSpec[]): number {
  return weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Number of weights of a model, all and trainable. */
export function parameterCount(model: Architecture) {
  const weights = weightSpecs(model);
  const trainable = weights.filter((weight) => weight.trainable);
  return { total: countWeights(weights), trainable: countWeights(trainable) };
}

/** `(None, 28, 28, 1)`: a shape with the batch axis, as Keras writes it. */
export function batchShape(shape: Shape): string {
  return `(None, ${shape.join(", ")})`;
}

/** Widths of the summary's columns, after a space. A cell that is too long continues on the next line. */
const COLUMNS = [28, 26, 10];

function row(...cells: readonly (string | number)[]): string {
  const lines: string[] = [];
  let left = cells.map(String);
  while (left.some((cell) => cell)) {
    const fits = left.map((cell, i) => cell.slice(0, COLUMNS[i] - 2));
    lines.push(` ${fits.map((cell, i) => cell.padEnd(COLUMNS[i])).join("")}`.trimEnd());
    left = left.map((cell, i) => cell.slice(COLUMNS[i] - 2));
  }
  return lines.join("\n");
}

function memory(parameters: number): string {
  if (parameters === 0) return "0.00 Byte";
  const kilobytes = parameters * 4 / 1024;
  return kilobytes < 1024 ? `${kilobytes.toFixed(2)} KB` : `${(kilobytes / 1024).toFixed(2)} MB`;
}

/**
 * The table that Keras prints: each layer, the shape of its output, its number of weights.
 *
 * ```ts
 * import { architectureSummary, generatorArchitecture } from "@dcgan/webgpu";
 *
 * console.log(architectureSummary(generatorArchitecture({ noiseDim: 64 })));
 * ```
 */
export function architectureSummary(model: Architecture): string {
  const { total, trainable } = parameterCount(model);
  const width = COLUMNS.reduce((a, b) => a + b, 1);
  const sum = (what: string, count: number) => `${what}: ${count} (${memory(count)})`;
  return [
    `Model: "${model.name}"`,
    "_".repeat(width),
    row("Layer (type)", "Output Shape", "Param #"),
    "=".repeat(width),
    ...model.layers.map(({ name, layer }) =>
      row(`${name} (${layer.type})`, batchShape(layer.outputShape), countWeights(layer.weights)) +
      "\n"
    ),
    "=".repeat(width),
    sum("Total params", total),
    sum("Trainable params", trainable),
    sum("Non-trainable params", total - trainable),
    "_".repeat(width),
  ].join("\n");
}
