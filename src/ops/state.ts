import { CODE } from "../graph/elementwise.ts";
import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, sameShape, type Shape, show, type Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";

const constantOp: Op = {
  name: "constant",
  instruction: (node) => ({ code: CODE.constant, constant: node.attributes }),
};

/**
 * A tensor of one value; `[]` and 0 are usual. Fused into what reads it where shapes allow.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({}, () => ({ ones: ops.constant(1, [3]) }));
 * program.run();
 * console.log((await program.read()).ones); // Float32Array(3) [ 1, 1, 1 ]
 * ```
 *
 * @returns f32 of the shape
 * @throws {RangeError} when the value is no finite float32.
 * @throws {TypeError} when the shape is not one.
 */
export function constant(value: number, shape: Shape = []): Tensor {
  if (!Number.isFinite(Math.fround(value))) {
    throw new RangeError(`constant got the value ${value}, which is no finite float32`);
  }
  return currentGraph().add(constantOp, [], value, [{ shape }]).outputs[0];
}

const assignOp: Op = {
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
  const output = { shape: tensor.shape, dtype: tensor.dtype };
  return currentGraph().add(stopGradientOp, [tensor], undefined, [output]).outputs[0] as SameType<
    X
  >;
}
