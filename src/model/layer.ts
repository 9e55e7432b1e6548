/** What a layer is. */

import type { TensorLike } from "../graph/graph.ts";
import type { Shape, Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import type { RandomOptions } from "../ops/random.ts";

/**
 * How a weight starts: Glorot uniform with its fans (Glorot and Bengio 2010), uniform on ±limit, or a
 * constant.
 */
export type Initializer =
  | { readonly kind: "glorotUniform"; readonly fanIn: number; readonly fanOut: number }
  | { readonly kind: "uniform"; readonly limit: number }
  | { readonly kind: "constant"; readonly value: number };

/** A weight that a layer needs. */
export interface WeightSpec {
  /** Keras' name: kernel, bias, gamma, ... */
  readonly name: string;
  /** Sizes of its axes. */
  readonly shape: Shape;
  /** Its first values. */
  readonly initializer: Initializer;
  /** Whether an optimizer may change it. */
  readonly trainable: boolean;
}

/** What a layer is called with: how, and where the random numbers of dropout come from. */
export interface CallOptions extends RandomOptions {
  /** True: batch statistics and dropout. False: moving statistics and no dropout. */
  readonly training: boolean;
  /** Class of each sample, u32 [batch], for a model with classes; values from 0 to classes - 1. */
  readonly labels?: TensorLike;
  /**
   * Momentum of moving statistics in a training call, [1], in place of the layers' own: 0 makes them
   * those of this batch.
   */
  readonly momentum?: Tensor;
}

/** A layer for inputs of one shape. All shapes are those of one sample, without the batch axis. */
export interface Layer {
  /** Keras' class name: `Conv2D`. */
  readonly type: string;
  /** Keras' name of the first such layer in a model: `conv2d`. */
  readonly base: string;
  /** Keras' settings of the layer, under the names that Keras' `get_config` gives them. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Shape of the output. */
  readonly outputShape: Shape;
  /** In Keras' order. */
  readonly weights: readonly WeightSpec[];
  /** How many classes it knows, for a layer that reads labels. */
  readonly classes?: number;
  /** Records the layer; `weights` in the order of {@linkcode Layer.weights}. */
  call(x: Tensor, weights: readonly Variable[], options: CallOptions): Tensor;
}

/** Makes a layer once the shape of its input is known. */
export type LayerFactory = (inputShape: Shape) => Layer;
