/** Moving elements about: what transpose, slice, pad and concat are lowered to. */

import code from "../kernels/copy.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import { grid, type Lowering, type Storage } from "../graph/lower.ts";
import { type Shape, show, sizeOf, type Tensor } from "../graph/tensor.ts";

const copyKernel = kernel("copy", code);

/** Axes that the kernel knows. */
export const MAX_RANK = 6;

/** Row-major strides of a shape, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  }
  return strides;
}

/** Refuses tensors that the kernel cannot move: of bytes, or of more axes than it knows. */
export function requireRank(x: Tensor, op: string): void {
  if (x.dtype === "u8") {
    throw new TypeError(
      `Cannot ${op} u8 ${show(x.shape)}: only f32 and u32 are moved. ops.cast makes it f32`,
    );
  }
  if (x.rank > MAX_RANK) {
    throw new TypeError(
      `Cannot ${op} ${show(x.shape)}: at most ${MAX_RANK} axes are supported, it has ${x.rank}`,
    );
  }
}

/** One side of a copy: strides along the box's axes and the first element. */
export interface Side {
  readonly strides: readonly number[];
  readonly offset?: number;
}

/** Where x and y have the box. */
interface CopyOptions {
  readonly from?: Side;
  readonly to?: Side;
}

/** Emits a copy of a box of elements from x to y. A side that is not given holds just the box. */
export function copyBox(
  lowering: Lowering,
  box: Shape,
  x: Tensor | Storage,
  y: Tensor | Storage,
  { from = { strides: stridesOf(box) }, to = { strides: stridesOf(box) } }: CopyOptions,
): void {
  const constants: Record<string, number> = { COUNT: sizeOf(box) };
  if (from.offset) constants.X0 = from.offset;
  if (to.offset) constants.Y0 = to.offset;
  const padding = MAX_RANK - box.length;
  box.forEach((n, i) => {
    const axis = i + padding;
    if (axis > 0) constants[`D${axis}`] = n;
    constants[`S${axis}`] = from.strides[i];
    constants[`T${axis}`] = to.strides[i];
  });
  lowering.dispatch({
    kernel: copyKernel,
    constants,
    bindings: { x, y },
    workgroups: grid(sizeOf(box), 64),
  });
}

/** Emits the zeroing of a tensor. */
export function fillZero(lowering: Lowering, y: Tensor): void {
  lowering.dispatch({
    kernel: copyKernel,
    entryPoint: "fill",
    constants: { COUNT: y.size },
    bindings: { y },
    workgroups: grid(y.size, 64),
  });
}
