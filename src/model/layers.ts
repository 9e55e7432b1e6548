/**
 * Layers with Keras' names, defaults and weight layouts, for {@linkcode Sequential}.
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [784], [
 *   layers.reshape([28, 28, 1]),
 *   layers.conv2D(8, { kernelSize: 5, strides: 2, padding: "same" }), // [14, 14, 8]
 *   layers.batchNormalization({ momentum: 0.9 }),
 *   layers.leakyReLU(0.2),
 *   layers.dropout(0.3),
 *   layers.conv2DTranspose(4, { kernelSize: 4, strides: 2, padding: "same" }), // [28, 28, 4]
 *   layers.relu(),
 *   layers.flatten(),
 *   layers.dense(10, { useBias: false }),
 *   layers.activation("sigmoid"),
 * ]);
 * console.log(network.outputShape); // [ 10 ]
 * console.log(network.parameterCount.total); // 32116
 * ```
 *
 * @module
 */

import { type Shape, show, sizeOf, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { type ConvOptions, normalizePadding, padAxis } from "../ops/gemm/geometry.ts";
import * as ops from "../ops/mod.ts";
import { type Fans, glorotUniform, type KernelInitializer, tapsAlong } from "./initializers.ts";
import type { Layer, LayerFactory, WeightSpec } from "./layer.ts";
import { requireCount, requireOneOf } from "./validate.ts";

export { heUniform } from "./initializers.ts";
export type { Fans, KernelInitializer } from "./initializers.ts";
export { classEmbedding, classProjection } from "./labels.ts";

/** A function that a layer applies to each value of its output; "linear" changes nothing. */
export type Activation = "linear" | "relu" | "sigmoid" | "tanh";

const ACTIVATIONS: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  linear: (x) => x,
  relu: ops.relu,
  sigmoid: ops.sigmoid,
  tanh: ops.tanh,
};

/** Refuses names of activations that are unknown. */
function requireActivation(name: Activation): void {
  requireOneOf("activation", name, Object.keys(ACTIVATIONS));
}

/** Refuses samples with another number of axes than the layer takes. */
function requireAxes(layer: string, inputShape: Shape, axes: readonly string[], advice: string) {
  if (inputShape.length === axes.length) return;
  throw new TypeError(
    `${layer} takes samples [${axes.join(", ")}], got ${show(inputShape)}: ${advice}`,
  );
}

/** A weight that starts from one value. */
function constant(name: string, shape: Shape, value: number, trainable = true): WeightSpec {
  return { name, shape, initializer: { kind: "constant", value }, trainable };
}

/** @param terms as in {@linkcode Fans} */
function kernelAndBias(
  kernel: Shape,
  out: number,
  { useBias = true, initializer = glorotUniform }: DenseOptions,
  terms: number,
): WeightSpec[] {
  // Keras' fans: the receptive field times each of the last two axes.
  const field = sizeOf(kernel.slice(0, -2));
  const [fanIn, fanOut] = kernel.slice(-2).map((n) => n * field);
  const fans: Fans = { fanIn, fanOut, terms };
  const weight = { name: "kernel", shape: kernel, initializer: initializer(fans), trainable: true };
  return useBias ? [weight, constant("bias", [out], 0)] : [weight];
}

function finish(y: Tensor, bias: Variable | undefined, activation: Activation): Tensor {
  return ACTIVATIONS[activation](bias ? ops.add(y, bias) : y);
}

/** Options of {@linkcode dense}. */
export interface DenseOptions {
  /** Whether a bias is added. Default true. */
  readonly useBias?: boolean;
  /** Applied to the output. Default "linear". */
  readonly activation?: Activation;
  /** How the kernel starts. Default Glorot uniform, as in Keras. */
  readonly initializer?: KernelInitializer;
}

/**
 * Dense layer (Keras' Dense): [size] to [units], with a kernel [size, units] and a bias [units].
 *
 * @throws {RangeError} when `units` is not a whole number of at least 1.
 * @throws {TypeError} from the model, when a sample has more than one axis.
 */
export function dense(
  units: number,
  options: DenseOptions = {},
): LayerFactory {
  const { useBias = true, activation = "linear" } = options;
  requireCount("units", units);
  requireActivation(activation);
  return (inputShape) => {
    requireAxes("dense", inputShape, ["size"], "put flatten() before it");
    return {
      type: "Dense",
      base: "dense",
      config: { units, activation, use_bias: useBias },
      outputShape: [units],
      weights: kernelAndBias([inputShape[0], units], units, options, inputShape[0]),
      call: (x, [kernel, bias]) => finish(ops.matmul(x, kernel), bias, activation),
    };
  };
}

