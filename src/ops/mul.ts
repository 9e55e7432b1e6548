import { CODE } from "../graph/elementwise.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { notNumber } from "./add.ts";
import { binary, type Operand, sumTo, unary } from "./elementwise.ts";

const mulOp: Op = {
  name: "mul",
  gradient: ({ inputs: [a, b] }, [dy]) => [
    dy && sumTo(mul(dy, b), a.shape),
    dy && sumTo(mul(dy, a), b.shape),
  ],
  instruction: () => ({ code: CODE.mul }),
};

const mulConstantOp: Op = {
  name: "mul",
  gradient: (node, [dy]) => [dy && mul(dy, node.attributes as number)],
  instruction: (node) => ({ code: CODE.mulConstant, constant: node.attributes }),
};

/**
 * a * b, elementwise with broadcasting; either may be a number.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [2], b: [2] }, ({ a, b }) => ({ y: ops.mul(a, b) }));
 * program.run({ a: [2, 3], b: [10, 20] });
 * console.log((await program.read()).y); // Float32Array(2) [ 20, 60 ]
 * ```
 *
 * @param a f32, or a number
 * @param b f32, or a number
 * @returns f32 of the shape to which both broadcast
 * @throws {TypeError} when the shapes do not broadcast, an operand is not f32, or both are
 *   numbers.
 * @throws {RangeError} when a number is not finite.
 */
export function mul(a: Operand, b: Operand): Tensor {
  if (typeof b === "number") return unary(mulConstantOp, notNumber(a, "mul"), b);
  if (typeof a === "number") return unary(mulConstantOp, b, a);
  return binary(mulOp, a, b);
}
