/**
 * Winograd's convolution. It transforms tiles of the images and the kernel to points, multiplies
 * them as matrices, one product for each point, and transforms the products to the result. It needs
 * fewer multiplications than the definition: along each axis 8 instead of 20 for 4 outputs of 5 taps.
 *
 * Along one axis, a convolution of stride s meets the taps s*t + f of each phase f with pixels
 * s*(o + t) + f - pad. So it is a sum of s convolutions of stride 1, whose points are added up before
 * the last transform. The transposed convolution does the same with the taps reversed; the filter
 * gradient uses the transposes of the transforms.
 *
 * Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks" (2015);
 * the transforms are those of Cook and Toom. Rounding errors are about ten times those of the
 * definition: up to 7e-6 of the norm for 5 taps, 3e-6 for 3, and about 1e-4 of the root mean square
 * at the most for single values. An infinity spreads to all outputs of its tiles, as NaN.
 */

import transformCode from "../../kernels/winograd.wgsl" with { type: "text" };
import { kernel } from "../../gpu/shader.ts";
import { grid, type Lowering, type Storage } from "../../graph/lower.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { copyBox } from "../copy.ts";
import { batchedMatmul } from "./batched_matmul.ts";
import type { Geometry, Side } from "./geometry.ts";
import { flopsOf, type Gemm, MAX_ITERATIONS } from "./launch.ts";

const transformKernel = kernel("winograd", transformCode);

/** Rows of numbers. */
export type Matrix = readonly (readonly number[])[];

/** Outputs of a tile along one axis. */
const STEP = 4;

/** Where polynomials are evaluated, besides infinity: numbers of few bits make small errors. */
const POINTS = [0, 1, -1, 2, -2, 1 / 2, -1 / 2];

/** The transforms of the convolution y[o] = sum over t of x[o + t] * w[t], for `STEP` outputs. */
export interface Transforms {
  /** Points of a tile along one axis: STEP + taps - 1. */
  readonly points: number;
  /** From inputs to points. */
  readonly input: Matrix;
  /** From taps to points. */
  readonly kernel: Matrix;
  /** From points to outputs. */
  readonly output: Matrix;
}

/** Coefficients of the product of (x - root), lowest first. */
function fromRoots(roots: readonly number[]): number[] {
  return roots.reduce(
    (product, root) => [0, ...product].map((c, i) => c - root * (product[i] ?? 0)),
    [1],
  );
}

/** The transforms of Cook and Toom for a number of taps, at most 5. */
export function transforms(taps: number): Transforms {
  const points = STEP + taps - 1;
  const finite = POINTS.slice(0, points - 1);
  const powers = (count: number) => [
    ...finite.map((p) => Array.from({ length: count }, (_, i) => p ** i)),
    Array.from({ length: count }, (_, i) => i === count - 1 ? 1 : 0), // infinity
  ];
  // Row i is Lagrange's polynomial of point i; the last row, of infinity, is 0 at all other points.
  const input = finite.map((p, i) => {
    const others = finite.filter((_, j) => j !== i);
    const scale = others.reduce((product, q) => product * (p - q), 1);
    return [...fromRoots(others), 0].map((c) => c / scale);
  });
  input.push(fromRoots(finite));
  // Powers of two move between the transforms, so that points are about as large as inputs.
  const scales = input.map((row) => 2 ** Math.round(Math.log2(Math.hypot(...row))));
  return {
    points,
    input: input.map((row, i) => row.map((c) => c / scales[i])),
    kernel: powers(taps).map((row, i) => row.map((c) => c * scales[i])),
    output: transposed(powers(STEP)),
  };
}

function transposed(m: Matrix): Matrix {
  return m[0].map((_, j) => m.map((row) => row[j]));
}

/** Taps of each phase along an axis. */
function tapsOf({ kernel, strides }: Geometry): number {
  return Math.ceil(kernel[0] / strides[0]);
}

/** Most bytes of the points of a chunk or a kernel: half of what every WebGPU device can bind. */
const MAX_BYTES = 64 << 20;

/**
 * Whether the transforms exist (square kernels of 2 to 5 taps a stride, channels in fours), and
 * neither memory nor the loops of the products get too long; a single image is not divided.
 */