/** Options of {@linkcode conv2D} and {@linkcode conv2DTranspose}. */
export interface ConvLayerOptions extends DenseOptions, ConvOptions {
  /** Height and width of the kernel: one number for both, or a pair. */
  readonly kernelSize: number | readonly [number, number];
}

/** Height and width from one number for both, or a pair; refuses anything but counts. */
function pair(name: string, value: number | readonly [number, number]): readonly [number, number] {
  const [height, width] = typeof value === "number" ? [value, value] : value;
  for (const n of [height, width]) requireCount(name, n);
  return [height, width];
}

function convLayer(
  name: "conv2D" | "conv2DTranspose",
  filters: number,
  options: ConvLayerOptions,
): LayerFactory {
  const { useBias = true, activation = "linear" } = options;
  requireCount("filters", filters);
  const kernelSize = pair("kernelSize", options.kernelSize);
  const strides = pair("strides", options.strides ?? 1);
  const padding = normalizePadding(options.padding);
  requireActivation(activation);
  const transposed = name === "conv2DTranspose";
  const sizeOut = (size: number, axis: number) => {
    const [kernel, stride] = [kernelSize[axis], strides[axis]];
    if (!transposed) return padAxis(size, kernel, stride, padding).small;
    return size * stride + (padding === "same" ? 0 : Math.max(kernel - stride, 0));
  };
  const taps = (size: number, axis: number) => {
    const out = sizeOut(size, axis);
    const large = transposed ? out : size;
    return tapsAlong(large, kernelSize[axis], strides[axis], padding) / out;
  };
  const op = transposed ? ops.conv2dTranspose : ops.conv2d;
  const window = { kernel_size: kernelSize, strides, padding, data_format: "channels_last" };
  const dilation = transposed ? {} : { dilation_rate: [1, 1] };
  return (inputShape) => {
    const axes = ["height", "width", "channels"];
    requireAxes(name, inputShape, axes, "put reshape([height, width, channels]) before it");
    const [height, width, channels] = inputShape;
    const ends = transposed ? [filters, channels] : [channels, filters];
    const terms = channels * taps(height, 0) * taps(width, 1);
    return {
      type: transposed ? "Conv2DTranspose" : "Conv2D",
      base: transposed ? "conv2d_transpose" : "conv2d",
      config: { filters, ...window, activation, use_bias: useBias, ...dilation },
      outputShape: [...inputShape.slice(0, 2).map(sizeOut), filters],
      weights: kernelAndBias([...kernelSize, ...ends], filters, options, terms),
      call: (x, [kernel, bias]) => finish(op(x, kernel, { strides, padding }), bias, activation),
    };
  };
}

/**
 * Convolution (Keras' Conv2D): [height, width, channels] to [h, w, filters], with a kernel
 * [kh, kw, channels, filters] and a bias [filters]. With padding "same" h is height / stride rounded
 * up, with "valid" (height - kh) / stride + 1 rounded down.
 *
 * @throws {RangeError} when an option is out of range.
 * @throws {TypeError} from the model, when a sample has not three axes or is smaller than the kernel.
 */
export function conv2D(filters: number, options: ConvLayerOptions): LayerFactory {
  return convLayer("conv2D", filters, options);
}

/**
 * Transposed convolution (Keras' Conv2DTranspose): [height, width, channels] to [h, w, filters], with
 * a kernel [kh, kw, filters, channels] and a bias [filters]. With padding "same" h is
 * height * stride, with "valid" height * stride + max(kh - stride, 0).
 *
 * @throws {RangeError} when an option is out of range.
 * @throws {TypeError} from the model, when a sample has not three axes.
 */
export function conv2DTranspose(filters: number, options: ConvLayerOptions): LayerFactory {
  return convLayer("conv2DTranspose", filters, options);
}

/**
 * Batch normalization over the last axis (Keras' BatchNormalization). A training call normalizes by
 * the batch's mean and biased variance, and moves `moving_mean` and `moving_variance` toward them. An
 * inference call normalizes by `moving_mean` and `moving_variance`.
 *
 * @param options A training call moves a statistic `m` to `momentum * m + (1 - momentum) * now` (default
 *   0.99). `epsilon` (default 1e-3) is added to the variance.
 * @throws {RangeError} when `momentum` is not from 0 to 1, or `epsilon` not above 0.
 */
