/** Whether each variant of the kernels computes what plain loops do, on whole numbers. */

import { type GemmVariant, type Gpu, grad, ops } from "../../mod.ts";

// A convolution 5 x 5 with padding "same", which every variant can compute, and a product.
const [BATCH, SIZE, IN, OUT, KERNEL] = [2, 8, 8, 12, 5];
const [ROWS, INNER, COLUMNS] = [12, 16, 20];
const SHAPES = {
  a: [ROWS, INNER],
  b: [INNER, COLUMNS],
  x: [BATCH, SIZE, SIZE, IN],
  w: [KERNEL, KERNEL, IN, OUT],
  dy: [BATCH, SIZE, SIZE, OUT],
};

/** Whole numbers from -3 to 3, so that sums of products are exact. */
const pattern = (shape: readonly number[], step: number) =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i * step % 7 - 3);

const INPUTS = {
  a: pattern(SHAPES.a, 3),
  b: pattern(SHAPES.b, 5),
  x: pattern(SHAPES.x, 3),
  w: pattern(SHAPES.w, 5),
  dy: pattern(SHAPES.dy, 2),
};

/** The product, the convolution, and the gradients of its sum weighted by `dy`. */
function byHand({ a, b, x, w, dy }: typeof INPUTS) {
  const matmul = new Float32Array(ROWS * COLUMNS).map((_, i) => {
    const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
    return a.subarray(row * INNER, (row + 1) * INNER)
      .reduce((sum, value, k) => sum + value * b[k * COLUMNS + column], 0);
  });
  const [y, dx, dw] = [dy, x, w].map(({ length }) => new Float32Array(length));
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
  return { matmul, conv2d: y, conv2dTranspose: dx, conv2dFilterGrad: dw };
}

/** What is wrong with a variant's product, convolution and its two gradients: a sentence each. */
export async function checkKernels(gpu: Gpu, gemm: GemmVariant): Promise<string[]> {
  using program = gpu.compile(
    SHAPES,
    ({ a, b, x, w, dy }) => {
      const conv2d = ops.conv2d(x, w, { strides: 1, padding: "same" });
      const [conv2dTranspose, conv2dFilterGrad] = grad(ops.sum(ops.mul(conv2d, dy)), [x, w]);
      return { matmul: ops.matmul(a, b), conv2d, conv2dTranspose, conv2dFilterGrad };
    },
    { label: `check of ${gemm}`, tuning: { gemm, choices: {} } },
  );
  program.run(INPUTS);
  const found: Record<string, Float32Array> = await program.read();
  return Object.entries(byHand(INPUTS)).flatMap(([op, wanted]) => {
    const got = found[op];
    // Winograd's transforms round; nothing else does.
    const tolerance = gemm === "winograd" ? 1e-4 * Math.max(...wanted.map(Math.abs)) : 0;
    const at = wanted.findIndex((value, i) => !(Math.abs(got[i] - value) <= tolerance));
    return at < 0 ? [] : [`${op} gives ${got[at]} instead of ${wanted[at]}`];
  });
}
