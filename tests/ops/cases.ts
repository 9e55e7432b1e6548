/**
 * The table of test cases: a list of rows for each op. A missing op is a type error at the end of
 * the file. `ops_test.ts` runs it.
 *
 * A row is an expression that `support/gradcheck.ts` evaluates on the device and in float64.
 */

import type * as ops from "../../src/ops/mod.ts";
import type { Input, OpCase } from "../support/gradcheck.ts";
import type { TestRandom } from "../support/random.ts";
import { type Algebra, convAxis, count } from "../support/reference.ts";

export type OpName = keyof typeof ops;

export type Case = OpCase | { readonly elsewhere: string; readonly why: string };

type Shape = readonly number[];
type Draw = (random: TestRandom) => number;
type Options = Omit<OpCase, "name" | "inputs" | "compute">;

/** A row; an input without values is drawn from the normal distribution. */
export function row(
  name: string,
  inputs: Readonly<Record<string, Shape | Input>>,
  compute: OpCase["compute"],
  options: Options = {},
): OpCase {
  const specs = Object.entries(inputs).map(([key, input]) => [
    key,
    "shape" in input ? input : { shape: input },
  ]);
  return { name, inputs: Object.fromEntries(specs), compute, ...options };
}

const list = (values: readonly number[]): Input => ({ shape: [values.length], values });
function indices(shape: Shape, values: readonly number[], dtype: "u32" | "f32" = "u32"): Input {
  return { shape, values, dtype, fixed: true };
}

/** Away from 0, where a kink or a pole may be. */
const away: Draw = (r) => (r.uniform() < 0.5 ? -1 : 1) * r.between(0.3, 2);
const positive: Draw = (r) => r.between(0.3, 3);
/** Equal, or farther apart than the steps of the finite differences. */
const hundredths: Draw = (r) => Math.round(100 * r.normal()) / 100;
const share: Draw = (r) => r.uniform();

// Elementwise, one operand

type Unary = <T>(o: Algebra<T>, x: T) => T;

/** A size that is no multiple of four, one that is, and a scalar; then single values. */
function unary(f: Unary, values: Draw | undefined, extremes: readonly number[], options?: Options) {
  const compute: OpCase["compute"] = (o, { x }) => f(o, x);
  return [
    ...[[5, 7], [3, 4, 16], []].map((shape) =>
      row(`[${shape}]`, { x: { shape, values } }, compute, options)
    ),
    row("extremes", { x: list(extremes) }, compute, { pointwise: true, gradient: "none" }),
  ];
}

const TINY = [1e-3, -1e-3, 1e-6, -1e-6, 1e-20, -1e-20, 0];
const HUGE = [1e4, -1e4, 1e20, -1e20];

// Elementwise, two operands

type Binary = <T>(o: Algebra<T>, a: T, b: T) => T;

const BROADCASTS: Record<string, readonly [Shape, Shape]> = {
  "no broadcasting": [[3, 5], [3, 5]],
  "no broadcasting, a multiple of four": [[2, 3, 8], [2, 3, 8]],
  "scalar": [[3, 5], []],
  "one element first": [[1], [3, 8]],
  "two scalars": [[], []],
  "per channel": [[2, 3, 8], [8]],
  "per channel, odd": [[2, 3, 7], [7]],
  "channel first": [[5], [2, 4, 5]],
  "per row": [[6, 8], [6, 1]],
  "per row, odd": [[6, 1], [6, 5]],
  "outer product": [[6, 1], [1, 8]],
  "outer product, odd": [[1, 7], [5, 1]],
  "middle axis": [[2, 1, 8], [2, 3, 8]],
  "middle axis, odd": [[2, 3, 5], [2, 1, 5]],
  "all but the middle axis": [[1, 3, 1], [2, 3, 4]],
  "new leading axes": [[3, 4], [2, 5, 3, 4]],
  "both ways": [[2, 1, 4, 1], [3, 1, 5]],
  "size 1 against size 1": [[2, 1, 3], [1, 1, 3]],
  "only ones": [[1, 1, 1], [1]],
  "rank 5, alternating": [[2, 1, 3, 1, 4], [2, 5, 3, 2, 4]],
  "rank 5, both alternating": [[2, 1, 3, 1, 5], [1, 4, 1, 2, 1]],
  "rank 6, alternating": [[2, 1, 2, 1, 3, 1], [2, 3, 2, 2, 3, 4]],
  "rank 6, both alternating, odd": [[1, 3, 1, 2, 1, 3], [2, 1, 2, 1, 3, 1]],
};
const FEW = [
  "no broadcasting",
  "scalar",
  "one element first",
  "per channel",
  "per row, odd",
  "middle axis, odd",
  "both ways",
  "rank 6, alternating",
];