export function batchNormalization({ momentum = 0.99, epsilon = 1e-3 } = {}): LayerFactory {
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new RangeError(`momentum must be from 0 to 1, got ${momentum}`);
  }
  if (!(epsilon > 0 && epsilon < Infinity)) {
    throw new RangeError(`epsilon must be a number above 0, got ${epsilon}`);
  }
  return (inputShape) => {
    const shape = inputShape.slice(-1);
    const move = (moving: Variable, now: Tensor, given: Tensor | undefined) => {
      const [kept, added] = given ? [given, ops.sub(1, given)] : [momentum, 1 - momentum];
      ops.assign(moving, ops.add(ops.mul(moving, kept), ops.mul(now, added)));
    };
    return {
      type: "BatchNormalization",
      base: "batch_normalization",
      config: { axis: -1, momentum, epsilon, center: true, scale: true },
      outputShape: inputShape,
      weights: [
        constant("gamma", shape, 1),
        constant("beta", shape, 0),
        constant("moving_mean", shape, 0, false),
        constant("moving_variance", shape, 1, false),
      ],
      call(x, [gamma, beta, movingMean, movingVariance], { training, momentum: given }) {
        if (!training) {
          return ops.batchNormInference(x, gamma, beta, movingMean, movingVariance, { epsilon });
        }
        const { y, mean, variance } = ops.batchNorm(x, gamma, beta, { epsilon });
        move(movingMean, mean, given);
        move(movingVariance, variance, given);
        return y;
      },
    };
  };
}

/** A layer without weights that keeps the shape. */
const simple =
  (type: string, base: string, config: Layer["config"], call: Layer["call"]): LayerFactory =>
  (outputShape) => ({ type, base, config, outputShape, weights: [], call });

/** Default slope of a LeakyReLU: Keras' one. */
export const SLOPE = 0.3;

/** Leaky rectifier (Keras' LeakyReLU): x where it is positive, `slope` times x elsewhere. */
export function leakyReLU(slope: number = SLOPE): LayerFactory {
  return simple("LeakyReLU", "leaky_re_lu", { alpha: slope }, (x) => ops.leakyRelu(x, slope));
}

/** Rectifier (Keras' ReLU): x where it is positive, 0 elsewhere. */
export function relu(): LayerFactory {
  const config = { max_value: null, negative_slope: 0, threshold: 0 };
  return simple("ReLU", "re_lu", config, ops.relu);
}

/**
 * A function of each value (Keras' Activation).
 *
 * @throws {RangeError} when the name is unknown.
 */
export function activation(name: Activation): LayerFactory {
  requireActivation(name);
  return simple("Activation", "activation", { activation: name }, ACTIVATIONS[name]);
}

/**
 * Dropout (Keras' Dropout). A training call sets the fraction `rate` of the values, chosen at random,
 * to 0 and multiplies the others by 1 / (1 - rate). An inference call changes nothing.
 *
 * @throws {RangeError} when `rate` is not at least 0 and below 1.
 */
export function dropout(rate: number): LayerFactory {
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`dropout must be at least 0 and below 1, got ${rate}`);
  }
  const call: Layer["call"] = (x, _weights, { training, seed, state }) =>
    training ? ops.dropout(x, rate, { seed, state }) : x;
  return simple("Dropout", "dropout", { rate }, call);
}

/**
 * Gives each sample another shape of the same size (Keras' Reshape).
 *
 * @throws {TypeError} from the model, when the sizes differ.
 */
export function reshape(shape: Shape): LayerFactory {
  return (inputShape) => {
    if (sizeOf(shape) !== sizeOf(inputShape)) {
      throw new TypeError(
        `Cannot reshape samples ${show(inputShape)} of ${sizeOf(inputShape)} values to ` +
          `${show(shape)} of ${sizeOf(shape)}: give a shape of as many values`,
      );
    }
    const call: Layer["call"] = (x) => ops.reshape(x, [x.shape[0], ...shape]);
    return simple("Reshape", "reshape", { target_shape: [...shape] }, call)(shape);
  };
}

/** Makes each sample one row of values (Keras' Flatten). */
export function flatten(): LayerFactory {
  return (inputShape) => ({
    ...reshape([sizeOf(inputShape)])(inputShape),
    type: "Flatten",
    base: "flatten",
    config: {},
  });
}
