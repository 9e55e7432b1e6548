/**
 * The ops once more, naively: plain loops over float64, from the formulas in the documentation and
 * not from the kernels. Names and arguments are those of `src/ops`, so that a computation can be
 * written once and evaluated with either.
 */

/** An array in memory: row-major values of a shape. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

type Shape = readonly number[];
type Axes = number | readonly number[];
type Padding = "same" | "valid";
type Pairs = readonly (readonly [number, number])[];
interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}
interface ConvOptions {
  readonly strides?: number | readonly [number, number];
  readonly padding?: Padding;
}
interface FilterGradOptions extends ConvOptions {
  readonly kernelSize: number | readonly [number, number];
}
interface NormOptions {
  readonly epsilon?: number;
}
type Signs = "neg" | "abs" | "sign" | "relu" | "stopGradient";
type Unary = Signs | "exp" | "log" | "sqrt" | "tanh" | "sigmoid" | "softplus";
type Binary = "add" | "sub" | "mul" | "div" | "maximum" | "minimum";

/**
 * What the library's ops and this file have in common: a computation that is written over it can be
 * evaluated by either. T is a tensor of a recording, or an array.
 */
export interface Algebra<T>
  extends Record<Unary, (x: T) => T>, Record<Binary, (a: T | number, b: T | number) => T> {
  leakyRelu(x: T, slope?: number): T;
  step(x: T, below?: number): T;
  cast(x: T, dtype: "f32" | "u32"): T;
  constant(value: number | ArrayLike<number>, shape?: Shape): T;
  where(condition: T, a: T | number, b: T | number): T;
  sigmoidCrossEntropyWithLogits(logits: T, labels: T): T;
  softmaxCrossEntropyWithLogits(logits: T, labels: T): T;
  broadcastTo(x: T, shape: Shape): T;
  reshape(x: T, shape: Shape): T;
  transpose(x: T, permutation?: readonly number[]): T;
  slice(x: T, begin: Shape, size: Shape, strides?: Shape): T;
  pad(x: T, padding: Pairs): T;
  concat(tensors: readonly T[], axis?: number): T;
  gather(x: T, indices: T, axis?: number): T;
  gatherImages(images: T, indices: T): T;
  sum(x: T, axes?: Axes, keepDims?: boolean): T;
  max(x: T, axes?: Axes, keepDims?: boolean): T;
  mean(x: T, axes?: Axes, keepDims?: boolean): T;
  matmul(a: T, b: T, options?: MatmulOptions): T;
  conv2d(x: T, kernel: T, options?: ConvOptions): T;
  conv2dTranspose(x: T, kernel: T, options?: ConvOptions): T;
  conv2dFilterGrad(x: T, dy: T, options: FilterGradOptions): T;
  batchNorm(x: T, gamma: T, beta: T, options?: NormOptions): { y: T; mean: T; variance: T };
  batchNormInference(x: T, gamma: T, beta: T, mean: T, variance: T, options?: NormOptions): T;
}

/** An array of a shape; zeros without data. */
export function nd(shape: Shape, data?: ArrayLike<number>): NdArray {
  return { shape, data: data ? Float64Array.from(data) : new Float64Array(count(shape)) };
}

export function count(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

const rowMajor = (shape: Shape) => shape.map((_, axis) => count(shape.slice(axis + 1)));

/** For each element of a box, in order, the sum of its coordinates times some strides. */
function addresses(box: Shape, strides: Shape): Int32Array {
  const result = new Int32Array(count(box));
  for (let e = 0; e < result.length; e++) {
    let rest = e;
    for (let axis = box.length - 1; axis >= 0; axis--) {
      result[e] += rest % box[axis] * strides[axis];
      rest = Math.floor(rest / box[axis]);
    }
  }
  return result;
}

const map = ({ shape, data }: NdArray, f: (value: number, i: number) => number): NdArray => {
  return { shape, data: data.map(f) };
};

/** Elements of x at addresses, under a shape. */
function pick(x: NdArray, shape: Shape, at: Int32Array): NdArray {
  return { shape, data: Float64Array.from(at, (i) => x.data[i]) };
}

// Elementwise, one operand

export const neg = (x: NdArray) => map(x, (v) => -v);
export const exp = (x: NdArray) => map(x, Math.exp);
export const log = (x: NdArray) => map(x, Math.log);
export const sqrt = (x: NdArray) => map(x, Math.sqrt);
export const abs = (x: NdArray) => map(x, Math.abs);
export const sign = (x: NdArray) => map(x, Math.sign);
export const tanh = (x: NdArray) => map(x, Math.tanh);
export const sigmoid = (x: NdArray) => map(x, (v) => 1 / (1 + Math.exp(-v)));
export const softplus = (x: NdArray) =>
  map(x, (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))));