function binary(f: Binary, names: readonly string[], a?: Draw, b?: Draw): OpCase[] {
  return names.map((name) => {
    const [left, right] = BROADCASTS[name];
    const inputs = { a: { shape: left, values: a }, b: { shape: right, values: b } };
    return row(name, inputs, (o, { a, b }) => f(o, a, b));
  });
}

/** The op with a number on either side. */
function numbers(op: "add" | "sub" | "mul" | "div"): OpCase[] {
  return [
    row("number on the right", { x: { shape: [3, 5], values: away } }, (o, { x }) => o[op](x, 2.5)),
    row("number on the left", { x: { shape: [2, 8], values: away } }, (o, { x }) => o[op](-1.7, x)),
    row("a negative number of an odd size", { x: [7] }, (o, { x }) => o[op](x, -0.1)),
  ];
}

/** maximum and minimum: distinct elements, equal ones, a number. */
function choices(f: <T>(o: Algebra<T>, a: T | number, b: T | number) => T): OpCase[] {
  const [a, b] = [[1, 2, -3, 0.5, 2, -1], [1, 3, -3, 0.25, 2, -2]].map(list);
  return [
    ...binary(f, FEW),
    row("equal elements", { a, b }, (o, { a, b }) => f(o, a, b)),
    row("equal elements, broadcast", { a, b: list([2]) }, (o, { a, b }) => f(o, a, b)),
    row("a number", { x: { shape: [3, 5], values: away } }, (o, { x }) => f(o, f(o, x, 0.1), -0.2)),
    row("itself", { a }, (o, { a }) => f(o, a, a)),
  ];
}

/** Zeros and ones that take no gradient. */
const bits = (shape: Shape): Input => ({ shape, values: (r) => r.below(2), fixed: true });

// Reductions

type Reduction = <T>(o: Algebra<T>, x: T, axes?: number | readonly number[], keep?: boolean) => T;

const REDUCTIONS: readonly [Shape, (number | readonly number[])?, boolean?][] = [
  [[3, 5, 7]],
  [[4, 8], undefined, true],
  [[]],
  [[1, 1], 0],
  [[6, 5], 0],
  [[6, 8], 0, true],
  [[6, 5], 1],
  [[6, 8], -1, true],
  [[2, 3, 4], 1],
  [[2, 3, 5], [0, 2]],
  [[2, 3, 5], [-1, 0], true],
  [[3, 1, 4], 1],
  [[1, 5, 1, 3], [0, 1]],
  [[2, 3, 2, 4, 3], [1, 3]],
  [[2, 3, 2, 3, 2, 4], [0, 2, 4]],
  [[70, 67], 0],
  [[67, 70], 1],
  [[2, 1100, 3], 1],
  [[1100, 8], 0],
];

function reductions(f: Reduction, values?: Draw): OpCase[] {
  return REDUCTIONS.map(([shape, axes, keep]) => {
    const over = `[${shape}] over ${axes ?? "all"}${keep ? ", kept" : ""}`;
    return row(over, { x: { shape, values } }, (o, { x }) => f(o, x, axes, keep), { terms: 1100 });
  });
}

/** Longer than a loop may be on some software adapters (65,535 iterations, silently). */
function longReductions(f: Reduction): OpCase[] {
  const million: Options = { terms: 1e6, gradient: "none" };
  const long: Options = { terms: 1e5, gradient: "none" };
  return [
    row("a million", { x: { shape: [1_000_003], values: share } }, (o, { x }) => f(o, x), million),
    row("long rows", { x: [3, 100_003] }, (o, { x }) => f(o, x, 1), long),
    row("long columns", { x: [100_001, 4] }, (o, { x }) => f(o, x, 0), long),
  ];
}

// Matrix products

const ALL_PRODUCTS = ["NN", "NT", "TN", "TT"] as const;
const LONG_OF_FOUR: Options = { gradient: "none", fours: true };

function products(
  what: string,
  [m, k, n]: Shape,
  transposes: readonly (typeof ALL_PRODUCTS)[number][] = ALL_PRODUCTS,
  options?: Options,
): OpCase[] {
  return transposes.map((which) => {
    const [transposeA, transposeB] = [which[0] === "T", which[1] === "T"];
    const inputs = { a: transposeA ? [k, m] : [m, k], b: transposeB ? [n, k] : [k, n] };
    const compute: OpCase["compute"] = (o, { a, b }) => o.matmul(a, b, { transposeA, transposeB });
    return row(`${which} ${what} [${m}, ${k}, ${n}]`, inputs, compute, { terms: k, ...options });
  });
}

// Convolutions: x, height and width of the kernel, output channels, strides, padding

type Padding = "same" | "valid";
type Conv = readonly [string, Shape, readonly [number, number], number, Shape, Padding];

