import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";

const stepOp: Op = {
  name: "step",
  gradient: () => [undefined],
  instruction: (node) => ({ code: CODE.step, constant: node.attributes }),
};

/** 1 where x > 0 and `below` elsewhere: the slope of a leaky rectifier. Its gradient is 0. */
export function step(x: TensorLike, below = 0): Tensor {
  return unary(stepOp, x, below);
}