export const relu = (x: NdArray) => map(x, (v) => Math.max(v, 0));
export const leakyRelu = (x: NdArray, slope = 0.3) => map(x, (v) => v > 0 ? v : slope * v);
export const step = (x: NdArray, below = 0) => map(x, (v) => v > 0 ? 1 : below);
export const stopGradient = (x: NdArray) => x;
export const cast = (x: NdArray, dtype: "f32" | "u32") => dtype === "f32" ? x : map(x, Math.trunc);
export const constant = (value: number | ArrayLike<number>, shape?: Shape): NdArray =>
  typeof value === "number"
    ? map(nd(shape ?? []), () => value)
    : nd(shape ?? [value.length], value);

// Elementwise, two operands that broadcast

type Operand = NdArray | number;

function zip(a: Operand, b: Operand, f: (a: number, b: number) => number): NdArray {
  const [x, y] = [a, b].map((v) => typeof v === "number" ? nd([], [v]) : v);
  const rank = Math.max(x.shape.length, y.shape.length);
  const wide = [x, y].map((v) => [...new Array(rank - v.shape.length).fill(1), ...v.shape]);
  const shape = wide[0].map((n, axis) => n === 1 ? wide[1][axis] : n);
  const [i, j] = wide.map((own) => addresses(shape, broadcastStrides(own)));
  return { shape, data: Float64Array.from(i, (at, e) => f(x.data[at], y.data[j[e]])) };
}

const broadcastStrides = (shape: Shape) =>
  rowMajor(shape).map((stride, axis) => shape[axis] === 1 ? 0 : stride);

export const add = (a: Operand, b: Operand) => zip(a, b, (x, y) => x + y);
export const sub = (a: Operand, b: Operand) => zip(a, b, (x, y) => x - y);
export const mul = (a: Operand, b: Operand) => zip(a, b, (x, y) => x * y);
export const div = (a: Operand, b: Operand) => zip(a, b, (x, y) => x / y);
export const maximum = (a: Operand, b: Operand) => zip(a, b, Math.max);
export const minimum = (a: Operand, b: Operand) => zip(a, b, Math.min);
export function where(condition: NdArray, a: Operand, b: Operand): NdArray {
  const [yes, no] = [a, b].map((v) => zip(condition, v, (_, x) => x));
  const shape = zip(yes, no, () => 0);
  const [c, x, y] = [condition, yes, no].map((v) => zip(v, shape, (x) => x).data);
  return { shape: shape.shape, data: c.map((v, e) => v !== 0 ? x[e] : y[e]) };
}

export function sigmoidCrossEntropyWithLogits(logits: NdArray, labels: NdArray): NdArray {
  // -t log(s) - (1 - t) log(1 - s) with s = sigmoid(x)
  const [yes, no] = [softplus(neg(logits)), softplus(logits)];
  return add(mul(labels, yes), mul(sub(1, labels), no));
}

export function softmaxCrossEntropyWithLogits(logits: NdArray, labels: NdArray): NdArray {
  const classes = logits.shape.at(-1)!;
  const result = nd(logits.shape.slice(0, -1));
  for (let row = 0; row < result.data.length; row++) {
    const x = logits.data.subarray(row * classes, (row + 1) * classes);
    const most = Math.max(...x);
    const logSum = most + Math.log(x.reduce((sum, v) => sum + Math.exp(v - most), 0));
    x.forEach((v, i) => result.data[row] += labels.data[row * classes + i] * (logSum - v));
  }
  return result;
}

export const dropout = (x: NdArray, mask: ArrayLike<number>, rate: number) =>
  map(x, (v, i) => mask[i] ? v / (1 - rate) : 0);

// Moving elements

export function broadcastTo(x: NdArray, shape: Shape): NdArray {
  const padded = [...new Array(shape.length - x.shape.length).fill(1), ...x.shape];
  return pick(x, shape, addresses(shape, broadcastStrides(padded)));
}

export function reshape(x: NdArray, shape: Shape): NdArray {
  const known = count(shape.filter((n) => n !== -1));
  return { shape: shape.map((n) => n === -1 ? x.data.length / known : n), data: x.data };
}

export function transpose(x: NdArray, permutation?: readonly number[]): NdArray {
  const order = permutation ?? x.shape.map((_, i) => x.shape.length - 1 - i);
  const shape = order.map((axis) => x.shape[axis]);
  const strides = rowMajor(x.shape);
  return pick(x, shape, addresses(shape, order.map((axis) => strides[axis])));
}