const CONVOLUTIONS: readonly Conv[] = [
  ["single pixel", [1, 1, 1, 1], [1, 1], 1, [1, 1], "valid"],
  ["kernel larger than the image", [1, 1, 1, 3], [3, 3], 2, [1, 1], "same"],
  ["3x3", [2, 5, 7, 3], [3, 3], 5, [1, 1], "same"],
  ["3x3, stride 2", [2, 5, 7, 3], [3, 3], 5, [2, 2], "valid"],
  ["5x5, stride 2", [1, 8, 9, 2], [5, 5], 3, [2, 2], "same"],
  ["even kernel", [1, 6, 6, 1], [4, 4], 1, [1, 1], "same"],
  ["pairs of strides", [3, 9, 8, 4], [2, 3], 4, [2, 3], "valid"],
  ["pairs of strides, same", [3, 9, 8, 4], [2, 3], 8, [3, 2], "same"],
  ["stride larger than the kernel", [2, 10, 7, 5], [1, 1], 4, [3, 3], "same"],
  ["stride larger, what is left over", [1, 9, 8, 4], [1, 2], 4, [2, 3], "valid"],
  ["1x4 kernel", [1, 11, 5, 8], [1, 4], 12, [3, 1], "same"],
  ["across tiles of 8 and 16", [9, 4, 4, 20], [3, 3], 36, [1, 1], "same"],
  ["across tiles of 64, odd", [3, 5, 5, 67], [3, 3], 65, [2, 2], "same"],
  ["across tiles of 64", [2, 6, 6, 68], [2, 2], 72, [1, 1], "valid"],
  ["kernel larger, stride 3", [1, 3, 2, 3], [5, 5], 2, [3, 3], "same"],
  ["the tutorial's, narrow", [3, 14, 14, 16], [5, 5], 32, [2, 2], "same"],
];

/** Channels or images by the four. */
const CONVOLUTIONS_OF_FOUR: readonly Conv[] = [
  ["channels of 4, even kernel", [2, 7, 6, 4], [4, 4], 8, [2, 2], "same"],
  ["stride larger, channels of 4", [1, 8, 7, 4], [2, 2], 4, [3, 3], "same"],
  ["kernel larger, channels of 4", [2, 3, 3, 4], [5, 4], 8, [1, 1], "same"],
  ["one in, many out", [2, 7, 6, 1], [5, 5], 12, [2, 2], "same"],
  ["one in, batch of 4", [4, 7, 6, 1], [5, 5], 12, [2, 2], "same"],
  ["three in, batch of 12", [12, 5, 6, 3], [3, 4], 20, [1, 2], "same"],
  ["two in, batch of 8, what is left over", [8, 9, 8, 2], [2, 3], 4, [3, 2], "valid"],
  ["one pixel of one channel, batch of 4", [4, 1, 1, 1], [3, 3], 4, [1, 1], "same"],
];

/** Sums and sizes beyond what one loop or one row of workgroups holds. */
const LONG_CONVOLUTIONS: readonly Conv[] = [
  ["very many channels", [1, 3, 3, 30_004], [3, 3], 4, [1, 1], "valid"],
  ["very many pixels", [1, 301, 300, 2], [2, 3], 3, [1, 1], "same"],
  ["a very wide image", [1, 1, 70_001, 2], [1, 2], 3, [1, 1], "valid"],
  ["a large kernel", [1, 48, 48, 3], [46, 47], 2, [1, 1], "valid"],
  ["a kernel of very many taps", [1, 261, 262, 1], [260, 261], 1, [1, 1], "valid"],
];

const LONG_CONVOLUTIONS_OF_FOUR: readonly Conv[] = [
  ["very many pixels, channels of 4", [1, 262, 260, 4], [3, 1], 4, [1, 1], "valid"],
  ["very many pixels, batch of 4", [4, 150, 131, 1], [3, 1], 4, [1, 1], "valid"],
  ["a very wide image, channels of 4", [1, 1, 70_001, 4], [1, 2], 4, [1, 1], "valid"],
  ["a very wide image, batch of 4", [4, 1, 70_001, 1], [1, 2], 4, [1, 1], "valid"],
];

