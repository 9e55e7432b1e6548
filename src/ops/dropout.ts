import { type TensorLike, toTensor } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { mul } from "./mul.ts";
import { randomMask, type RandomOptions } from "./random.ts";

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
  if (!(rate >= 0 && Math.fround(rate) < 1)) {
    throw new RangeError(`dropout got a rate of ${rate}; it must be at least 0 and below 1`);
  }
  if (rate === 0) return tensor;
  return mul(tensor, randomMask(tensor.shape, rate, options));
}
