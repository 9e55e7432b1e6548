import { CODE } from "../graph/elementwise.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { add, notNumber } from "./add.ts";
import { binary, type Operand, sumTo, unary } from "./elementwise.ts";
import { neg } from "./neg.ts";

const subOp: Op = {
  name: "sub",
  gradient: (
    { inputs: [a, b] },
    [dy],
  ) => [dy && sumTo(dy, a.shape), dy && neg(sumTo(dy, b.shape))],
  instruction: () => ({ code: CODE.sub }),
};

const constantSubOp: Op = {
  name: "sub",
  gradient: (_node, [dy]) => [dy && neg(dy)],
  instruction: (node) => ({ code: CODE.constantSub, constant: node.attributes }),
};

/**
 * a - b with broadcasting; either may be a number.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [2], b: [2] }, ({ a, b }) => ({ y: ops.sub(a, b) }));
 * program.run({ a: [10, 20], b: [1, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ 9, 18 ]
 * ```
 *
 * @param a f32, or a number
 * @param b f32, or a number
 * @returns f32 of the shape to which both broadcast
 * @throws {TypeError} when the shapes do not broadcast, an operand is not f32, or both are
 *   numbers.
 * @throws {RangeError} when a number is not finite.
 */
export function sub(a: Operand, b: Operand): Tensor {
  if (typeof b === "number") return add(notNumber(a, "sub"), -b);
  if (typeof a === "number") return unary(constantSubOp, b, a);
  return binary(subOp, a, b);
}