export function winogradFits(g: Geometry): boolean {
  const { kernel, strides, pad, large, small } = g;
  const taps = tapsOf(g);
  const exists = kernel[0] === kernel[1] && strides[0] === strides[1] && pad[0] === pad[1] &&
    taps >= 2 && taps <= 5 && large.channels % 4 === 0 && small.channels % 4 === 0;
  if (!exists) return false;
  const points = (taps + STEP - 1) ** 2;
  const largeChannels = strides[0] ** 2 * large.channels;
  return [false, true].every((isTransposed) => {
    const tiles = tilingOf(g, isTransposed);
    const rows = chunks(g, tiles)[0][1] * tiles[0] * tiles[1];
    return 4 * points * rows * Math.max(largeChannels, small.channels) <= MAX_BYTES &&
      4 * points * largeChannels * small.channels <= 2 * MAX_BYTES &&
      Math.max(rows, largeChannels, small.channels) / 4 <= MAX_ITERATIONS;
  });
}

/** Tiles of all images. */
export function winogradTiles({ batch, small }: Geometry): number {
  const [y, x] = tilesOf(small);
  return batch * y * x;
}

/** Bytes of the points of a chunk: they should stay in the processor's cache. */
const CHUNK_BYTES = 10 << 20;

/** Tiles of each image of the result, along both axes. */
function tilingOf(g: Geometry, isTransposed: boolean): [number, number] {
  if (!isTransposed) return tilesOf(g.small);
  const [stride, pad] = [g.strides[0], g.pad[0]];
  const extent = (size: number) =>
    Math.floor((size - 1 + pad) / stride) - Math.floor(pad / stride) + 1;
  return tilesOf({ ...g.large, height: extent(g.large.height), width: extent(g.large.width) });
}

/** Divides a batch into chunks as equal as can be: [first image, count]. */
function chunks(g: Geometry, tiles: readonly [number, number]): [number, number][] {
  const { batch, large, small, strides } = g;
  const channels = Math.max(strides[0] ** 2 * large.channels, small.channels);
  const bytes = 4 * (tapsOf(g) + STEP - 1) ** 2 * tiles[0] * tiles[1] * channels;
  // In fours where that is possible: whole tiles of rows.
  const fit = Math.max(1, Math.floor(CHUNK_BYTES / bytes));
  const most = fit < 4 ? fit : fit - fit % 4;
  const size = Math.min(most, Math.ceil(batch / Math.ceil(batch / most) / 4) * 4);
  return Array.from({ length: Math.ceil(batch / size) }, (_, i) => [
    i * size,
    Math.min(size, batch - i * size),
  ]);
}

/** An image, or a kernel as an image of one tile, as its transforms see it. */
interface Image {
  /** How many are transformed, from which one on. */
  readonly batch: number;
  readonly first: number;
  readonly side: Side;
  readonly tiles: readonly [number, number];
  readonly stride: number;
  readonly pad: number;
  /** Channels that stay together where the phases are put side by side. Default all. */
  readonly together?: number;
}

/** One transform, between an image and points of [points, rows, channels * stride^2]. */
function transform(
  lowering: Lowering,
  direction: "gather" | "scatter",
  matrix: Matrix,
  x: Tensor | Storage,
  y: Tensor | Storage,
  { batch, first, side, tiles, stride, pad, together = side.channels }: Image,
): void {
  const { height, width, channels } = side;
  const sizes = [first, batch, height, width, channels, together, ...tiles, STEP, stride, pad];
  const constants: Record<string, number> = { IN: matrix[0].length, OUT: matrix.length };
  matrix.forEach((row, p) =>
    row.forEach((value, i) => {
      if (value !== 0) constants[`T${p}${i}`] = value;
    })
  );
  lowering.dispatch({
    kernel: transformKernel,
    entryPoint: direction,
    constants,
    bindings: {
      ...(direction === "gather" ? { x: lowering.texture(x) } : { u: x }),
      sizes: lowering.constant(sizes, "sizes"),
      y,
    },
    workgroups: grid(batch * tiles[0] * tiles[1] * stride ** 2 * side.channels / 4, 64),
    detail: direction === "gather" ? "to points" : "from points",
  });
}

/**
 * The kernel's points: [points, phases * large channels, small channels], or for a transpose, with
 * the taps reversed, [points, small channels, phases * large channels].
 */
