import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Op } from "../graph/tensor.ts";

const stopGradientOp: Op = { name: "stopGradient", alias: true, gradient: () => [undefined] };

/** x itself, through which no gradient flows. */
export function stopGradient<X extends TensorLike>(x: X): SameType<X> {
  const tensor = toTensor(x, "the input of stopGradient");
  const output = { shape: tensor.shape, dtype: tensor.dtype };
  return currentGraph().add(stopGradientOp, [tensor], undefined, [output]).outputs[0] as SameType<
    X
  >;
}
