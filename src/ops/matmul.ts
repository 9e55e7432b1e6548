import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import { type Op, show, type Tensor } from "../graph/tensor.ts";
import { requireFloat } from "./check.ts";
import { lowerGemm } from "./gemm/choose.ts";
import type { Geometry, Side } from "./gemm/geometry.ts";
import type { Gemm } from "./gemm/launch.ts";
import { mul } from "./arithmetic.ts";
import { reshape, transpose } from "./shape.ts";

/** Options of {@linkcode matmul}. */
export interface MatmulOptions {
  /** Use a's transpose. Default false. */
  readonly transposeA?: boolean;
  /** Use b's transpose. Default false. */
  readonly transposeB?: boolean;
}

const pixel = (channels: number): Side => ({ height: 1, width: 1, channels });

/** A matrix product is a convolution of 1 x 1 images: rows are the batch, columns the channels. */
function pixelGeometry(batch: number, large: number, small: number): Geometry {
  return {
    batch,
    large: pixel(large),
    small: pixel(small),
    kernel: [1, 1],
    strides: [1, 1],
    pad: [0, 0],
  };
}

const matmulOp: Op<Required<MatmulOptions>> = {
  name: "matmul",
  gradient({ inputs: [a, b], attributes: { transposeA, transposeB } }, [dy]) {
    if (!dy) return [];
    const da = transposeA
      ? matmul(b, dy, { transposeA: transposeB, transposeB: true })
      : dy.shape[1] === 1
      // An outer product: elementwise, so that it fuses with what follows.
      ? mul(dy, reshape(b, [1, b.size]))
      : matmul(dy, b, { transposeB: !transposeB });
    const db = transposeB
      ? matmul(dy, a, { transposeA: true, transposeB: transposeA })
      : matmul(a, dy, { transposeA: !transposeA });
    return [da, db];
  },
  lower({ inputs: [a, b], outputs: [y], attributes: { transposeA, transposeB } }, l: Lowering) {
    const [m, n] = y.shape;
    const k = a.shape[transposeA ? 0 : 1];
    const emit = (kind: Gemm["kind"], geometry: Geometry, x: Tensor, w: Tensor) =>
      lowerGemm(l, { kind, geometry, x, w, y });
    // A single column is computed as a row, which is the same in memory: invocations divide the
    // columns among them.
    if (n === 1 && transposeA) emit("conv2d", pixelGeometry(1, k, m), b, a);
    else if (n === 1) emit("conv2dTranspose", pixelGeometry(1, m, k), b, a);
    // a * b is a convolution, a * bT a transposed one, aT * b a filter gradient.
    else if (transposeA) emit("conv2dFilterGrad", pixelGeometry(k, m, n), a, b);
    else if (transposeB) emit("conv2dTranspose", pixelGeometry(m, n, k), a, b);
    else emit("conv2d", pixelGeometry(m, k, n), a, b);
  },
};

/**
 * Matrix product of [m, k] and [k, n]; with `transposeA`, a is [k, m], with `transposeB`, b is
 * [n, k].
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ a: [2, 2], b: [2, 1] }, ({ a, b }) => ({ y: ops.matmul(a, b) }));
 * program.run({ a: [1, 2, 3, 4], b: [5, 6] });
 * console.log((await program.read()).y); // Float32Array(2) [ 17, 39 ]
 * ```
 *
 * @param a f32 [m, k]
 * @param b f32 [k, n]
 * @returns [m, n]
 * @throws {TypeError} when the inner sizes differ, or an operand is not a matrix.
 */
export function matmul(a: TensorLike, b: TensorLike, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const x = toTensor(a, "a of matmul");
  let y = toTensor(b, "b of matmul");
  requireFloat(x, "matmul");
  requireFloat(y, "matmul");
  const say = (t: Tensor, transposed: boolean) => show(t.shape) + (transposed ? " transposed" : "");
  if (x.rank !== 2 || y.rank !== 2) {
    throw new TypeError(
      `matmul takes two matrices, got ${show(x.shape)} and ${show(y.shape)}: reshape them first`,
    );
  }
  const [m, k] = transposeA ? [x.shape[1], x.shape[0]] : x.shape;
  const [inner, n] = transposeB ? [y.shape[1], y.shape[0]] : y.shape;
  if (k !== inner) {
    throw new TypeError(
      `Cannot multiply a ${say(x, transposeA)} with b ${say(y, transposeB)}: ` +
        `a has ${k} columns, b has ${inner} rows`,
    );
  }
  const attributes = { transposeA, transposeB };
  if (transposeA && transposeB) {
    y = transpose(y);
    attributes.transposeB = false;
  }
  return currentGraph().add(matmulOp, [x, y], attributes, [{ shape: [m, n] }]).outputs[0];
}
