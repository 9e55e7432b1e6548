/**
 * Whether each variant of the kernels computes what it should: whole numbers, so that plain loops give
 * the exact results.
 *
 * @module
 */

import { type GemmVariant, type Gpu, grad, ops } from "../../mod.ts";

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Whole numbers from -3 to 3, so that sums of products are exact. */
const pattern = (shape: readonly number[], step: number) =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => i * step % 7 - 3);

/** Winograd's transforms round; nothing else does. Of the largest value. */
const TOLERANCE: Readonly<Partial<Record<GemmVariant, number>>> = { winograd: 1e-4 };

// A convolution 5 x 5 with padding "same", which every variant can compute, and a product.
const [BATCH, SIZE, IN, OUT, KERNEL] = [2, 8, 8, 12, 5];
const SHAPES = {
  a: [12, 16],
  b: [16, 20],
  x: [BATCH, SIZE, SIZE, IN],
  w: [KERNEL, KERNEL, IN, OUT],
  dy: [BATCH, SIZE, SIZE, OUT],
};

const INPUTS = {
  a: pattern(SHAPES.a, 3),
  b: pattern(SHAPES.b, 5),
  x: pattern(SHAPES.x, 3),
  w: pattern(SHAPES.w, 5),
  dy: pattern(SHAPES.dy, 2),
};

function matmulByHand({ a, b }: typeof INPUTS): Float32Array {
  const [[rows, inner], columns] = [SHAPES.a, SHAPES.b[1]];
  const y = new Float32Array(rows * columns);
  for (let i = 0; i < y.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    for (let k = 0; k < inner; k++) y[i] += a[row * inner + k] * b[k * columns + column];
  }
  return y;
}

/** The convolution, and the gradients of its sum weighted by `dy`. */
function convolveByHand({ x, w, dy }: typeof INPUTS) {
  const y = new Float32Array(dy.length);
  const dx = new Float32Array(x.length);
  const dw = new Float32Array(w.length);
  for (let i = 0; i < w.length * SIZE * SIZE * BATCH; i++) {
    // Which value of the kernel, and which pixel of the result it goes to.
    const [of, n] = [i % w.length, Math.floor(i / w.length)];
    const [tap, c, o] = [Math.floor(of / OUT / IN), Math.floor(of / OUT) % IN, of % OUT];
    const row = Math.floor(n / SIZE) % SIZE + Math.floor(tap / KERNEL) - (KERNEL >> 1);
    const column = n % SIZE + tap % KERNEL - (KERNEL >> 1);
    if (Math.min(row, column) < 0 || Math.max(row, column) >= SIZE) continue;
    const image = Math.floor(n / SIZE / SIZE);
    const at = ((image * SIZE + row) * SIZE + column) * IN + c;
    y[n * OUT + o] += x[at] * w[of];
    dx[at] += dy[n * OUT + o] * w[of];
    dw[of] += dy[n * OUT + o] * x[at];
  }
  return { y, dx, dw };
}

/**
 * Computes a matrix product, a convolution and its two gradients with a variant of the kernels.
 *
 * @returns what was wrong, one sentence each; empty if all was right
 */
export async function checkKernels(gpu: Gpu, gemm: GemmVariant): Promise<string[]> {
  using program = gpu.compile(
    SHAPES,
    ({ a, b, x, w, dy }) => {
      const y = ops.conv2d(x, w, { strides: 1, padding: "same" });
      const [dx, dw] = grad(ops.sum(ops.mul(y, dy)), [x, w]);
      return { product: ops.matmul(a, b), y, dx, dw };
    },
    { label: `check of ${gemm}`, tuning: { gemm, choices: {} } },
  );
  program.run(INPUTS);
  const got = await program.read();
  const { y, dx, dw } = convolveByHand(INPUTS);
  const tolerance = TOLERANCE[gemm] ?? 0;
  const differs = (what: string, got: Float32Array, wanted: Float32Array) => {
    const most = wanted.reduce((m, value) => Math.max(m, Math.abs(value)), 0);
    const at = wanted.findIndex((value, i) => !(Math.abs(got[i] - value) <= tolerance * most));
    return at < 0 ? [] : [`${what} gives ${got[at]} instead of ${wanted[at]}`];
  };
  return [
    ...differs("matmul", got.product, matmulByHand(INPUTS)),
    ...differs("conv2d", got.y, y),
    ...differs("conv2dTranspose", got.dx, dx),
    ...differs("conv2dFilterGrad", got.dw, dw),
  ];
}
