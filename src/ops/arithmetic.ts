import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
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

const negOp: Op = {
  name: "neg",
  gradient: (_node, [dy]) => [dy && neg(dy)],
  instruction: () => ({ code: CODE.neg }),
};

/**
 * -x, elementwise.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
 * program.run({ x: [-1, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ 1, -2 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function neg(x: TensorLike): Tensor {
  return unary(negOp, x);
}
