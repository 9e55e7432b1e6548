/**
 * Values that come from elsewhere or go there: constants, other types, variables, and a stop for
 * gradients.
 */

import code from "../kernels/cast.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import { grid, type Lowering, Storage } from "../graph/lower.ts";
import {
  bytesOf,
  type DType,
  type Op,
  requireDType,
  sameShape,
  type Shape,
  show,
  type Tensor,
  validateShape,
} from "../graph/tensor.ts";
import { describe, toArray, type TypedArray } from "../graph/arrays.ts";
import { Variable } from "../graph/variable.ts";
import { number } from "./elementwise.ts";
import { moved } from "./shape.ts";

const dataOp: Op<TypedArray> = {
  name: "constant",
  lower({ outputs: [y], attributes: data }, lowering: Lowering) {
    const storage = new Storage(bytesOf(y.shape, y.dtype), `constant ${show(y.shape)}`);
    storage.initial = new Uint32Array(Math.ceil(storage.bytes / 4));
    new Uint8Array(storage.initial.buffer).set(new Uint8Array(data.buffer));
    lowering.place(y, storage);
  },
};

/** Type of the elements that an array's values become. */
const typeOf = (data: ArrayLike<number>): DType =>
  data instanceof Uint32Array ? "u32" : data instanceof Uint8Array ? "u8" : "f32";

/**
 * A tensor of one number or of an array's values. A number costs nothing where an elementwise op
 * reads it; values are uploaded once, when the program is compiled.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({}, () => ({
 *   ones: ops.constant(1, [3]),
 *   table: ops.constant([1, 2, 3, 4], [2, 2]),
 * }));
 * program.run();
 * const { ones, table } = await program.read();
 * console.log(ones, table); // Float32Array(3) [ 1, 1, 1 ] Float32Array(4) [ 1, 2, 3, 4 ]
 * ```
 *
 * @param value a number, or values in row-major order
 * @param shape default `[]` for a number, `[length]` for an array
 * @returns u32 of a Uint32Array, u8 of a Uint8Array, f32 of a number and of any other array
 * @throws {RangeError} when the number is not a finite float32.
 * @throws {TypeError} when the shape is invalid, or does not hold as many values.
 */
export function constant(value: Uint32Array, shape?: Shape): Tensor<"u32">;
/** Bytes, for `gatherImages` or `cast`. */
export function constant(value: Uint8Array, shape?: Shape): Tensor<"u8">;
/** Floats. */
export function constant(value: number | ArrayLike<number>, shape?: Shape): Tensor;
export function constant(value: number | ArrayLike<number>, shape?: Shape): Tensor {
  const graph = currentGraph();
  if (typeof value === "number") return number(value, "constant", shape);
  if (typeof value !== "object" || value === null || !("length" in value)) {
    throw new TypeError(`constant takes a number or an array of numbers, got ${describe(value)}`);
  }
  const dtype = typeOf(value);
  const target = shape ?? [value.length];
  validateShape(target, "constant");
  // A copy: what the caller writes to the array later has no effect.
  const data = toArray(value, target, dtype, "constant").slice();
  return graph.add(dataOp, [], data, [{ shape: target, dtype }]).outputs[0];
}

const castKernel = kernel("cast", code);

const castOp: Op = {
  name: "cast",
  gradient: () => [undefined],
  lower({ inputs: [x], outputs: [y] }, lowering: Lowering) {
    const constants: Record<string, number> = { COUNT: y.size };
    if (x.dtype === "u8") constants.BYTES = 1;
    if (x.dtype === "f32") constants.FROM_FLOAT = 1;
    if (y.dtype === "u32") constants.TO_FLOAT = 0;
    const workgroups = grid(y.size, 64);
    lowering.dispatch({ kernel: castKernel, constants, bindings: { x, y }, workgroups });
  },
};

