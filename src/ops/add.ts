import { CODE } from "../graph/elementwise.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { binary, type Operand, sumTo, unary } from "./elementwise.ts";

const addOp: Op = {
  name: "add",
  gradient: ({ inputs: [a, b] }, [dy]) => [dy && sumTo(dy, a.shape), dy && sumTo(dy, b.shape)],
  instruction: () => ({ code: CODE.add }),
};

const addConstantOp: Op = {
  name: "add",
  gradient: (_node, [dy]) => [dy],
  instruction: (node) => ({ code: CODE.addConstant, constant: node.attributes }),
};

/**
 * a + b with broadcasting; either may be a number.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [2], b: [2] }, ({ a, b }) => ({ y: ops.add(a, b) }));
 * program.run({ a: [1, 2], b: [10, 20] });
 * console.log((await program.read()).y); // Float32Array(2) [ 11, 22 ]
 * ```
 *
 * @param a f32, or a number
 * @param b f32, or a number
 * @returns f32 of the shape to which both broadcast
 * @throws {TypeError} when the shapes do not broadcast, an operand is not f32, or both are
 *   numbers.
 * @throws {RangeError} when a number is not finite.
 */
export function add(a: Operand, b: Operand): Tensor {
  if (typeof b === "number") return unary(addConstantOp, notNumber(a, "add"), b);
  if (typeof a === "number") return unary(addConstantOp, b, a);
  return binary(addOp, a, b);
}

/** Refuses arithmetic between two numbers, which needs no op. */
export function notNumber<T>(a: T | number, op: string): T {
  if (typeof a === "number") {
    throw new TypeError(`${op} got two numbers; at least one operand must be a tensor`);
  }
  return a;
}
