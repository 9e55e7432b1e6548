/** Random numbers, and dropout. */

import code from "../kernels/random.wgsl" with { type: "text" };
import type { Constants } from "../gpu/pipelines.ts";
import { kernel } from "../gpu/shader.ts";
import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import { grid, type Lowering } from "../graph/lower.ts";
import { type DType, type Op, sameShape, type Shape, show, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { add, mul } from "./arithmetic.ts";

const randomKernel = kernel("random", code);

/**
 * State of random ops: a u32 variable [seed, step]. Every run of a program that draws from it moves
 * the step on by one; restoring it restores the numbers to come.
 */
export type RandomState = Variable<"u32">;

/** Where a random op's numbers come from; nothing given means seed 0. */
export interface RandomOptions {
  /** A whole number from 0 to 2^32 - 1. The program keeps the state and moves it on every run. */
  readonly seed?: number;
  /** A state of the caller's own, for runs that are stopped and resumed. */
  readonly state?: RandomState;
}

function randomOp(entryPoint: string, output: "y" | "words" = "y"): Op<Constants> {
  return {
    name: entryPoint,
    lower({ inputs: [state], outputs: [y], attributes: constants }, lowering: Lowering) {
      lowering.dispatch({
        kernel: randomKernel,
        entryPoint,
        constants: { COUNT: y.size, ...constants },
        bindings: { state, [output]: y },
        workgroups: grid(Math.ceil(y.size / (output === "y" ? 4 : 2)), 64),
      });
    },
  };
}

const bitsOp = randomOp("bits", "words");
const uniformOp = randomOp("uniform");
const normalOp = randomOp("normal");
const maskOp = randomOp("mask");

const advanceOp: Op<RandomState | undefined> = {
  name: "advance",
  effect: true,
  lower({ inputs: [source], attributes: state }, lowering: Lowering) {
    lowering.dispatch({
      kernel: randomKernel,
      entryPoint: "advance",
      constants: {},
      // The variable itself: `source` may be a copy of its value from before.
      bindings: { counter: state ? lowering.variable(state) : source },
      workgroups: [1, 1, 1],
    });
  },
};

/**
 * Refuses seeds that are not 32-bit.
 *
 * @throws {RangeError}
 */
export function requireSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`A seed must be a whole number from 0 to 4294967295, got ${seed}`);
  }
}

function draw(
  op: Op<Constants>,
  shape: Shape,
  { state, seed = 0 }: RandomOptions,
  dtype: DType,
  constants: Constants = {},
): Tensor {
  const graph = currentGraph();
  if (!state) requireSeed(seed);
  else if (state.dtype !== "u32" || !sameShape(state.shape, [2])) {
    throw new TypeError(
      `Cannot draw from the state ${state.name}, which is ${state.dtype} ${show(state.shape)}: ` +
        "a random state is u32 [2], its seed and its step",
    );
  }
  const source = state ? graph.variable(state) : graph.seeded(seed);
  const stream = graph.stream(source, () => {
    graph.add(advanceOp, [source], state, []);
    if (state) graph.overwrite(state);
  });
  const attributes = { ...constants, STREAM: stream };
  return graph.add(op, [source], attributes, [{ shape, dtype }]).outputs[0];
}

/** The float32 before the one nearest to a number. */
function floatBelow(x: number): number {
  const value = new Float32Array([x]);
  if (value[0] === 0) return -(2 ** -126); // a device may take smaller ones for 0
  new Int32Array(value.buffer)[0] += value[0] > 0 ? -1 : 1;
  return value[0];
}

/**
 * Raw 32-bit words (u32). Every random op of a program draws from a stream of its own.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({}, () => ({ words: ops.randomBits([4], { seed: 1 }) }));
 * program.run();
 * console.log((await program.read()).words.length); // 4
 * ```
 *
 * @param shape of the result
 * @returns u32 of the shape
 * @throws {RangeError} when the seed is not a whole number from 0 to 2^32 - 1.
 * @throws {TypeError} when the state is not u32 [2].
 */
export function randomBits(shape: Shape, options: RandomOptions = {}): Tensor<"u32"> {
  return draw(bitsOp, shape, options, "u32") as Tensor<"u32">;
}

