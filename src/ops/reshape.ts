import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import { type Op, sameShape, type Shape, show, sizeOf } from "../graph/tensor.ts";

const reshapeOp: Op = {
  name: "reshape",
  alias: true,
  gradient: ({ inputs: [x] }, [dy]) => [dy && reshape(dy, x.shape)],
};

/**
 * The same elements under another shape; costs nothing. One axis may be -1: what is left.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 6] }, ({ x }) => {
 *   const y = ops.reshape(x, [3, -1]);
 *   console.log(y.shape); // [ 3, 4 ]
 *   return { y };
 * });
 * ```
 *
 * @param x of any shape and type
 * @throws {TypeError} when the number of elements would change.
 */
export function reshape<X extends TensorLike>(x: X, shape: Shape): SameType<X> {
  const tensor = toTensor(x, "the input of reshape");
  const known = sizeOf(shape.filter((n) => n !== -1));
  const target = shape.map((n) => n === -1 ? tensor.size / known : n);
  const whole = target.every((n) => Number.isSafeInteger(n) && n > 0);
  if (shape.filter((n) => n === -1).length > 1 || !whole || sizeOf(target) !== tensor.size) {
    throw new TypeError(
      `Cannot reshape ${show(tensor.shape)} to ${show(shape)}: it has ${tensor.size} elements`,
    );
  }
  if (sameShape(target, tensor.shape)) return tensor as SameType<X>;
  const output = { shape: target, dtype: tensor.dtype };
  return currentGraph().add(reshapeOp, [tensor], undefined, [output]).outputs[0] as SameType<X>;
}
