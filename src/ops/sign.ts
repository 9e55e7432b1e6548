import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";

const signOp: Op = {
  name: "sign",
  gradient: () => [undefined],
  instruction: () => ({ code: CODE.sign }),
};

/** -1, 0 or 1 by the sign of x, elementwise. Its gradient is 0. */
export function sign(x: TensorLike): Tensor {
  return unary(signOp, x);
}
