import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, sameShape, show } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";

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