const SMALL_SIDES: readonly Conv[] = [
  ["single pixel", [1, 1, 1, 1], [1, 1], 1, [1, 1], "valid"],
  ["single pixel, 5x5", [1, 1, 1, 8], [5, 5], 4, [1, 1], "same"],
  ["3x3", [2, 2, 3, 5], [3, 3], 2, [1, 1], "same"],
  ["3x3, stride 2", [2, 3, 4, 3], [3, 3], 5, [2, 2], "same"],
  ["3x3, stride 2, valid", [2, 3, 4, 3], [3, 3], 5, [2, 2], "valid"],
  ["channels of 4", [2, 4, 3, 4], [5, 5], 8, [2, 2], "same"],
  ["even kernel", [1, 3, 3, 4], [4, 4], 4, [2, 2], "same"],
  ["even kernel, valid", [1, 3, 3, 4], [4, 4], 4, [2, 2], "valid"],
  ["stride larger than the kernel", [1, 3, 2, 4], [2, 2], 4, [3, 3], "valid"],
  ["stride larger than the kernel, same", [2, 3, 2, 3], [1, 2], 2, [3, 3], "same"],
  ["pairs of strides", [1, 3, 4, 2], [3, 2], 3, [3, 1], "same"],
  ["pairs of strides, channels of 4", [1, 2, 4, 8], [1, 5], 4, [1, 2], "valid"],
  ["across tiles of 8 and 16", [9, 3, 3, 20], [3, 3], 36, [1, 1], "same"],
  ["across tiles of 64, odd", [5, 3, 3, 67], [3, 3], 66, [2, 2], "same"],
  ["one out", [2, 4, 5, 12], [5, 5], 1, [2, 2], "same"],
  ["the tutorial's, narrow", [2, 7, 7, 32], [5, 5], 16, [2, 2], "same"],
];
const LONG_SMALL_SIDES: readonly Conv[] = [
  ["very many channels", [1, 3, 3, 30_004], [3, 3], 4, [1, 1], "same"],
  ["very many channels to three", [1, 3, 3, 30_004], [3, 3], 3, [1, 1], "same"],
];

const strideOf = ([h, w]: Shape) => h === w ? h : [h, w] as const;
const convolutionsBy =
  (op: "conv2d" | "conv2dTranspose") => (all: readonly Conv[], options?: Options) =>
    all.map(([what, x, kernel, out, strides, padding]) => {
      const w = [...kernel, ...(op === "conv2d" ? [x[3], out] : [out, x[3]])];
      const compute: OpCase["compute"] = (o, { x, w }) =>
        o[op](x, w, { strides: strideOf(strides), padding });
      const terms = kernel[0] * kernel[1] * x[3];
      return row(`${what} (${padding})`, { x, w }, compute, { terms, ...options });
    });
const convolutions = convolutionsBy("conv2d");
const transposed = convolutionsBy("conv2dTranspose");
const filterGradients = (all: readonly Conv[], options?: Options): OpCase[] =>
  all.map(([what, x, kernel, out, strides, padding]) => {
    const small = [0, 1].map((i) => convAxis(x[i + 1], kernel[i], strides[i], padding).out);
    const kernelSize = kernel[0] === kernel[1] ? kernel[0] : kernel;
    return row(
      `${what} (${padding})`,
      { x, dy: [x[0], ...small, out] },
      (o, { x, dy }) =>
        o.conv2dFilterGrad(x, dy, { kernelSize, strides: strideOf(strides), padding }),
      { terms: x[0] * small[0] * small[1], ...options },
    );
  });

// Batch normalization

function norm(what: string, x: Shape, values?: Draw, epsilon?: number, options?: Options) {
  const channels = [x.at(-1)!];
  return row(
    `${what} [${x}]`,
    { x: { shape: x, values }, gamma: { shape: channels, values: away }, beta: channels },
    (o, { x, gamma, beta }) => o.batchNorm(x, gamma, beta, { epsilon }).y,
    { terms: count(x) / channels[0], ...options },
  );
}

