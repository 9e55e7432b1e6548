/**
 * How elementwise ops are defined and recorded. Each is one instruction of the fused kernel
 * (`elementwise.wgsl`) and a rule for its gradient.
 */

import { collapse, INSTRUCTIONS, MAX_AXES } from "../graph/elementwise.ts";
import { constantOp, currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import { type Op, sameShape, type Shape, type Tensor } from "../graph/tensor.ts";
import { broadcastShapes, requireFloat } from "./check.ts";
import { expand } from "./shape.ts";

/** A tensor, or a number that stands for a constant of any shape. */
export type Operand = TensorLike | number;

/**
 * From the cotangent of the result y, those of the operands. They may have y's shape where an operand
 * was broadcast: differentiation sums them.
 */
export type Rule = (dy: Tensor, y: Tensor, ...operands: Tensor[]) => (Tensor | undefined)[];

/** The op that computes an instruction of `elementwise.wgsl`, by its name there. */
export function elementwiseOp(instruction: string, rule: Rule): Op {
  if (!INSTRUCTIONS.has(instruction)) {
    throw new TypeError(`elementwise.wgsl has no instruction ${instruction}`);
  }
  return {
    name: instruction,
    instruction,
    gradient: ({ inputs, outputs: [y] }, [dy]) => dy ? rule(dy, y, ...inputs) : [],
  };
}

/**
 * Records an elementwise op of operands that broadcast against each other.
 *
 * @throws {TypeError} when their shapes do not broadcast, one is not f32, or all are numbers.
 * @throws {RangeError} when a number is not a finite float32.
 */
export function elementwise(op: Op, ...operands: readonly Operand[]): Tensor {
  const graph = currentGraph();
  const many = operands.length > 1;
  if (many && operands.every((x) => typeof x === "number")) {
    throw new TypeError(
      `${op.name} got ${operands.length === 2 ? "two" : "only"} numbers; ` +
        "at least one operand must be a tensor",
    );
  }
  let inputs = operands.map((x, i) => {
    if (many && typeof x === "number") return number(x, op.name);
    return toTensor(x as TensorLike, many ? `operand ${i + 1} of ${op.name}` : `x of ${op.name}`);
  });
  for (const input of inputs) requireFloat(input, op.name);
  const shape = inputs.map((t) => t.shape).reduce((a, b) => broadcastShapes(a, b, op.name));
  if (collapse(shape, inputs.map((t) => t.shape)).dims.length > MAX_AXES) {
    // More alternations of whole and broadcast axes than the kernel can address.
    inputs = inputs.map((t) => t.size === 1 || sameShape(t.shape, shape) ? t : expand(t, shape));
  }
  return graph.add(op, inputs, undefined, [{ shape }]).outputs[0];
}

/**
 * Records a number.
 *
 * @throws {RangeError} when it is no finite float32.
 */
export function number(value: number, op: string, shape: Shape = []): Tensor {
  if (!Number.isFinite(Math.fround(value))) {
    throw new RangeError(`${op} got the number ${value}, which is no finite float32`);
  }
  return currentGraph().add(constantOp, [], value, [{ shape }]).outputs[0];
}
