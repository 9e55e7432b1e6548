import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";

const negOp: Op = {
  name: "neg",
  gradient: (_node, [dy]) => [dy && neg(dy)],
  instruction: () => ({ code: CODE.neg }),
};

/** -x, elementwise. */
export function neg(x: TensorLike): Tensor {
  return unary(negOp, x);
}