function kernelPoints(lowering: Lowering, g: Geometry, w: Tensor, isTransposed: boolean): Storage {
  const { kernel: matrix, points } = transforms(tapsOf(g));
  return lowering.shared(w, `winograd ${g.strides} ${isTransposed}`, () => {
    const image = kernelImage(g);
    const { channels } = image.side;
    const u = lowering.scratch(points ** 2 * g.strides[0] ** 2 * channels, "kernel's points");
    if (!isTransposed) {
      transform(lowering, "gather", matrix, w, u, image);
      return u;
    }
    const [kh, kw, large, small] = w.shape;
    const turned = lowering.scratch(w.size, "kernel, channels exchanged");
    const from = { strides: [channels, 1, small] };
    copyBox(lowering, [kh * kw, small, large], w, turned, { from });
    const reversed = matrix.map((row) => row.toReversed());
    transform(lowering, "gather", reversed, turned, u, { ...image, together: large });
    return u;
  });
}

function kernelImage({ kernel: [height, width], large, small, strides }: Geometry): Image {
  const side = { height, width, channels: large.channels * small.channels };
  return { batch: 1, first: 0, side, tiles: [1, 1], stride: strides[0], pad: 0 };
}

/** Tiles of a convolution's result. */
function tilesOf({ height, width }: Side): [number, number] {
  return [Math.ceil(height / STEP), Math.ceil(width / STEP)];
}

/** Emits the transforms and products that compute an op, chunk by chunk of the batch. */
export function lowerWinograd(lowering: Lowering, gemm: Gemm): void {
  if (gemm.kind === "conv2dFilterGrad") return lowerFilterGrad(lowering, gemm);
  const { geometry: g, x, w, y } = gemm;
  const isTransposed = gemm.kind === "conv2dTranspose";
  const taps = tapsOf(g);
  const { points, input, output } = transforms(taps);
  const [stride, pad] = [g.strides[0], g.pad[0]];
  const largeChannels = stride ** 2 * g.large.channels;
  // The transpose's pixel s*i + f - pad takes taps t from i - t; i begins at `skip`.
  const skip = Math.floor(pad / stride);
  const tiles = tilingOf(g, isTransposed);
  const small = { side: g.small, tiles, stride: 1 };
  const large = { side: g.large, tiles, stride };
  const [from, to] = isTransposed
    ? [{ ...small, pad: taps - 1 - skip }, { ...large, pad: pad - stride * skip }]
    : [{ ...large, pad }, { ...small, pad: 0 }];
  const [k, n] = isTransposed
    ? [g.small.channels, largeChannels]
    : [largeChannels, g.small.channels];
  const u = kernelPoints(lowering, g, w, isTransposed);
  const floats = points ** 2 * tiles[0] * tiles[1];
  for (const [first, batch] of chunks(g, tiles)) {
    const v = lowering.scratch(batch * floats * k, "points");
    const product = lowering.scratch(batch * floats * n, "products");
    transform(lowering, "gather", input, x, v, { batch, first, ...from });
    batchedMatmul(lowering, v, u, product, {
      kind: "nn",
      batch: points ** 2,
      r: batch * tiles[0] * tiles[1],
      k,
      n,
      flops: flopsOf(g) * batch / g.batch,
    });
    transform(lowering, "scatter", output, product, y, { batch, first, ...to });
  }
}

/** The same for a filter gradient, whose chunks are added up in the order of the batch. */
function lowerFilterGrad(lowering: Lowering, { geometry: g, x, w: dy, y: dw }: Gemm): void {
  const { points, input, kernel, output } = transforms(tapsOf(g));
  const [stride, pad] = [g.strides[0], g.pad[0]];
  const tiles = tilesOf(g.small);
  const k = stride ** 2 * g.large.channels;
  const n = g.small.channels;
  const floats = points ** 2 * tiles[0] * tiles[1];
  const sum = lowering.scratch(points ** 2 * k * n, "products");
  for (const [first, batch] of chunks(g, tiles)) {
    const u = lowering.scratch(batch * floats * k, "points of x");
    const v = lowering.scratch(batch * floats * n, "points of dy");
    transform(lowering, "gather", input, x, u, { batch, first, side: g.large, tiles, stride, pad });
    const small = { side: g.small, tiles, stride: 1, pad: 0 };
    transform(lowering, "gather", transposed(output), dy, v, { batch, first, ...small });
    batchedMatmul(lowering, u, v, sum, {
      kind: "tn",
      batch: points ** 2,
      r: batch * tiles[0] * tiles[1],
      k,
      n,
      accumulate: first > 0,
      flops: flopsOf(g) * batch / g.batch,
    });
  }
  transform(lowering, "scatter", transposed(kernel), sum, dw, kernelImage(g));
}