export function slice(x: NdArray, begin: Shape, size: Shape, steps?: Shape): NdArray {
  const by = steps ?? begin.map(() => 1);
  const shape = size.map((n, axis) => {
    return n === -1 ? Math.ceil((x.shape[axis] - begin[axis]) / by[axis]) : n;
  });
  const strides = rowMajor(x.shape);
  const first = begin.reduce((sum, b, axis) => sum + b * strides[axis], 0);
  const jumps = strides.map((stride, axis) => stride * by[axis]);
  return pick(x, shape, addresses(shape, jumps).map((at) => first + at));
}

export function pad(x: NdArray, padding: Pairs): NdArray {
  const result = nd(x.shape.map((n, axis) => padding[axis][0] + n + padding[axis][1]));
  const strides = rowMajor(result.shape);
  const first = padding.reduce((sum, [before], axis) => sum + before * strides[axis], 0);
  addresses(x.shape, strides).forEach((at, e) => result.data[first + at] = x.data[e]);
  return result;
}

export function concat(tensors: readonly NdArray[], axis = 0): NdArray {
  const [{ shape }] = tensors;
  const along = axis < 0 ? axis + shape.length : axis;
  const outer = count(shape.slice(0, along));
  const data: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (const t of tensors) {
      const run = t.data.length / outer;
      data.push(...t.data.subarray(o * run, (o + 1) * run));
    }
  }
  const total = tensors.reduce((sum, t) => sum + t.shape[along], 0);
  return nd(shape.map((n, i) => i === along ? total : n), data);
}

export function gather(x: NdArray, indices: NdArray, axis = 0): NdArray {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const [before, n, after] = [x.shape.slice(0, along), x.shape[along], x.shape.slice(along + 1)];
  const inner = count(after);
  const data: number[] = [];
  for (let o = 0; o < count(before); o++) {
    for (const index of indices.data) {
      for (let j = 0; j < inner; j++) data.push(x.data[(o * n + index) * inner + j]);
    }
  }
  return nd([...before, ...indices.shape, ...after], data);
}

export const gatherImages = (images: NdArray, indices: NdArray) =>
  map(gather(images, indices), (byte) => (byte - 127.5) / 127.5);

// Reductions

function reduce(
  x: NdArray,
  axes: Axes | undefined,
  keepDims: boolean,
  start: number,
  f: (a: number, b: number) => number,
): NdArray {
  const all = x.shape.map((_, i) => i);
  const reduced = axes === undefined
    ? all
    : [axes].flat().map((a) => a < 0 ? a + x.shape.length : a);
  const kept = x.shape.map((n, axis) => reduced.includes(axis) ? 1 : n);
  const data = new Float64Array(count(kept)).fill(start);
  const target = addresses(x.shape, broadcastStrides(kept));
  x.data.forEach((v, e) => data[target[e]] = f(data[target[e]], v));
  return { shape: keepDims ? kept : x.shape.filter((_, i) => !reduced.includes(i)), data };
}

export const sum = (x: NdArray, axes?: Axes, keepDims = false) =>
  reduce(x, axes, keepDims, 0, (a, b) => a + b);
export const max = (x: NdArray, axes?: Axes, keepDims = false) =>
  reduce(x, axes, keepDims, -Infinity, Math.max);

export function mean(x: NdArray, axes?: Axes, keepDims = false): NdArray {
  const total = sum(x, axes, keepDims);
  return div(total, x.data.length / total.data.length);
}

// Matrix products and convolutions

export function matmul(
  a: NdArray,
  b: NdArray,
  { transposeA = false, transposeB = false }: MatmulOptions = {},
): NdArray {
  const [x, y] = [transposeA ? transpose(a) : a, transposeB ? transpose(b) : b];
  const [[m, k], [, n]] = [x.shape, y.shape];
  const result = nd([m, n]);
  for (let i = 0; i < m; i++) {
    for (let q = 0; q < k; q++) {
      for (let j = 0; j < n; j++) result.data[i * n + j] += x.data[i * k + q] * y.data[q * n + j];
    }
  }
  return result;
}

/** Size of a convolution's result along one axis, and TensorFlow's zeros before the input. */
export function convAxis(size: number, kernel: number, stride: number, padding: Padding) {
  if (padding === "valid") return { out: Math.floor((size - kernel) / stride) + 1, before: 0 };
  const out = Math.ceil(size / stride);
  return { out, before: Math.floor(Math.max((out - 1) * stride + kernel - size, 0) / 2) };
}

