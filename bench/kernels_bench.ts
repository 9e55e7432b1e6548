/**
 * The network's GEMM-like ops at batch 256. Each is checked by the tests; here they are timed, one
 * run and one wait an iteration. GFLOP in the name counts the dense arithmetic of the definition.
 *
 *   deno task bench
 */

import { Gpu, ops, type Tensor } from "../mod.ts";

const BATCH = 256;

/** An op of the network: shapes of its operands, and how it is called. */
interface Case {
  readonly name: string;
  readonly gflop: number;
  readonly inputs: Record<"a" | "b", number[]>;
  readonly op: (inputs: Record<"a" | "b", Tensor>) => Tensor;
}

/** Multiply-adds of a convolution count twice. */
function conv(height: number, inC: number, outC: number, stride: number): number {
  return 2 * BATCH * (height / stride) ** 2 * 25 * inC * outC / 1e9;
}

const same = (strides: number) => ({ strides, padding: "same" as const });

const CASES: Case[] = [
  {
    name: "dense 100 -> 12544",
    gflop: 2 * BATCH * 100 * 12544 / 1e9,
    inputs: { a: [BATCH, 100], b: [100, 12544] },
    op: ({ a, b }) => ops.matmul(a, b),
  },
  {
    name: "conv2d 28x28x1 -> 14x14x64",
    gflop: conv(28, 1, 64, 2),
    inputs: { a: [BATCH, 28, 28, 1], b: [5, 5, 1, 64] },
    op: ({ a, b }) => ops.conv2d(a, b, same(2)),
  },
  {
    name: "conv2d 14x14x64 -> 7x7x128",
    gflop: conv(14, 64, 128, 2),
    inputs: { a: [BATCH, 14, 14, 64], b: [5, 5, 64, 128] },
    op: ({ a, b }) => ops.conv2d(a, b, same(2)),
  },
  {
    name: "conv2dTranspose 7x7x256 -> 7x7x128",
    gflop: conv(7, 128, 256, 1),
    inputs: { a: [BATCH, 7, 7, 256], b: [5, 5, 128, 256] },
    op: ({ a, b }) => ops.conv2dTranspose(a, b, same(1)),
  },
  {
    name: "conv2dTranspose 7x7x128 -> 14x14x64",
    gflop: conv(14, 64, 128, 2),
    inputs: { a: [BATCH, 7, 7, 128], b: [5, 5, 64, 128] },
    op: ({ a, b }) => ops.conv2dTranspose(a, b, same(2)),
  },
  {
    name: "conv2dTranspose 14x14x64 -> 28x28x1",
    gflop: conv(28, 1, 64, 2),
    inputs: { a: [BATCH, 14, 14, 64], b: [5, 5, 1, 64] },
    op: ({ a, b }) => ops.conv2dTranspose(a, b, same(2)),
  },
  {
    name: "conv2dFilterGrad 14x14x64, 7x7x128",
    gflop: conv(14, 64, 128, 2),
    inputs: { a: [BATCH, 14, 14, 64], b: [BATCH, 7, 7, 128] },
    op: ({ a, b }) => ops.conv2dFilterGrad(a, b, { ...same(2), kernelSize: 5 }),
  },
  {
    name: "conv2dFilterGrad 7x7x128, 7x7x256",
    gflop: conv(7, 128, 256, 1),
    inputs: { a: [BATCH, 7, 7, 128], b: [BATCH, 7, 7, 256] },
    op: ({ a, b }) => ops.conv2dFilterGrad(a, b, { ...same(1), kernelSize: 5 }),
  },
];

const gpu = await Gpu.request();
for (const { name, gflop, inputs, op } of CASES) {
  const program = gpu.compile(inputs, (operands) => ({ y: op(operands) }));
  program.run();
  await gpu.idle(); // compiled
  Deno.bench(
    `${name} (${gflop.toFixed(2)} GFLOP)`,
    { group: "gemm", n: 10, warmup: 2 },
    async () => {
      program.run();
      await gpu.idle();
    },
  );
}
