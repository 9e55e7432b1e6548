/**
 * Layers with Keras' names, defaults and weight layouts, for {@linkcode Sequential}.
 *
 * @module
 */

import { type Shape, show, sizeOf, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import * as ops from "../ops/mod.ts";
import { type Activation, ACTIVATIONS, requireActivation } from "./kernel_layers.ts";
import type { Layer, LayerFactory, WeightSpec } from "./layer.ts";

export {
  type Activation,
  conv2D,
  conv2DTranspose,
  type ConvLayerOptions,
  dense,
  type DenseOptions,
} from "./kernel_layers.ts";

/**
 * Batch normalization over the last axis (Keras' BatchNormalization). A training call normalizes by
 * the batch's mean and biased variance and moves `moving_mean` and `moving_variance` towards them; an
 * inference call normalizes by these.
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [3], [layers.batchNormalization({ momentum: 0.9 })]);
 * const program = gpu.compile({ x: [4, 3] }, ({ x }) => ({
 *   y: network.call(x, { training: true }),
 * }));
 * program.run({ x: new Float32Array(12).fill(2) });
 * const [, , mean] = network.variables;
 * console.log(mean.name); // batch_normalization/moving_mean
 * console.log((await mean.read())[0]); // 0.2
 * ```
 *
 * @param options `momentum` (default 0.99) is what a moving statistic keeps of itself in each call;
 *   `epsilon` (default 1e-3) is added to the variance
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
    const weight = (name: string, value: number, trainable: boolean): WeightSpec => ({
      name,
      shape,
      initializer: { kind: "constant", value },
      trainable,
    });
    const move = (moving: Variable, now: Tensor) =>
      ops.assign(moving, ops.add(ops.mul(moving, momentum), ops.mul(now, 1 - momentum)));
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
          return ops.batchNormInference(x, gamma, beta, movingMean, movingVariance, { epsilon });
        }
        const { y, mean, variance } = ops.batchNorm(x, gamma, beta, { epsilon });
        move(movingMean, mean);
        move(movingVariance, variance);
        return y;
      },
    };
  };
}

/** A layer without weights that keeps the shape. */
function simple(
  type: string,
  base: string,
  config: Layer["config"],
  call: Layer["call"],
): LayerFactory {
  return (outputShape) => ({ type, base, config, outputShape, weights: [], call });
}

/**
 * Leaky rectifier (Keras' LeakyReLU): x where it is positive, `slope` times x elsewhere.
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [2], [layers.leakyReLU(0.5), layers.activation("tanh")]);
 * const program = gpu.compile({ x: [1, 2] }, ({ x }) => ({
 *   y: network.call(x, { training: false }),
 * }));
 * program.run({ x: [-2, 0] });
 * console.log((await program.read()).y); // Float32Array(2) [ -0.7615941762924194, 0 ]
 * ```
 *
 * @param slope default 0.3, as in Keras 2
 */
export function leakyReLU(slope = 0.3): LayerFactory {
  return simple("LeakyReLU", "leaky_re_lu", { alpha: slope }, (x) => ops.leakyRelu(x, slope));
}

/** Rectifier (Keras' ReLU): x where it is positive, 0 elsewhere. */
export function relu(): LayerFactory {
  const config = { max_value: null, negative_slope: 0, threshold: 0 };
  return simple("ReLU", "re_lu", config, ops.relu);
}

/**
 * A function of each value (Keras' Activation): "linear", "relu", "sigmoid" or "tanh".
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [2], [layers.dense(3), layers.activation("sigmoid")]);
 * console.log(network.outputShape); // [ 3 ]
 * ```
 *
 * @throws {RangeError} when the name is unknown.
 */
export function activation(name: Activation): LayerFactory {
  requireActivation(name);
  return simple("Activation", "activation", { activation: name }, ACTIVATIONS[name]);
}

/**
 * Dropout (Keras' Dropout). A training call sets a random share `rate` of the values to 0 and
 * multiplies the others by 1 / (1 - rate); an inference call changes nothing.
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [1000], [layers.dropout(0.5)]);
 * const program = gpu.compile({ x: [1, 1000] }, ({ x }) => ({
 *   y: network.call(x, { training: true, seed: 1 }),
 * }));
 * program.run({ x: new Float32Array(1000).fill(1) });
 * const { y } = await program.read();
 * console.log(y.every((value) => value === 0 || value === 2)); // true
 * ```
 *
 * @throws {RangeError} when `rate` is not at least 0 and below 1.
 */
export function dropout(rate: number): LayerFactory {
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`dropout must be at least 0 and below 1, got ${rate}`);
  }
  return simple(
    "Dropout",
    "dropout",
    { rate },
    (x, _weights, { training, ...random }) => training ? ops.dropout(x, rate, random) : x,
  );
}

/**
 * Gives each sample another shape of the same size (Keras' Reshape).
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [784], [layers.reshape([28, 28, 1]), layers.flatten()]);
 * console.log(network.outputShape); // [ 784 ]
 * ```
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
    return {
      type: "Reshape",
      base: "reshape",
      config: { target_shape: [...shape] },
      outputShape: shape,
      weights: [],
      call: (x) => ops.reshape(x, [x.shape[0], ...shape]),
    };
  };
}

/**
 * Makes each sample one row of values (Keras' Flatten).
 *
 * ```ts
 * import { Gpu, layers, Sequential } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const network = new Sequential(gpu, [7, 7, 64], [layers.flatten(), layers.dense(1)]);
 * console.log(network.parameterCount.total); // 3137
 * ```
 */
export function flatten(): LayerFactory {
  return (inputShape) => {
    const size = sizeOf(inputShape);
    return {
      type: "Flatten",
      base: "flatten",
      config: {},
      outputShape: [size],
      weights: [],
      call: (x) => ops.reshape(x, [x.shape[0], size]),
    };
  };
}