/** Meeting points of two sides of a convolution: large pixel, tap and small pixel. */
function* meetings(
  large: Shape,
  small: Shape,
  kernel: Shape,
  [sh, sw]: Shape,
  [top, left]: Shape,
) {
  for (let b = 0; b < small[0]; b++) {
    for (let oy = 0; oy < small[1]; oy++) {
      for (let ox = 0; ox < small[2]; ox++) {
        for (let ky = 0; ky < kernel[0]; ky++) {
          for (let kx = 0; kx < kernel[1]; kx++) {
            const [iy, ix] = [oy * sh + ky - top, ox * sw + kx - left];
            if (iy < 0 || iy >= large[1] || ix < 0 || ix >= large[2]) continue;
            yield {
              large: (b * large[1] + iy) * large[2] + ix,
              tap: ky * kernel[1] + kx,
              small: (b * small[1] + oy) * small[2] + ox,
            };
          }
        }
      }
    }
  }
}

function stridePair({ strides = 1 }: ConvOptions): readonly [number, number] {
  return typeof strides === "number" ? [strides, strides] : strides;
}

function convShape(x: Shape, kernel: Shape, options: ConvOptions) {
  const { padding = "valid" } = options;
  const [sh, sw] = stridePair(options);
  const y = convAxis(x[1], kernel[0], sh, padding);
  const z = convAxis(x[2], kernel[1], sw, padding);
  return { shape: [x[0], y.out, z.out, kernel[3]], before: [y.before, z.before] };
}

export function conv2d(x: NdArray, w: NdArray, options: ConvOptions = {}): NdArray {
  const { shape, before } = convShape(x.shape, w.shape, options);
  const [, , inner, outer] = w.shape;
  const y = nd(shape);
  for (const at of meetings(x.shape, shape, w.shape, stridePair(options), before)) {
    for (let c = 0; c < inner; c++) {
      const value = x.data[at.large * inner + c];
      const row = (at.tap * inner + c) * outer;
      for (let n = 0; n < outer; n++) y.data[at.small * outer + n] += value * w.data[row + n];
    }
  }
  return y;
}

export function conv2dTranspose(x: NdArray, w: NdArray, options: ConvOptions = {}): NdArray {
  const { padding = "valid" } = options;
  const strides = stridePair(options);
  const [kh, kw, outer, inner] = w.shape;
  const size = (n: number, k: number, s: number) =>
    n * s + (padding === "same" ? 0 : Math.max(k - s, 0));
  const height = size(x.shape[1], kh, strides[0]);
  const width = size(x.shape[2], kw, strides[1]);
  const shape = [x.shape[0], height, width, outer];
  const { before } = convShape(shape, w.shape, options);
  // Each input pixel is scattered over the taps.
  const y = nd(shape);
  for (const at of meetings(shape, x.shape, w.shape, strides, before)) {
    for (let n = 0; n < outer; n++) {
      const row = (at.tap * outer + n) * inner;
      let sum = 0;
      for (let c = 0; c < inner; c++) sum += x.data[at.small * inner + c] * w.data[row + c];
      y.data[at.large * outer + n] += sum;
    }
  }
  return y;
}

export function conv2dFilterGrad(x: NdArray, dy: NdArray, options: FilterGradOptions): NdArray {
  const { kernelSize: k } = options;
  const [kh, kw] = typeof k === "number" ? [k, k] : k;
  const [inner, outer] = [x.shape[3], dy.shape[3]];
  const dw = nd([kh, kw, inner, outer]);
  const { before } = convShape(x.shape, dw.shape, options);
  for (const at of meetings(x.shape, dy.shape, dw.shape, stridePair(options), before)) {
    for (let c = 0; c < inner; c++) {
      const value = x.data[at.large * inner + c];
      const row = (at.tap * inner + c) * outer;
      for (let n = 0; n < outer; n++) dw.data[row + n] += value * dy.data[at.small * outer + n];
    }
  }
  return dw;
}

// Batch normalization over all axes but the last

export function batchNorm(
  x: NdArray,
  gamma: NdArray,
  beta: NdArray,
  { epsilon = 1e-3 }: NormOptions = {},
): { y: NdArray; mean: NdArray; variance: NdArray } {
  const channels = gamma.data.length;
  const rows = x.data.length / channels;
  const [average, variance] = [nd([channels]), nd([channels])];
  x.data.forEach((v, e) => average.data[e % channels] += v / rows);
  x.data.forEach((v, e) => {
    variance.data[e % channels] += (v - average.data[e % channels]) ** 2 / rows;
  });
  const y = batchNormInference(x, gamma, beta, average, variance, { epsilon });
  return { y, mean: average, variance };
}

export function batchNormInference(
  x: NdArray,
  gamma: NdArray,
  beta: NdArray,
  average: NdArray,
  variance: NdArray,
  { epsilon = 1e-3 }: NormOptions = {},
): NdArray {
  const channels = gamma.data.length;
  return map(x, (v, e) => {
    const c = e % channels;
    const normal = (v - average.data[c]) / Math.sqrt(variance.data[c] + epsilon);
    return gamma.data[c] * normal + beta.data[c];
  });
}
