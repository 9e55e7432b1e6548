import { CODE } from "../graph/elementwise.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { notNumber } from "./add.ts";
import { binary, type Operand, sumTo, unary } from "./elementwise.ts";
import { mul } from "./mul.ts";
import { neg } from "./neg.ts";

const divOp: Op = {
  name: "div",
  gradient: ({ inputs: [a, b], outputs: [y] }, [dy]) => [
    dy && sumTo(div(dy, b), a.shape),
    dy && neg(sumTo(div(mul(dy, y), b), b.shape)),
  ],
  instruction: () => ({ code: CODE.div }),
};

const divConstantOp: Op = {
  name: "div",
  gradient: (node, [dy]) => [dy && div(dy, node.attributes as number)],
  instruction: (node) => ({ code: CODE.divConstant, constant: node.attributes }),
};

const constantDivOp: Op = {
  name: "div",
  gradient: ({ inputs: [b], outputs: [y] }, [dy]) => [dy && neg(div(mul(dy, y), b))],
  instruction: (node) => ({ code: CODE.constantDiv, constant: node.attributes }),
};

/**
 * a / b, elementwise with broadcasting; either may be a number.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [2], b: [2] }, ({ a, b }) => ({ y: ops.div(a, b) }));
 * program.run({ a: [10, 20], b: [2, 8] });
 * console.log((await program.read()).y); // Float32Array(2) [ 5, 2.5 ]
 * ```
 *
 * @param a f32, or a number
 * @param b f32, or a number
 * @returns f32 of the shape to which both broadcast
 * @throws {TypeError} when the shapes do not broadcast, an operand is not f32, or both are
 *   numbers.
 * @throws {RangeError} when a number is not finite, or divides as 0.
 */
export function div(a: Operand, b: Operand): Tensor {
  if (b === 0) throw new RangeError("div got the constant divisor 0");
  if (typeof b === "number") return unary(divConstantOp, notNumber(a, "div"), b);
  if (typeof a === "number") return unary(constantDivOp, b, a);
  return binary(divOp, a, b);
}