/**
 * x as another type. Whole numbers beyond 2^24 are rounded to a float; floats are cut to whole
 * numbers, where those below 0 and NaN give 0 and those above 4294967295 give it. No gradient flows
 * between types.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: { shape: [3], dtype: "u8" } }, ({ x }) => ({
 *   y: ops.div(ops.cast(x, "f32"), 255),
 * }));
 * program.run({ x: [0, 51, 255] });
 * console.log((await program.read()).y); // Float32Array(3) [ 0, 0.20000000298023224, 1 ]
 * ```
 *
 * @param x of any shape and type
 * @param dtype "f32" or "u32"
 * @returns x itself where it has the type
 * @throws {TypeError} when the type is another one.
 */
export function cast<D extends "f32" | "u32">(x: TensorLike, dtype: D): Tensor<D> {
  const tensor = toTensor(x, "x of cast");
  requireDType(dtype, "The result of cast");
  if (tensor.dtype === dtype) return tensor as Tensor<D>;
  if (dtype as DType === "u8") {
    throw new TypeError(
      `Cannot cast ${tensor.dtype} ${show(tensor.shape)} to u8: only to f32, u32`,
    );
  }
  const output = { shape: tensor.shape, dtype };
  return currentGraph().add(castOp, [tensor], undefined, [output]).outputs[0] as Tensor<D>;
}

const assignOp: Op<Variable> = {
  name: "assign",
  effect: true,
  lower({ inputs: [value], attributes: variable }, lowering: Lowering) {
    let from = lowering.storage(value);
    const to = lowering.variable(variable);
    if (from.fixed && from.fixed.buffer === to.fixed?.buffer) {
      // A buffer cannot be copied to itself.
      const between = lowering.scratch(value.size, "value");
      lowering.copy(from, between, from.bytes);
      from = between;
    }
    lowering.copy(from, to, to.bytes, "assign");
  },
};

/**
 * Overwrites a variable when the program runs. What was recorded before sees its old value, what is
 * recorded afterwards the new one.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const count = gpu.variable([1]);
 * const program = gpu.compile({}, () => {
 *   ops.assign(count, ops.add(count, 1));
 *   return {};
 * });
 * program.run();
 * program.run();
 * console.log(await count.read()); // Float32Array(1) [ 2 ]
 * ```
 *
 * @param variable what is overwritten
 * @param value of the variable's shape and type
 * @throws {TypeError} when shape or type differ.
 */
export function assign(variable: Variable, value: TensorLike): void {
  if (!(variable instanceof Variable)) {
    throw new TypeError(
      `assign overwrites a variable, got ${describe(variable)}: make one with gpu.variable`,
    );
  }
  const tensor = toTensor(value, "the value of assign");
  if (!sameShape(tensor.shape, variable.shape) || tensor.dtype !== variable.dtype) {
    throw new TypeError(
      `Cannot assign ${tensor.dtype} ${show(tensor.shape)} to the variable ${variable.name}, ` +
        `which is ${variable.dtype} ${show(variable.shape)}`,
    );
  }
  const graph = currentGraph();
  graph.variable(variable);
  graph.add(assignOp, [tensor], variable, []);
  graph.overwrite(variable);
}

const stopGradientOp: Op = { name: "stopGradient", alias: true, gradient: () => [undefined] };

/**
 * x itself, through which no gradient flows.
 *
 * ```ts
 * import { Gpu, grad, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => {
 *   const y = ops.sum(ops.mul(x, ops.stopGradient(x)));
 *   const [dx] = grad(y, [x]);
 *   return { dx }; // x, not 2 x
 * });
 * program.run({ x: [3, 5] });
 * console.log((await program.read()).dx); // Float32Array(2) [ 3, 5 ]
 * ```
 *
 * @param x of any shape and type
 * @returns x's values
 */
export function stopGradient<X extends TensorLike>(x: X): SameType<X> {
  const tensor = toTensor(x, "the input of stopGradient");
  return moved(stopGradientOp, [tensor], undefined, tensor.shape);
}
