import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, show } from "../graph/tensor.ts";
import { copyBox, fillZero, requireRank, stridesOf } from "./copy.ts";
import { slice } from "./slice.ts";

/** Elements to add before and after each axis. */
export type Padding = readonly (readonly [number, number])[];

const padOp: Op = {
  name: "pad",
  gradient({ inputs: [x], attributes }, [dy]) {
    return [dy && slice(dy, (attributes as Padding).map(([before]) => before), x.shape)];
  },
  lower({ inputs: [x], outputs: [y], attributes }, lowering: Lowering) {
    const strides = stridesOf(y.shape);
    const offset = strides.reduce((sum, s, axis) => sum + s * (attributes as Padding)[axis][0], 0);
    fillZero(lowering, y);
    copyBox(lowering, x.shape, x, { strides: stridesOf(x.shape) }, y, { strides, offset });
  },
};

/**
 * Adds zeros around x.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [1, 2] }, ({ x }) => ({ y: ops.pad(x, [[0, 0], [1, 2]]) }));
 * program.run({ x: [1, 2] });
 * console.log((await program.read()).y); // Float32Array(5) [ 0, 1, 2, 0, 0 ]
 * ```
 *
 * @param x of any shape
 * @param padding `[before, after]` for each axis.
 * @throws {RangeError} when an amount is negative or not whole.
 */
export function pad<X extends TensorLike>(x: X, padding: Padding): SameType<X> {
  const tensor = toTensor(x, "the input of pad");
  requireRank(tensor, "pad");
  if (padding.length !== tensor.rank) {
    throw new TypeError(
      `Cannot pad ${show(tensor.shape)} with ${padding.length} pairs: it has ${tensor.rank} axes`,
    );
  }
  if (padding.flat().some((n) => !Number.isInteger(n) || n < 0)) {
    throw new RangeError(
      `Cannot pad ${show(tensor.shape)} by ${JSON.stringify(padding)}: ` +
        "amounts must be whole and not negative",
    );
  }
  const shape = tensor.shape.map((n, axis) => n + padding[axis][0] + padding[axis][1]);
  const output = { shape, dtype: tensor.dtype };
  return currentGraph().add(padOp, [tensor], padding, [output]).outputs[0] as SameType<X>;
}
