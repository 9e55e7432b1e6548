import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, show } from "../graph/tensor.ts";
import { normalizeAxes } from "./axes.ts";
import { copyBox, requireRank, stridesOf } from "./copy.ts";
import { slice } from "./slice.ts";

const concatOp: Op = {
  name: "concat",
  gradient({ inputs, attributes: axis }, [dy]) {
    let at = 0;
    return inputs.map((x) => {
      const begin = x.shape.map((_, i) => i === axis ? at : 0);
      at += x.shape[axis];
      return dy && slice(dy, begin, x.shape);
    });
  },
  lower({ inputs, outputs: [y], attributes: axis }, lowering: Lowering) {
    const strides = stridesOf(y.shape);
    let offset = 0;
    for (const x of inputs) {
      copyBox(lowering, x.shape, x, { strides: stridesOf(x.shape) }, y, { strides, offset });
      offset += x.shape[axis] * strides[axis];
    }
  },
};

/**
 * Joins tensors along an axis (default the first).
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [1, 2], b: [1, 1] }, ({ a, b }) => ({ y: ops.concat([a, b], 1) }));
 * program.run({ a: [1, 2], b: [3] });
 * console.log((await program.read()).y); // Float32Array(3) [ 1, 2, 3 ]
 * ```
 *
 * @param tensors at least one, alike but for their size along the axis
 * @param axis from 0, or from the end if negative. Default 0
 * @throws {TypeError} when their other axes or types differ.
 */
export function concat<X extends TensorLike>(tensors: readonly X[], axis = 0): SameType<X> {
  if (!tensors.length) throw new TypeError("concat needs at least one tensor");
  const inputs = tensors.map((t, i) => toTensor(t, `input ${i} of concat`));
  const [first] = inputs;
  for (const x of inputs) requireRank(x, "concat");
  const [along] = normalizeAxes(axis, first, "concat");
  for (const x of inputs) {
    const fits = x.rank === first.rank && x.dtype === first.dtype &&
      x.shape.every((n, i) => i === along || n === first.shape[i]);
    if (!fits) {
      throw new TypeError(
        `Cannot concat ${show(first.shape)} ${first.dtype} and ${show(x.shape)} ${x.dtype} ` +
          `along axis ${along}: the other axes and the type must be the same`,
      );
    }
  }
  const total = inputs.reduce((sum, x) => sum + x.shape[along], 0);
  const shape = first.shape.map((n, i) => i === along ? total : n);
  const output = { shape, dtype: first.dtype };
  return currentGraph().add(concatOp, inputs, along, [output]).outputs[0] as SameType<X>;
}
