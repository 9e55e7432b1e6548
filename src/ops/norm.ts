import code from "../kernels/batch_norm.wgsl" with { type: "text" };
import { currentGraph, type TensorLike, toTensor } from "../graph/graph.ts";
import { grid, type Lowering } from "../graph/lower.ts";
import { type Op, sameShape, show, type Tensor } from "../graph/tensor.ts";
import { kernel } from "../gpu/shader.ts";
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { broadcastTo } from "./shape.ts";
import { requireFloat } from "./check.ts";
import { elementwise, elementwiseOp } from "./elementwise.ts";

const batchNormKernel = kernel("batch_norm", code);

/** Options of {@linkcode batchNorm}. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-3, as in Keras. */
  readonly epsilon?: number;
}

/**
 * Emits two sums over the rows of x: first over each chunk of rows, then over the chunks. `bindings`
 * are what the first pass reads.
 */
function sumRows(
  lowering: Lowering,
  x: Tensor,
  entryPoints: readonly [string, string],
  bindings: Readonly<Record<string, Tensor>>,
  [first, second]: readonly Tensor[],
  epsilon = 0,
): void {
  const channels = x.shape[x.rank - 1];
  const rows = x.size / channels;
  const columns = Math.ceil(channels / 4);
  const busy = Math.ceil(rows * columns / lowering.tuning.parallelism);
  // With many channels, each row lies in a memory page of its own: few rows at a time.
  const most = channels >= 1024 ? 16 : 4096;
  const chunk = Math.min(Math.max(16, busy, Math.ceil(rows / 4096)), most, rows);
  const count = Math.ceil(rows / chunk);
  const constants = { ROWS: rows, C: channels, CHUNK: chunk, CHUNKS: count };
  const partial = lowering.scratch(2 * count * columns * 4, "partial statistics");
  lowering.dispatch({
    kernel: batchNormKernel,
    entryPoint: entryPoints[0],
    constants: epsilon ? { ...constants, EPSILON: epsilon } : constants,
    bindings: { ...bindings, partial },
    workgroups: grid(count * columns, 16),
  });
  lowering.dispatch({
    kernel: batchNormKernel,
    entryPoint: entryPoints[1],
    constants,
    bindings: { partials: partial, first, second },
    workgroups: grid(columns, 16),
    detail: "combine",
  });
}

const statisticsOp: Op = {
  name: "batchNormStatistics",
  gradient({ inputs: [x], outputs: [mean] }, [dMean, dVariance]) {
    const rows = x.size / mean.size;
    const fromMean = dMean && broadcastTo(div(dMean, rows), x.shape);
    const fromVariance = dVariance && mul(sub(x, mean), mul(dVariance, 2 / rows));
    return [fromMean && fromVariance ? add(fromMean, fromVariance) : fromMean ?? fromVariance];
  },
  lower({ inputs: [x], outputs }, lowering: Lowering) {
    sumRows(lowering, x, ["statistics", "combine"], { x }, outputs);
  },
};

/** dbeta and dgamma: sums over the rows of dy and of dy * xhat. */
const gradientSumsOp: Op<number> = {
  name: "batchNormGradientSums",
  gradient(node, [dBeta, dGamma]) {
    const { inputs: [dy, x, mean, variance], outputs: [beta, gamma], attributes: epsilon } = node;
    if (!dGamma) return [dBeta && broadcastTo(dBeta, dy.shape)];
    const r = inverseSqrt(variance, epsilon);
    const scaled = mul(sub(x, mean), mul(dGamma, r));
    return [
      dBeta ? add(scaled, dBeta) : scaled,
      mul(dy, mul(dGamma, r)),
      neg(mul(mul(dGamma, r), beta)),
      mul(div(mul(dGamma, gamma), add(variance, epsilon)), -0.5),
    ];
  },
  lower({ inputs: [dy, x, mean, variance], outputs, attributes }, lowering: Lowering) {
    const bindings = { dy, x, mean, variance };
    sumRows(lowering, x, ["gradient", "combine_gradient"], bindings, outputs, attributes);
  },
};

/** 1 / sqrt(x + epsilon). */
const inverseSqrtOp = elementwiseOp("inverseSqrt", (dy, y, x, epsilon) => {
  return [div(mul(mul(dy, y), -0.5), add(x, epsilon))];
});

function inverseSqrt(x: Tensor, epsilon: number): Tensor {
  return elementwise(inverseSqrtOp, x, epsilon);
}

/** A value for each channel. */
type Vectors = Readonly<Record<"gamma" | "beta" | "mean" | "variance", Tensor>>;

interface TrainAttributes extends Vectors {
  readonly x: Tensor;
  readonly epsilon: number;
}

/**
 * The normalized y, with a gradient rule of its own: the mean and the variance are functions of x,
 * and the closed form of Ioffe and Szegedy (2015) takes both into account.
 */