/**
 * Uniform numbers on [minimum, maximum), default [0, 1); other numbers in every run. The bounds are
 * rounded to float32; rounding never makes a number the maximum.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({}, () => ({
 *   y: ops.randomUniform([1000], { seed: 1, minimum: -1, maximum: 1 }),
 * }));
 * program.run();
 * const { y } = await program.read();
 * console.log(y.every((value) => value >= -1 && value < 1)); // true
 * ```
 *
 * @param shape of the result
 * @returns f32 of the shape
 * @throws {RangeError} when there is no float32 between them, or they are too far apart for one.
 */
export function randomUniform(
  shape: Shape,
  options: RandomOptions & { readonly minimum?: number; readonly maximum?: number } = {},
): Tensor {
  const { minimum = 0, maximum = 1 } = options;
  const scale = Math.fround(maximum - minimum);
  if (!(Math.fround(minimum) < Math.fround(maximum) && scale < Infinity)) {
    throw new RangeError(
      `randomUniform got a minimum of ${minimum} and a maximum of ${maximum}: the maximum must be ` +
        "the larger one, as float32, and their difference finite",
    );
  }
  const range = { MINIMUM: Math.fround(minimum), SCALE: scale, LAST: floatBelow(maximum) };
  return draw(uniformOp, shape, options, "f32", range);
}

/**
 * Normal numbers, default mean 0 and standard deviation 1; other numbers in every run.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * // A state of one's own can be saved, and goes on where it was.
 * const state = gpu.variable([2], [7, 0], { dtype: "u32", trainable: false });
 * const program = gpu.compile({}, () => ({ noise: ops.randomNormal([16, 100], { state }) }));
 * program.run();
 * console.log(await state.read()); // Uint32Array(2) [ 7, 1 ]
 * ```
 *
 * @param shape of the result
 * @returns f32 of the shape
 * @throws {RangeError} when the seed is not a whole number from 0 to 2^32 - 1, or the mean or the
 *   standard deviation is not a finite float32.
 * @throws {TypeError} when the state is not u32 [2].
 */
export function randomNormal(
  shape: Shape,
  options: RandomOptions & { readonly mean?: number; readonly stddev?: number } = {},
): Tensor {
  const { mean = 0, stddev = 1 } = options;
  if (![mean, stddev].every((n) => Number.isFinite(Math.fround(n)))) {
    throw new RangeError(
      `randomNormal got a mean of ${mean} and a stddev of ${stddev}: both must be finite float32`,
    );
  }
  const y = draw(normalOp, shape, options, "f32");
  return mean === 0 && stddev === 1 ? y : add(mul(y, stddev), mean);
}

/** 0 for a random share of the elements and 1 / (1 - rate) for the others; other ones in every run. */
export function randomMask(shape: Shape, rate: number, options: RandomOptions = {}): Tensor {
  return draw(maskOp, shape, options, "f32", { RATE: rate });
}

/**
 * Sets a random share of x to zero and scales the rest by 1 / (1 - rate), with another mask in
 * every run and at every call, as Keras' Dropout does in training.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [1000] }, ({ x }) => ({ y: ops.dropout(x, 0.5, { seed: 1 }) }));
 * program.run({ x: new Array(1000).fill(1) });
 * const { y } = await program.read();
 * console.log(y.every((value) => value === 0 || value === 2)); // true
 * ```
 *
 * @param x f32 of any shape
 * @param rate the share to drop, 0 <= rate < 1. With 0, x itself.
 * @returns f32 of x's shape
 * @throws {RangeError} when the rate is not in [0, 1).
 */
export function dropout(x: TensorLike, rate: number, options: RandomOptions = {}): Tensor {
  const tensor = toTensor(x, "the input of dropout");
  if (typeof rate !== "number" || !(rate >= 0 && Math.fround(rate) < 1)) {
    throw new RangeError(`dropout got a rate of ${rate}; it must be at least 0 and below 1`);
  }
  if (rate === 0) return tensor;
  return mul(tensor, randomMask(tensor.shape, rate, options));
}
