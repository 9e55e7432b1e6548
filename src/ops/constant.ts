import { CODE } from "../graph/elementwise.ts";
import { currentGraph } from "../graph/graph.ts";
import type { Op, Shape, Tensor } from "../graph/tensor.ts";

const constantOp: Op = {
  name: "constant",
  instruction: (node) => ({ code: CODE.constant, constant: node.attributes }),
};

/** A tensor of one value; `[]` and 0 are usual. Fused into what reads it where shapes allow. */
export function constant(value: number, shape: Shape = []): Tensor {
  return currentGraph().add(constantOp, [], value, [{ shape }]).outputs[0];
}
