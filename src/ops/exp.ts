import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { mul } from "./mul.ts";

const expOp: Op = {
  name: "exp",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, y)],
  instruction: () => ({ code: CODE.exp }),
};

/** e to the power of x, elementwise. */
export function exp(x: TensorLike): Tensor {
  return unary(expOp, x);
}
