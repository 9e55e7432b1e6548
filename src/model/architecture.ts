/**
 * A stack of layers without its weights: what can be said of a model before there is a device.
 *
 * @module
 */

import { type Shape, sizeOf } from "../graph/tensor.ts";
import type { Layer, LayerFactory } from "./layers.ts";
import { summaryTable } from "./summary.ts";
import { layerNames, type NamedLayer } from "./topology.ts";

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

/** Lines layers up: each gets its input's shape, and a name as Keras counts them. */
export function architecture(
  name: string,
  inputShape: Shape,
  factories: readonly LayerFactory[],
): Architecture {
  let outputShape = inputShape;
  const layers = factories.map((factory) => {
    const layer = factory(outputShape);
    outputShape = layer.outputShape;
    return layer;
  });
  const names = layerNames(layers.map(({ base }) => base));
  return {
    name,
    inputShape,
    outputShape,
    layers: layers.map((layer, i) => ({ name: names[i], layer })),
  };
}

/** Number of weights of a layer. */
export function weightsOf({ weights }: Layer): number {
  return weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Number of weights of a model, all and trainable. */
export function parameterCount(
  { layers }: Architecture,
): { readonly total: number; readonly trainable: number } {
  const weights = layers.flatMap(({ layer }) => layer.weights);
  const count = (list: typeof weights) => list.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { total: count(weights), trainable: count(weights.filter((w) => w.trainable)) };
}

/** `(None, 28, 28, 1)`: a shape with the batch axis, as Keras writes it. */
export function batchShape(shape: Shape): string {
  return `(None, ${shape.join(", ")})`;
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
  const rows = model.layers.map(({ name, layer }) => ({
    layer: `${name} (${layer.type})`,
    shape: batchShape(layer.outputShape),
    parameters: weightsOf(layer),
  }));
  return summaryTable(model.name, rows, parameterCount(model));
}
