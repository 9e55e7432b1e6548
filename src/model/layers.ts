/**
 * Layers, with Keras' defaults, names and weight layouts.
 *
 * @module
 */

import { currentGraph } from "../graph/graph.ts";
import { type Shape, show, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { add, mul } from "../ops/arithmetic.ts";
import { assign } from "../ops/state.ts";
import { batchNorm, batchNormInference } from "../ops/batchNorm.ts";
import { conv2d, conv2dTranspose } from "../ops/conv.ts";
import * as dropoutOp from "../ops/random.ts";
import * as leakyReluOp from "../ops/math.ts";
import { matmul } from "../ops/matmul.ts";
import type { RandomOptions } from "../ops/random.ts";
import * as reshapeOp from "../ops/shape.ts";
import { tanh } from "../ops/math.ts";

/** How a weight starts: Glorot uniform with its fans, or a constant. */
export type Initializer =
  | { readonly kind: "glorotUniform"; readonly fanIn: number; readonly fanOut: number }
  | { readonly kind: "constant"; readonly value: number };

/** A weight that a layer needs. */
export interface WeightSpec {
  /** Keras' name: kernel, bias, gamma, ... */
  readonly name: string;
  /** Sizes of its axes. */
  readonly shape: Shape;
  /** Its first value. */
  readonly initializer: Initializer;
  /** Whether an optimizer may change it. */
  readonly trainable: boolean;
}

/** What a layer is called with. */
export interface CallOptions extends RandomOptions {
  /** Batch statistics and dropout (true), or moving statistics and none (false). */
  readonly training: boolean;
}

/** A layer for inputs of one shape, without the batch axis. */
export interface Layer {
  /** Keras' class name. */
  readonly type: string;
  /** What the layer's own name begins with. */
  readonly base: string;
  /** Keras' settings of the layer, under the names that Keras' `get_config` gives them. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Shape of the output, without the batch axis. */
  readonly outputShape: Shape;
  /** In Keras' order. */
  readonly weights: readonly WeightSpec[];
  /** Records the layer; `weights` in the order of {@linkcode Layer.weights}. */
  call(x: Tensor, weights: readonly Variable[], options: CallOptions): Tensor;
}

/** Makes a layer once the shape of its input is known. */
export type LayerFactory = (inputShape: Shape) => Layer;

const constant = (value: number): Initializer => ({ kind: "constant", value });

function kernelAndBias(kernel: Shape, out: number, useBias: boolean): WeightSpec[] {
  // Keras' fans: the receptive field times each of the last two axes.
  const field = kernel.slice(0, -2).reduce((a, b) => a * b, 1);
  const [fanIn, fanOut] = kernel.slice(-2).map((n) => n * field);
  const initializer: Initializer = { kind: "glorotUniform", fanIn, fanOut };
  const specs: WeightSpec[] = [{ name: "kernel", shape: kernel, initializer, trainable: true }];
  if (useBias) {
    specs.push({ name: "bias", shape: [out], initializer: constant(0), trainable: true });
  }
  return specs;
}

const plusBias = (y: Tensor, bias: Variable | undefined) => bias ? add(y, bias) : y;

/** x * kernel + bias for x [batch, in]; kernel [in, units]. */
export function dense(units: number, { useBias = true } = {}): LayerFactory {
  return ([size]) => ({
    type: "Dense",
    base: "dense",
    config: { units, activation: "linear", use_bias: useBias },
    outputShape: [units],
    weights: kernelAndBias([size, units], units, useBias),
    call: (x, [kernel, bias]) => plusBias(matmul(x, kernel), bias),
  });
}

/** Options of the two convolution layers. */
export interface ConvLayerOptions {
  readonly kernelSize: number;
  readonly strides: number;
  readonly useBias?: boolean;
  /** Applied to the output. Default none. */
  readonly activation?: "tanh";
}

function convConfig(filters: number, options: ConvLayerOptions) {
  const { kernelSize: k, strides, useBias = true, activation = "linear" } = options;
  return {
    filters,
    kernel_size: [k, k],
    strides: [strides, strides],
    padding: "same",
    data_format: "channels_last",
    activation,
    use_bias: useBias,
  };
}

const activate = (y: Tensor, activation?: "tanh") => activation ? tanh(y) : y;

/** Convolution with padding "same"; kernel [k, k, in, filters]. */
export function conv2D(filters: number, options: ConvLayerOptions): LayerFactory {
  const { kernelSize: k, strides, useBias = true, activation } = options;
  return ([height, width, channels]) => ({
    type: "Conv2D",
    base: "conv2d",
    config: { ...convConfig(filters, options), dilation_rate: [1, 1] },
    outputShape: [Math.ceil(height / strides), Math.ceil(width / strides), filters],
    weights: kernelAndBias([k, k, channels, filters], filters, useBias),
    call: (x, [kernel, bias]) =>
      activate(plusBias(conv2d(x, kernel, { strides, padding: "same" }), bias), activation),
  });
}

/** Transposed convolution with padding "same"; kernel [k, k, filters, in]. */
export function conv2DTranspose(filters: number, options: ConvLayerOptions): LayerFactory {
  const { kernelSize: k, strides, useBias = true, activation } = options;
  return ([height, width, channels]) => ({
    type: "Conv2DTranspose",
    base: "conv2d_transpose",
    config: convConfig(filters, options),
    outputShape: [height * strides, width * strides, filters],
    weights: kernelAndBias([k, k, filters, channels], filters, useBias),
    call: (x, [kernel, bias]) =>
      activate(
        plusBias(conv2dTranspose(x, kernel, { strides, padding: "same" }), bias),
        activation,
      ),
  });
}

/** Batch normalization over the last axis: momentum 0.99, epsilon 1e-3. */
export function batchNormalization({ momentum = 0.99, epsilon = 1e-3 } = {}): LayerFactory {
  return (inputShape) => {
    const shape = [inputShape[inputShape.length - 1]];
    const weight = (name: string, value: number, trainable: boolean): WeightSpec => ({
      name,
      shape,
      initializer: constant(value),
      trainable,
    });
    const move = (moving: Variable, now: Tensor) =>
      assign(moving, add(mul(moving, momentum), mul(now, 1 - momentum)));
    return {
      type: "BatchNormalization",
      base: "batch_normalization",
      config: { axis: -1, momentum, epsilon, center: true, scale: true },
      outputShape: inputShape,
      weights: [
        weight("gamma", 1, true),
        weight("beta", 0, true),
        weight("moving_mean", 0, false),
        weight("moving_variance", 1, false),
      ],
      call(x, [gamma, beta, movingMean, movingVariance], { training }) {
        if (!training) {
          return batchNormInference(x, gamma, beta, movingMean, movingVariance, { epsilon });
        }
        const { y, mean, variance } = batchNorm(x, gamma, beta, { epsilon });
        move(movingMean, mean);
        move(movingVariance, variance);
        return y;
      },
    };
  };
}

/** Leaky rectifier; slope 0.3 is Keras' default and the tutorial's. */
export function leakyReLU(slope = 0.3): LayerFactory {
  return (outputShape) => ({
    type: "LeakyReLU",
    base: "leaky_re_lu",
    config: { alpha: slope },
    outputShape,
    weights: [],
    call: (x) => leakyReluOp.leakyRelu(x, slope),
  });
}

/** Dropout in training, nothing in inference. */
export function dropout(rate: number): LayerFactory {
  return (outputShape) => ({
    type: "Dropout",
    base: "dropout",
    config: { rate },
    outputShape,
    weights: [],
    call: (x, _weights, { training, ...random }) =>
      training ? dropoutOp.dropout(x, rate, random) : x,
  });
}

/** Another shape for each sample. */
export function reshape(shape: Shape): LayerFactory {
  return () => ({
    type: "Reshape",
    base: "reshape",
    config: { target_shape: [...shape] },
    outputShape: shape,
    weights: [],
    call: (x) => reshapeOp.reshape(x, [x.shape[0], ...shape]),
  });
}

/** Each sample as one row. */
export function flatten(): LayerFactory {
  return (inputShape) => {
    const size = inputShape.reduce((a, b) => a * b, 1);
    return {
      type: "Flatten",
      base: "flatten",
      config: {},
      outputShape: [size],
      weights: [],
      call: (x) => reshapeOp.reshape(x, [x.shape[0], size]),
    };
  };
}

/** Refuses inputs whose samples are not of the shape that the model was built for. */
export function requireSamples(x: Tensor, shape: Shape, model: string): void {
  currentGraph();
  if (x.rank !== shape.length + 1 || !shape.every((n, i) => n === x.shape[i + 1])) {
    throw new TypeError(
      `${model} takes [batch, ${shape.join(", ")}], got ${show(x.shape)}`,
    );
  }
}
