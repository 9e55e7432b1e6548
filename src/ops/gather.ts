/** Rows by index. */

import gatherCode from "../kernels/gather.wgsl" with { type: "text" };
import gatherGradCode from "../kernels/gather_grad.wgsl" with { type: "text" };
import { currentGraph, type SameType, type TensorLike, toTensor } from "../graph/graph.ts";
import { grid, type Lowering } from "../graph/lower.ts";
import { type Node, type Op, type Shape, show, sizeOf, type Tensor } from "../graph/tensor.ts";
import { kernel } from "../gpu/shader.ts";
import { normalizeAxes } from "./check.ts";
import { moved, transpose } from "./shape.ts";

const gatherKernel = kernel("gather", gatherCode);
const gatherGradKernel = kernel("gather_grad", gatherGradCode);

/** Most indices that one invocation of gather_grad scans: see the loop limit in docs/kernels.md. */
const MAX_INDICES = 16000;

function constantsOf(x: Shape, index: Tensor): Record<string, number> {
  return {
    N: x[0],
    ROW: sizeOf(x.slice(1)),
    COUNT: index.size,
    ...(index.dtype === "f32" ? { FLOAT_INDEX: 1 } : {}),
  };
}

/** Lowers to an entry point of gather.wgsl that gives its result this name. */
const lowerTo = (entryPoint: "main" | "images", result: "y" | "image") => {
  return ({ inputs: [x, index], outputs: [y] }: Node, lowering: Lowering) =>
    lowering.dispatch({
      kernel: gatherKernel,
      entryPoint,
      constants: constantsOf(x.shape, index),
      bindings: { x, index, [result]: y },
      workgroups: grid(y.size, 64),
    });
};

const gatherOp: Op = {
  name: "gather",
  gradient: ({ inputs: [x, index] }, [dy]) => [
    dy && moved(gatherGradOp, [dy, index], undefined, x.shape),
  ],
  lower: lowerTo("main", "y"),
};

const gatherImagesOp: Op = { name: "gatherImages", lower: lowerTo("images", "image") };

const gatherGradOp: Op = {
  name: "gatherGrad",
  gradient: ({ inputs: [, index] }, [dx]) => [dx && gather(dx, index)],
  lower({ inputs: [dy, index], outputs: [dx] }, lowering: Lowering) {
    for (let begin = 0; begin < index.size; begin += MAX_INDICES) {
      lowering.dispatch({
        kernel: gatherGradKernel,
        constants: {
          ...constantsOf(dx.shape, index),
          BEGIN: begin,
          END: Math.min(index.size, begin + MAX_INDICES),
          ...(begin > 0 ? { ACCUMULATE: 1 } : {}),
        },
        bindings: { dy, index, dx },
        workgroups: grid(dx.size, 64),
      });
    }
  },
};

/**
 * Rows of x by index. An f32 index is rounded. An index beyond the last row selects the last row;
 * a negative index or NaN selects the first.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3, 2], i: { shape: [2], dtype: "u32" } }, ({ x, i }) => ({ y: ops.gather(x, i) }));
 * program.run({ x: [1, 2, 3, 4, 5, 6], i: [2, 0] });
 * console.log((await program.read()).y); // Float32Array(4) [ 5, 6, 1, 2 ]
 * ```
 *
 * @param x [n, ...]
 * @param indices u32 or f32 of any shape, values from 0 to n - 1
 * @param axis the axis of x that is indexed. Default the first.
 * @returns [...indices, ...]: x's shape with the axis replaced by the indices' axes
 * @throws {TypeError} when x has no axis, or x or the indices are bytes.
 * @throws {RangeError} when there is no such axis.
 */
export function gather<X extends TensorLike>(x: X, indices: TensorLike, axis = 0): SameType<X> {
  const tensor = toTensor(x, "x of gather");
  const index = toTensor(indices, "the indices of gather");
  if (index.dtype === "u8" || tensor.dtype === "u8") {
    throw new TypeError(
      "gather moves f32 and u32, by f32 or u32 indices; for a data set of bytes use gatherImages",
    );
  }
  if (tensor.rank === 0) throw new TypeError("gather needs at least one axis, got a scalar");
  const [along] = normalizeAxes(axis, tensor, "gather");
  if (along !== 0) {
    const toFront = [along, ...tensor.shape.map((_, i) => i).filter((i) => i !== along)];
    const y = gather(transpose(tensor, toFront), index);
    // Axes of y: the indices', then x's others; put the indices' where the axis was.
    const own = Array.from({ length: index.rank }, (_, i) => i);
    const others = Array.from({ length: tensor.rank - 1 }, (_, i) => i + index.rank);
    const permutation = [...others.slice(0, along), ...own, ...others.slice(along)];
    return transpose(y, permutation) as SameType<X>;
  }
  const shape = [...index.shape, ...tensor.shape.slice(1)];
  return moved(gatherOp, [tensor, index], undefined, shape);
}

/**
 * Images of a data set by index, scaled from bytes to [-1, 1] as the tutorial does:
 * (byte - 127.5) / 127.5.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const images = gpu.variable([2, 1, 2, 1], [7, 8, 0, 255], { dtype: "u8" });
 * const program = gpu.compile({ i: { shape: [1], dtype: "u32" } }, ({ i }) => ({ y: ops.gatherImages(images, i) }));
 * program.run({ i: [1] });
 * console.log((await program.read()).y); // Float32Array(2) [ -1, 1 ]
 * ```
 *
 * @param images a u8 variable [n, height, width, channels]
 * @param indices u32 [batch]
 * @returns f32 [batch, height, width, channels]
 * @throws {TypeError} when the images are not u8, or the indices are not a list of u32 or f32.
 */
export function gatherImages(images: TensorLike, indices: TensorLike): Tensor {
  const tensor = toTensor(images, "the images of gatherImages");
  const index = toTensor(indices, "the indices of gatherImages");
  if (tensor.dtype !== "u8" || index.dtype === "u8" || index.rank !== 1) {
    throw new TypeError(
      `gatherImages takes u8 images and a list of u32 indices, got ${tensor.dtype} ` +
        `${show(tensor.shape)} and ${index.dtype} ${show(index.shape)}`,
    );
  }
  const shape = [index.size, ...tensor.shape.slice(1)];
  return currentGraph().add(gatherImagesOp, [tensor, index], undefined, [{ shape }]).outputs[0];
}
