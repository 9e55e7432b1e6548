import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { unary } from "./elementwise.ts";
import { mul } from "./mul.ts";
import { sub } from "./sub.ts";

const sigmoidOp: Op = {
  name: "sigmoid",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, mul(y, sub(1, y)))],
  instruction: () => ({ code: CODE.sigmoid }),
};

/** 1 / (1 + exp(-x)), elementwise, stable for any x. */
export function sigmoid(x: TensorLike): Tensor {
  return unary(sigmoidOp, x);
}
