/**
 * Whether each family of kernels computes what it should: whole numbers, where every result is known.
 *
 * @module
 */

import { type GemmVariant, type Gpu, grad, ops } from "../../mod.ts";

/** A pattern of whole numbers from -3 to 3, so that sums of products are exact. */
const pattern = (length: number, step: number) =>
  Float32Array.from({ length }, (_, i) => i * step % 7 - 3);

/** Winograd's transforms round; nothing else does. Of the largest value. */
const TOLERANCE: Readonly<Partial<Record<GemmVariant, number>>> = { winograd: 1e-4 };

const [ROWS, INNER, COLUMNS] = [12, 16, 20];

function matmulByHand(a: Float32Array, b: Float32Array): Float32Array {
  const y = new Float32Array(ROWS * COLUMNS);
  for (let i = 0; i < ROWS; i++) {
    for (let j = 0; j < COLUMNS; j++) {
      for (let k = 0; k < INNER; k++) y[i * COLUMNS + j] += a[i * INNER + k] * b[k * COLUMNS + j];
    }
  }
  return y;
}

// A convolution 5 x 5, which every family can compute.
const [BATCH, SIZE, IN, OUT, KERNEL] = [2, 8, 8, 12, 5];
const IMAGES = [BATCH, SIZE, SIZE, IN] as const;
const FILTERS = [KERNEL, KERNEL, IN, OUT] as const;
const RESULT = [BATCH, SIZE, SIZE, OUT] as const;
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The convolution, and the gradients of its sum weighted by `dy`. */
function convolveByHand(x: Float32Array, w: Float32Array, dy: Float32Array) {
  const y = new Float32Array(size(RESULT));
  const dx = new Float32Array(x.length);
  const dw = new Float32Array(w.length);
  const reach = KERNEL >> 1;
  for (let n = 0; n < BATCH * SIZE * SIZE; n++) {
    const [image, row, column] = [
      Math.floor(n / SIZE / SIZE),
      Math.floor(n / SIZE) % SIZE,
      n % SIZE,
    ];
    for (let tap = 0; tap < KERNEL * KERNEL; tap++) {
      const fromRow = row + Math.floor(tap / KERNEL) - reach;
      const fromColumn = column + tap % KERNEL - reach;
      if (Math.min(fromRow, fromColumn) < 0 || Math.max(fromRow, fromColumn) >= SIZE) continue;
      for (let c = 0; c < IN; c++) {
        const at = ((image * SIZE + fromRow) * SIZE + fromColumn) * IN + c;
        for (let o = 0; o < OUT; o++) {
          const of = (tap * IN + c) * OUT + o;
          y[n * OUT + o] += x[at] * w[of];
          dx[at] += dy[n * OUT + o] * w[of];
          dw[of] += dy[n * OUT + o] * x[at];
        }
      }
    }
  }
  return { y, dx, dw };
}

/** What differs, or nothing. */
function differs(
  what: string,
  got: Float32Array,
  wanted: Float32Array,
  tolerance: number,
): string | undefined {
  const most = wanted.reduce((m, value) => Math.max(m, Math.abs(value)), 0);
  const at = wanted.findIndex((value, i) => !(Math.abs(got[i] - value) <= tolerance * most));
  return at < 0 ? undefined : `${what} gives ${got[at]} instead of ${wanted[at]}`;
}

/**
 * Computes a matrix product, a convolution and its two gradients with a family of kernels.
 *
 * @returns what was wrong, one sentence each; none if all was right
 */
export async function checkKernels(gpu: Gpu, gemm: GemmVariant): Promise<string[]> {
  const a = pattern(ROWS * INNER, 3);
  const b = pattern(INNER * COLUMNS, 5);
  const x = pattern(size(IMAGES), 3);
  const w = pattern(size(FILTERS), 5);
  const dy = pattern(size(RESULT), 2);
  using program = gpu.compile(
    { a: [ROWS, INNER], b: [INNER, COLUMNS], x: IMAGES, w: FILTERS, dy: RESULT },
    (t) => {
      const y = ops.conv2d(t.x, t.w, { strides: 1, padding: "same" });
      const [dx, dw] = grad(ops.sum(ops.mul(y, t.dy)), [t.x, t.w]);
      return { product: ops.matmul(t.a, t.b), y, dx, dw };
    },
    { label: `check of ${gemm}`, tuning: { gemm, choices: {} } },
  );
  program.run({ a, b, x, w, dy });
  const got = await program.read();
  const wanted = convolveByHand(x, w, dy);
  const tolerance = TOLERANCE[gemm] ?? 0;
  return [
    differs("matmul", got.product, matmulByHand(a, b), tolerance),
    differs("conv2d", got.y, wanted.y, tolerance),
    differs("conv2dTranspose", got.dx, wanted.dx, tolerance),
    differs("conv2dFilterGrad", got.dw, wanted.dw, tolerance),
  ].filter((text) => text !== undefined);
}