const batchNormOp: Op<TrainAttributes> = {
  name: "batchNorm",
  instruction: "copy",
  gradientInputs: ({ attributes: { x, gamma, beta } }) => [x, gamma, beta],
  gradient({ attributes }, [dy]) {
    if (!dy) return [];
    const { x, gamma, mean, variance, epsilon } = attributes;
    const inputs = [dy, x, mean, variance];
    const spec = { shape: gamma.shape };
    const [dBeta, dGamma] =
      currentGraph().add(gradientSumsOp, inputs, epsilon, [spec, spec]).outputs;
    const rows = x.size / gamma.size;
    const r = inverseSqrt(variance, epsilon);
    // dx = gamma * r * (dy - dbeta / rows - xhat * dgamma / rows)
    const slope = mul(div(dGamma, rows), r);
    const centered = sub(sub(dy, div(dBeta, rows)), mul(sub(x, mean), slope));
    return [mul(centered, mul(gamma, r)), dGamma, dBeta];
  },
};

/** The vectors as tensors; refuses any that has not a value for each channel of x. */
function vectorsOf<K extends string>(
  x: Tensor,
  vectors: Readonly<Record<K, TensorLike>>,
  op: string,
): Record<K, Tensor> {
  if (x.rank < 1) throw new TypeError(`${op} needs at least one axis, got a scalar`);
  requireFloat(x, op);
  const channels = x.shape[x.rank - 1];
  const tensors = Object.entries<TensorLike>(vectors).map(([name, given]) => {
    const vector = toTensor(given, `${name} of ${op}`);
    requireFloat(vector, op);
    if (sameShape(vector.shape, [channels])) return [name, vector];
    throw new TypeError(
      `${op} of x ${show(x.shape)} needs ${name} of shape [${channels}], got ${show(vector.shape)}`,
    );
  });
  return Object.fromEntries(tensors);
}

function scaleAndShift(x: Tensor, { gamma, beta, mean, variance }: Vectors, epsilon: number) {
  return add(mul(sub(x, mean), mul(gamma, inverseSqrt(variance, epsilon))), beta);
}

/**
 * Batch normalization over all axes but the last, by the statistics of the batch:
 * y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the biased variance, as Keras'
 * BatchNormalization computes it in training.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile(
 *   { x: [2, 1], gamma: [1], beta: [1] },
 *   ({ x, gamma, beta }) => ops.batchNorm(x, gamma, beta, { epsilon: 0 }),
 * );
 * program.run({ x: [1, 3], gamma: [1], beta: [10] });
 * const { y, mean, variance } = await program.read();
 * console.log(y, mean[0], variance[0]); // Float32Array(2) [ 9, 11 ] 2 1
 * ```
 *
 * @param x [..., channels]
 * @param gamma [channels]
 * @param beta [channels]
 * @returns y of x's shape, and the batch's mean and variance [channels]
 * @throws {TypeError} when gamma or beta is not [channels].
 */
export function batchNorm(
  x: TensorLike,
  gamma: TensorLike,
  beta: TensorLike,
  { epsilon = 1e-3 }: BatchNormOptions = {},
): { y: Tensor; mean: Tensor; variance: Tensor } {
  const input = toTensor(x, "x of batchNorm");
  const given = vectorsOf(input, { gamma, beta }, "batchNorm");
  const spec = { shape: given.gamma.shape };
  const graph = currentGraph();
  const [mean, variance] = graph.add(statisticsOp, [input], undefined, [spec, spec]).outputs;
  const vectors = { ...given, mean, variance };
  const value = scaleAndShift(input, vectors, epsilon);
  const attributes = { x: input, ...vectors, epsilon };
  const [y] = graph.add(batchNormOp, [value], attributes, [{ shape: input.shape }]).outputs;
  return { y, mean, variance };
}

/**
 * Batch normalization by given statistics, as in inference. See {@linkcode batchNorm}.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 1], one: [1], zero: [1] }, ({ x, one, zero }) => ({
 *   y: ops.batchNormInference(x, one, zero, zero, one, { epsilon: 3 }),
 * }));
 * program.run({ x: [2, 4], one: [1], zero: [0] });
 * console.log((await program.read()).y); // Float32Array(2) [ 1, 2 ]
 * ```
 *
 * @param x [..., channels]
 * @param gamma [channels]
 * @param beta [channels]
 * @param mean [channels]
 * @param variance [channels]
 * @returns y of x's shape
 * @throws {TypeError} when one of the four is not [channels].
 */
export function batchNormInference(
  x: TensorLike,
  gamma: TensorLike,
  beta: TensorLike,
  mean: TensorLike,
  variance: TensorLike,
  { epsilon = 1e-3 }: BatchNormOptions = {},
): Tensor {
  const input = toTensor(x, "x of batchNormInference");
  const vectors = vectorsOf(input, { gamma, beta, mean, variance }, "batchNormInference");
  return scaleAndShift(input, vectors, epsilon);
}