export const cases = {
  neg: unary((o, x) => o.neg(x), undefined, [...TINY, ...HUGE]),
  exp: unary((o, x) => o.exp(x), undefined, [-80, -20, -1, ...TINY, 1, 20, 80]),
  log: unary((o, x) => o.log(x), positive, [
    ...[1e-30, 1e-6, 0.5, 2, 10, 1e6, 1e30],
    ...[0.899, 0.901, 0.95, 0.999, 1 - 2 ** -24, 1, 1 + 2 ** -23, 1.001, 1.05, 1.099, 1.101],
  ]),
  sqrt: unary((o, x) => o.sqrt(x), positive, [0, 1e-30, 1e-6, 0.25, 2, 1e6, 1e30]),
  abs: unary((o, x) => o.abs(x), away, [...TINY, ...HUGE]),
  sign: unary((o, x) => o.sign(x), away, [...TINY, ...HUGE], { gradient: "zero" }),
  tanh: unary(
    (o, x) => o.tanh(x),
    undefined,
    [...TINY, ...HUGE, 0.1, 0.199, -0.2, 0.201, 1, -3, 9, -20, 50, -100],
  ),
  sigmoid: unary(
    (o, x) => o.sigmoid(x),
    undefined,
    [...TINY, 1e4, 1e20, 1, -1, 9, -9, 20, -20, 50, -50, 80, -80],
  ),
  softplus: unary((o, x) => o.softplus(x), undefined, [...TINY, ...HUGE, 1, -1, 9, -9, -20, -80]),
  relu: unary((o, x) => o.relu(x), away, [...TINY, ...HUGE]),
  leakyRelu: [
    ...unary((o, x) => o.leakyRelu(x), away, [...TINY, ...HUGE]),
    row("slope 0", { x: { shape: [7], values: away } }, (o, { x }) => o.leakyRelu(x, 0)),
    row("slope 1.5", { x: { shape: [8], values: away } }, (o, { x }) => o.leakyRelu(x, 1.5)),
    row("negative slope", { x: { shape: [7], values: away } }, (o, { x }) => o.leakyRelu(x, -0.5)),
  ],
  step: [
    ...unary((o, x) => o.step(x), away, [...TINY, ...HUGE], { gradient: "zero" }),
    row("below", { x: { shape: [7], values: away } }, (o, { x }) => o.step(x, 0.3), {
      gradient: "zero",
    }),
  ],
  stopGradient: [
    row("all of it", { x: [3, 5] }, (o, { x }) => o.stopGradient(x), { gradient: "zero" }),
    row("in a sum", { x: [8] }, (o, { x }) => o.stopGradient(o.mul(x, x)), { gradient: "zero" }),
  ],
  constant: [
    row("a shape", {}, (o) => o.constant(-2.5, [3, 5])),
    row("zeros", {}, (o) => o.constant(0, [8])),
    row("an array", { x: [2, 3] }, (o, { x }) => o.mul(x, o.constant([1, -2, 3], [1, 3]))),
    row("a typed array", {}, (o) => o.constant(Float32Array.of(1.5, -2, 0.1))),
    row("an array of an odd size", {}, (o) => o.concat([o.constant([3, 4, 5]), o.constant([6])])),
    row("rows by index", { x: [4, 3] }, (o, { x }) => {
      return o.gather(x, o.constant(Uint32Array.of(2, 0)));
    }),
    row("many in one chain", { x: [7] }, (o, { x }) => {
      let y = x;
      for (let i = 0; i < 40; i++) y = o.where(o.sub(x, i / 9), o.add(y, i / 7), -i);
      return y;
    }),
    row("read by a reduction", { x: [3] }, (o, { x }) => o.add(x, o.sum(o.constant(0.5, [4, 2])))),
    row("a scalar in arithmetic", { x: [3, 4] }, (o, { x }) => o.mul(x, o.constant(0.1))),
  ],

  add: [...binary((o, a, b) => o.add(a, b), FEW), ...numbers("add")],
  sub: [...binary((o, a, b) => o.sub(a, b), FEW), ...numbers("sub")],
  mul: [
    ...binary((o, a, b) => o.mul(a, b), Object.keys(BROADCASTS)),
    ...numbers("mul"),
    row("a square", { x: [3, 5] }, (o, { x }) => o.mul(x, x)),
  ],
  div: [...binary((o, a, b) => o.div(a, b), FEW, undefined, away), ...numbers("div")],
  maximum: choices((o, a, b) => o.maximum(a, b)),
  minimum: choices((o, a, b) => o.minimum(a, b)),
  where: [
    ...binary((o, a, b) => o.where(o.step(a, 0), a, b), FEW, away),
    row("three shapes", { c: bits([3, 1]), a: [2, 1, 4], b: [4] }, (o, { c, a, b }) => {
      return o.where(c, a, b);
    }),
    row("numbers", { c: bits([3, 5]), a: [3, 5] }, (o, { c, a }) => {
      return o.add(o.where(c, a, 2.5), o.add(o.where(c, -1, a), o.where(c, 7, 8)));
    }),
    row(
      "what is not chosen may be infinite or NaN",
      { x: list([-4, -0.5, 0.5, 4]) },
      (o, { x }) => {
        return o.where(o.step(x), o.log(x), o.div(x, 2));
      },
      { gradient: "none" },
    ),
  ],
  sigmoidCrossEntropyWithLogits: [
    ...binary((o, x, t) => o.sigmoidCrossEntropyWithLogits(x, t), FEW, undefined, share),
    row(
      "extremes",
      {
        x: list([1e4, -1e4, 1e4, -1e4, 60, -60, 60, -60, 12, -12, 1e-6, 0]),
        t: list([1, 0, 0, 1, 1, 0, 0.25, 0.25, 1, 0, 1, 0]),
      },
      (o, { x, t }) => o.sigmoidCrossEntropyWithLogits(x, t),
      { pointwise: true, gradient: "none" },
    ),
    row(
      "gradient at extremes",
      { x: list([1e4, -1e4, 1e4, -1e4, 90, -90, 30]), t: list([1, 0, 0, 1, 0.5, 0.5, 1]) },
      (o, { x, t }) => o.sigmoidCrossEntropyWithLogits(x, t),
    ),
  ],
  softmaxCrossEntropyWithLogits: [
    ...[[3, 5], [2, 3, 8], [4, 1], [7]].map((shape) =>
      row(
        `[${shape}]`,
        { x: shape, t: { shape, values: share } },
        (o, { x, t }) => o.softmaxCrossEntropyWithLogits(x, t),
        { terms: 8 },
      )
    ),
    row(
      "extremes",
      {
        x: { shape: [4, 3], values: [1e4, -1e4, 0, -1e4, -1e4, -1e4, 1e4, 1e4, 0, 90, 91, -90] },
        t: { shape: [4, 3], values: [0, 1, 0, 0.5, 0.25, 0.25, 1, 0, 0, 0, 1, 0] },
      },
      (o, { x, t }) => o.softmaxCrossEntropyWithLogits(x, t),
      { pointwise: true, gradient: "none" },
    ),
  ],

  broadcastTo: [
    ...([
      [[], [3, 5]],
      [[1], [8]],
      [[5, 1], [5, 7]],
      [[3, 1, 4], [2, 3, 6, 4]],
      [[2, 1, 3, 1, 4], [2, 5, 3, 2, 4]],
      [[1, 2, 1, 3, 1, 2], [3, 2, 2, 3, 5, 2]],
    ] as const).map(([from, to]) =>
      row(`[${from}] to [${to}]`, { x: from }, (o, { x }) => o.broadcastTo(x, to))
    ),
    row("to itself", { x: [2, 3] }, (o, { x }) => o.mul(o.broadcastTo(x, [2, 3]), x)),
  ],
  reshape: [
    row("[2, 3, 4] to [4, 6]", { x: [2, 3, 4] }, (o, { x }) => o.reshape(x, [4, 6])),
    row("what is left", { x: [2, 3, 5] }, (o, { x }) => o.reshape(x, [3, -1])),
    row("to and from a scalar", { x: [1, 1] }, (o, { x }) => o.mul(o.reshape(x, []), x)),
    row("between elementwise ops", { x: [2, 6] }, (o, { x }) => {
      return o.mul(o.reshape(o.tanh(x), [3, 4]), o.reshape(x, [3, 4]));
    }),
  ],
  transpose: [
    row("a vector", { x: [5] }, (o, { x }) => o.transpose(x)),
    row("a matrix", { x: [5, 7] }, (o, { x }) => o.transpose(x)),
    row("across tiles", { x: [67, 70] }, (o, { x }) => o.transpose(x, [1, 0])),
    row("rank 3", { x: [2, 3, 4] }, (o, { x }) => o.transpose(x, [2, 0, 1])),
    row("rank 4", { x: [2, 3, 4, 5] }, (o, { x }) => o.transpose(x, [0, 3, 1, 2])),
    row("rank 6", { x: [2, 3, 1, 2, 3, 2] }, (o, { x }) => o.transpose(x, [4, 0, 5, 2, 3, 1])),
    row("nothing moved", { x: [3, 4] }, (o, { x }) => o.transpose(x, [0, 1])),
    row(
      "more workgroups than one dimension has",
      { x: { shape: [2049, 2049], values: share } },
      (o, { x }) => o.transpose(x),
      { gradient: "none" },
    ),
  ],
  slice: [
    row("a part", { x: [7] }, (o, { x }) => o.slice(x, [2], [3])),
    row("all", { x: [3, 4] }, (o, { x }) => o.slice(x, [0, 0], [3, 4])),
    row("the rest", { x: [5, 6] }, (o, { x }) => o.slice(x, [1, 2], [-1, -1])),
    row("one element", { x: [2, 3, 4] }, (o, { x }) => o.slice(x, [1, 2, 3], [1, 1, 1])),
    row("strides", { x: [7, 8] }, (o, { x }) => o.slice(x, [1, 0], [3, -1], [2, 3])),
    row("strides beyond the end", { x: [5, 4] }, (o, { x }) => o.slice(x, [4, 1], [-1, 1], [9, 9])),
    row("strides, rank 6", { x: [2, 3, 2, 5, 2, 7] }, (o, { x }) => {
      return o.slice(x, [0, 1, 0, 0, 1, 1], [-1, -1, 2, 2, -1, 3], [1, 2, 1, 3, 1, 2]);
    }),
    row("rank 6", { x: [2, 3, 2, 3, 2, 4] }, (o, { x }) => {
      return o.slice(x, [1, 0, 0, 1, 0, 1], [1, 2, 2, 2, -1, 2]);
    }),
  ],
  pad: [
    row("both ends", { x: [5] }, (o, { x }) => o.pad(x, [[2, 3]])),
    row("nothing", { x: [2, 4] }, (o, { x }) => o.pad(x, [[0, 0], [0, 0]])),
    row("an image", { x: [2, 3, 4, 2] }, (o, { x }) => {
      return o.pad(x, [[0, 0], [1, 2], [3, 0], [0, 1]]);
    }),
    row("rank 6", { x: [1, 2, 1, 3, 1, 2] }, (o, { x }) => {
      return o.pad(x, [[1, 0], [0, 1], [0, 0], [2, 0], [1, 1], [0, 2]]);
    }),
  ],
  concat: [
    row("first axis", { a: [2, 3], b: [1, 3] }, (o, { a, b }) => o.concat([a, b])),
    row("last axis", { a: [2, 3], b: [2, 1], c: [2, 4] }, (o, { a, b, c }) => {
      return o.concat([a, b, c], -1);
    }),
    row("middle axis", { a: [2, 1, 5], b: [2, 3, 5] }, (o, { a, b }) => o.concat([a, b], 1)),
    row("one tensor", { a: [3, 2] }, (o, { a }) => o.concat([a], 1)),
    row("the same twice", { a: [3, 2] }, (o, { a }) => o.concat([a, a, o.neg(a)], 1)),
    row("rank 6", { a: [1, 2, 1, 3, 2, 2], b: [1, 2, 2, 3, 2, 2] }, (o, { a, b }) => {
      return o.concat([a, b], 2);
    }),
  ],
  gather: [
    row("rows", { x: [5, 3], i: indices([4], [4, 0, 2, 2]) }, (o, { x, i }) => o.gather(x, i)),
    row("float indices", { x: [5, 4], i: indices([3], [1, 4, 0], "f32") }, (o, { x, i }) => {
      return o.gather(x, i);
    }),
    row("of a vector", { x: [6], i: indices([2, 2], [5, 0, 3, 3]) }, (o, { x, i }) => {
      return o.gather(x, i);
    }),
    row("a scalar index", { x: [3, 4], i: indices([], [2]) }, (o, { x, i }) => o.gather(x, i)),
    row(
      "middle axis, a matrix of indices",
      { x: [2, 5, 3], i: indices([2, 3], [4, 0, 1, 2, 2, 3]) },
      (o, { x, i }) => o.gather(x, i, 1),
    ),
    row("last axis", { x: [3, 4], i: indices([2], [3, 1]) }, (o, { x, i }) => o.gather(x, i, -1)),
    row(
      "very many indices",
      {
        x: [5, 2],
        i: indices([70_003], Array.from({ length: 70_003 }, (_, i) => (i * i + (i >> 3)) % 5)),
      },
      (o, { x, i }) => o.gather(x, i),
    ),
  ],
  gatherImages: [
    row(
      "bytes",
      {
        images: { shape: [5, 3, 3, 1], values: (r) => r.below(256), dtype: "u8", fixed: true },
        i: indices([4], [4, 0, 3, 3]),
      },
      (o, { images, i }) => o.gatherImages(images, i),
    ),
  ],

  sum: [
    ...reductions((o, x, axes, keep) => o.sum(x, axes, keep)),
    ...longReductions((o, x, axes) => o.sum(x, axes)),
  ],
  mean: [
    ...reductions((o, x, axes, keep) => o.mean(x, axes, keep)).slice(0, 10),
    ...longReductions((o, x, axes) => o.mean(x, axes)).slice(0, 1),
  ],
  max: [
    ...reductions((o, x, axes, keep) => o.max(x, axes, keep), hundredths),
    row("two equal ones", { x: list([1, 3, -2, 3]) }, (o, { x }) => o.max(x)),
    row(
      "two equal ones in each row",
      { x: { shape: [3, 3], values: [1, 1, 0, 0, 2, 2, -1, -5, -1] } },
      (o, { x }) => o.mul(o.max(x, 1, true), x),
    ),
    ...longReductions((o, x, axes) => o.max(x, axes)),
  ],

  matmul: [
    ...products("one number", [1, 1, 1], ["NN"]),
    ...products("odd", [3, 5, 7]),
    ...products("multiples of four", [8, 12, 16], ALL_PRODUCTS, { fours: true }),
    ...products("two vectors", [5, 1, 6], ["NN", "TT"]),
    ...products("a vector", [1, 9, 4], ["NN", "NT"]),
    ...products("across tiles, odd", [70, 33, 67], ["NN", "NT"]),
    ...products("across tiles", [68, 20, 72], ["NN", "NT", "TN"]),
    ...products("across tiles of 8 and 16", [20, 64, 36], ["NN"]),
    ...products("one size a multiple of four", [17, 8, 6], ALL_PRODUCTS, { fours: true }),
    ...products("two sizes multiples of four", [12, 9, 20], ALL_PRODUCTS, { fours: true }),
    ...products("the other two", [9, 12, 20], ["NN", "TN"], { fours: true }),
    ...products("long", [2, 300_003, 3], ["NN", "NT", "TN"], { gradient: "none" }),
    ...products("long, a multiple of four", [3, 300_004, 4], ["TN"], LONG_OF_FOUR),
    ...products("long, a multiple of four", [4, 300_004, 3], ["NT"], LONG_OF_FOUR),
    ...products("long, multiples of four", [4, 300_004, 4], ["NN", "NT", "TN"], LONG_OF_FOUR),
    row("with itself", { a: [6, 6] }, (o, { a }) => o.matmul(a, a, { transposeB: true })),
  ],
  conv2d: [
    ...convolutions(CONVOLUTIONS),
    ...convolutions(CONVOLUTIONS_OF_FOUR, { fours: true }),
    ...convolutions(LONG_CONVOLUTIONS, { gradient: "none" }),
    ...convolutions(LONG_CONVOLUTIONS_OF_FOUR, LONG_OF_FOUR),
  ],
  conv2dTranspose: [
    ...transposed(SMALL_SIDES),
    ...transposed(LONG_SMALL_SIDES, { gradient: "none" }),
  ],
  conv2dFilterGrad: [
    ...filterGradients(CONVOLUTIONS),
    ...filterGradients(CONVOLUTIONS_OF_FOUR, { fours: true }),
    ...filterGradients(LONG_CONVOLUTIONS.slice(1), { gradient: "none" }),
    ...filterGradients(LONG_CONVOLUTIONS_OF_FOUR, LONG_OF_FOUR),
  ],

  batchNorm: [
    norm("odd", [5, 3]),
    norm("multiple of four", [7, 8]),
    norm("an image", [2, 3, 5, 6]),
    norm("one channel", [9, 1]),
    norm("one row", [1, 4]),
    norm("one row of an image", [1, 1, 1, 3]),
    norm("many channels", [33, 70]),
    // A float32 near 1000 is right to 6e-5, so the mean is too.
    norm("a large mean", [40, 4], (r) => 1000 + r.normal(), 1e-3, { tolerance: 2e-4 }),
    norm("small numbers, epsilon 1e-6", [20, 5], (r) => 0.01 * r.normal(), 1e-6),
    norm("several chunks", [5000, 3]),
    norm("very many rows", [300_001, 4]),
    row(
      "mean and variance",
      { x: [3, 4, 5], gamma: [5], beta: [5] },
      (o, { x, gamma, beta }) => ({ ...o.batchNorm(x, gamma, beta) }),
      { terms: 12 },
    ),
    row(
      "mean and variance of a chunked batch",
      { x: [1000, 8], gamma: [8], beta: [8] },
      (o, { x, gamma, beta }) => ({ ...o.batchNorm(x, gamma, beta, { epsilon: 0.1 }) }),
      { terms: 1000 },
    ),
  ],
  batchNormInference: [[5, 3], [2, 3, 8]].map((shape) => {
    const channels = shape.slice(-1);
    const variance = { shape: channels, values: positive };
    return row(
      `[${shape}]`,
      { x: shape, gamma: channels, beta: channels, mean: channels, variance },
      (o, { x, gamma, beta, mean, variance }) =>
        o.batchNormInference(x, gamma, beta, mean, variance, { epsilon: 0.01 }),
    );
  }),

  cast: [
    row(
      "bytes to floats",
      { x: { shape: [7], values: [0, 1, 2, 127, 128, 254, 255], dtype: "u8", fixed: true } },
      (o, { x }) => o.cast(x, "f32"),
    ),
    row(
      "words to floats",
      { x: indices([2, 3], [0, 1, 7, 2 ** 24, 2 ** 31, 4294967040]) },
      (o, { x }) => o.div(o.cast(x, "f32"), 2),
      { pointwise: true },
    ),
    row("floats to words and back", { x: [5, 7] }, (o, { x }) => {
      return o.cast(o.cast(o.abs(o.mul(x, 100)), "u32"), "f32");
    }, { gradient: "zero" }),
    row("nothing to do", { x: [8] }, (o, { x }) => o.cast(x, "f32")),
  ],

  assign: [{ elsewhere: "compile_test.ts", why: "it has an effect and no value" }],
  dropout: [{ elsewhere: "random_test.ts", why: "its mask is random" }],
  randomBits: [{ elsewhere: "random_test.ts", why: "it has no operand" }],
  randomNormal: [{ elsewhere: "random_test.ts", why: "it has no operand" }],
  randomUniform: [{ elsewhere: "random_test.ts", why: "it has no operand" }],
} satisfies Record<OpName, readonly Case[]>;
