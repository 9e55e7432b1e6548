/**
 * A model as what writes it to a file sees it: layers in their order, with the values of their
 * weights, and no device.
 *
 * @module
 */

import type { Shape } from "../graph/tensor.ts";
import type { NamedLayer } from "./topology.ts";

/** One layer. */
export interface LayerParts extends NamedLayer {
  /** In the order of the layer's own weights. */
  readonly data: readonly Float32Array<ArrayBuffer>[];
}

/** A model. */
export interface ModelParts {
  /** What it is: `generator`. */
  readonly name: string;
  /** What goes in and comes out: `noise`, `images`. */
  readonly ends: readonly [input: string, output: string];
  /** Shapes of one sample. */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly layers: readonly LayerParts[];
}

/** All weights by name, `dense/kernel`. */
export function weightsOf({ layers }: ModelParts) {
  return layers.flatMap(({ name, layer, data }) =>
    layer.weights.map((weight, i) => ({
      name: `${name}/${weight.name}`,
      shape: weight.shape,
      data: data[i],
    }))
  );
}
