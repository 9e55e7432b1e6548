import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { div } from "./div.ts";

const logOp: Op = {
  name: "log",
  gradient: ({ inputs: [x] }, [dy]) => [dy && div(dy, x)],
  instruction: () => ({ code: CODE.log }),
};

/** Natural logarithm, elementwise; NaN below 0. */
export function log(x: TensorLike): Tensor {
  return unary(logOp, x);
}
