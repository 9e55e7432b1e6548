import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";

const tanhOp: Op = {
  name: "tanh",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, sub(1, mul(y, y)))],
  instruction: () => ({ code: CODE.tanh }),
};

/** Hyperbolic tangent, elementwise. */
export function tanh(x: TensorLike): Tensor {
  return unary(tanhOp, x);
}
