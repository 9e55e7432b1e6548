/**
 * The table of test cases: a list of rows for each op. A missing op is a type error at the end of
 * the file. A row is an expression that `support/gradcheck.ts` evaluates on the device and in
 * float64. `ops_test.ts` checks values and gradients of each, `second_order_test.ts` also second
 * derivatives of some.
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

/**
 * A row; an input without values is drawn from the normal distribution. A single one is called x,
 * several a to e.
 */
export function row(
  name: string,
  inputs: readonly (Shape | Input)[],
  compute: <T extends { readonly shape: Shape }>(
    o: Algebra<T>,
    ...inputs: T[]
  ) => T | Record<string, T>,
  options: Options = {},
): OpCase {
  const names = inputs.length === 1 ? ["x"] : ["a", "b", "c", "d", "e"].slice(0, inputs.length);
  const specs = inputs.map((x, i) => [names[i], "shape" in x ? x : { shape: x }]);
  return {
    name,
    inputs: Object.fromEntries(specs),
    compute: (o, all) => compute(o, ...names.map((key) => all[key])),
    ...options,
  };
}

/** For rows whose second derivatives are checked, too. */
const SECOND: Options = { second: true };

const list = (values: readonly number[]): Input => ({ shape: [values.length], values });
/** Whole numbers that take no gradient. */
function indices(shape: Shape, values: Input["values"], dtype: Input["dtype"] = "u32"): Input {
  return { shape, values, dtype, fixed: true };
}

/** Away from 0, where a kink or a pole may be. */
const away: Draw = (r) => (r.uniform() < 0.5 ? -1 : 1) * r.between(0.3, 2);
const positive: Draw = (r) => r.between(0.3, 3);
/** Equal, or farther apart than the steps of the finite differences. */
const hundredths: Draw = (r) => Math.round(100 * r.normal()) / 100;
const tenths: Draw = (r) => Math.round(10 * r.normal()) / 10;
const betweenTenths: Draw = (r) => tenths(r) + 0.05;
const share: Draw = (r) => r.uniform();
const zeroOrOne: Draw = (r) => r.below(2);

// Elementwise, one operand

type Unary = <T>(o: Algebra<T>, x: T) => T;

/** A size that is no multiple of four, one that is, and a scalar; then single values. */
function unary(f: Unary, values: Draw | undefined, extremes: readonly number[], options?: Options) {
  return [
    ...[[5, 7], [3, 4, 16], []].map((shape, i) =>
      row(`[${shape}]`, [{ shape, values }], f, options ?? { second: i === 0 })
    ),
    row("extremes", [list(extremes)], f, { pointwise: true, gradient: "none" }),
  ];
}

const TINY = [1e-3, -1e-3, 1e-6, -1e-6, 1e-20, -1e-20, 0];
const HUGE = [1e4, -1e4, 1e20, -1e20];

// Elementwise, two operands

type Arithmetic = "add" | "sub" | "mul" | "div";
type Binary = Arithmetic | "maximum" | "minimum" | "sigmoidCrossEntropyWithLogits";

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

/** Operands that broadcast in these ways. */
function binary(op: Binary, names: readonly string[] = FEW, b?: Draw): OpCase[] {
  return names.map((name) => {
    const [left, right] = BROADCASTS[name];
    // Of the choices, operands that are close have no second derivative.
    const second = name === "both ways" && op !== "maximum" && op !== "minimum";
    return row(name, [left, { shape: right, values: b }], (o, a, b) => o[op](a, b), { second });
  });
}

/** The same, and with a number on either side. */
function arithmetic(op: Arithmetic, names?: readonly string[], b?: Draw): OpCase[] {
  return [
    ...binary(op, names, b),
    row("number on the right", [{ shape: [3, 5], values: away }], (o, x) => o[op](x, 2.5)),
    row("number on the left", [{ shape: [2, 8], values: away }], (o, x) => o[op](-1.7, x), SECOND),
    row("a negative number of an odd size", [[7]], (o, x) => o[op](x, -0.1)),
  ];
}

/** Distinct elements, equal ones, a number. */
function choices(op: "maximum" | "minimum"): OpCase[] {
  const [a, b] = [[1, 2, -3, 0.5, 2, -1], [1, 3, -3, 0.25, 2, -2]].map(list);
  const [c, d] = [{ shape: [3, 4], values: tenths }, { shape: [4], values: betweenTenths }];
  return [
    ...binary(op),
    row("apart", [c, d], (o, a, b) => o[op](a, b), SECOND),
    row("equal elements", [a, b], (o, a, b) => o[op](a, b)),
    row("equal elements, broadcast", [a, list([2])], (o, a, b) => o[op](a, b)),
    row("a number", [{ shape: [3, 5], values: away }], (o, x) => o[op](o[op](x, 0.1), -0.2)),
    row("itself", [a], (o, a) => o[op](a, a)),
  ];
}

// Reductions

type Reduction = "sum" | "mean" | "max";

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

function reductions(op: Reduction, rows = REDUCTIONS, values?: Draw): OpCase[] {
  return rows.map(([shape, axes, keep]) => {
    const over = `[${shape}] over ${axes ?? "all"}${keep ? ", kept" : ""}`;
    const options = { terms: 1100, second: `${axes}` === "0,2" && op !== "max" };
    return row(over, [{ shape, values }], (o, x) => o[op](x, axes, keep), options);
  });
}

/** Longer than a loop may be on some software adapters (65,535 iterations, silently). */
const LONG_REDUCTIONS: readonly [string, Shape, number?, Draw?][] = [
  ["a million", [1_000_003], undefined, share],
  ["long rows", [3, 100_003], 1],
  ["long columns", [100_001, 4], 0],
];

function longReductions(op: Reduction, rows = LONG_REDUCTIONS): OpCase[] {
  return rows.map(([what, shape, axis, values]) => {
    const options: Options = { terms: Math.max(...shape), gradient: "none" };
    return row(what, [{ shape, values }], (o, x) => o[op](x, axis), options);
  });
}

// Matrix products

const ALL_PRODUCTS = ["NN", "NT", "TN", "TT"];
const LONG_OF_FOUR: Options = { gradient: "none", fours: true };

function products(what: string, [m, k, n]: Shape, transposes = ALL_PRODUCTS, options?: Options) {
  return transposes.map((which) => {
    const [transposeA, transposeB] = [which[0] === "T", which[1] === "T"];
    const inputs = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
    return row(`${which} ${what} [${m}, ${k}, ${n}]`, inputs, (o, a, b) => {
      return o.matmul(a, b, { transposeA, transposeB });
    }, { terms: k, ...options });
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

type ConvOp = "conv2d" | "conv2dTranspose" | "conv2dFilterGrad";

function convolutions(op: ConvOp, all: readonly Conv[], options?: Options): OpCase[] {
  return all.map(([what, x, kernel, out, [sh, sw], padding]) => {
    const [kh, kw] = kernel;
    const small = [convAxis(x[1], kh, sh, padding).out, convAxis(x[2], kw, sw, padding).out];
    const w = {
      conv2d: [kh, kw, x[3], out],
      conv2dTranspose: [kh, kw, out, x[3]],
      conv2dFilterGrad: [x[0], ...small, out],
    }[op];
    const terms = op === "conv2dFilterGrad" ? x[0] * small[0] * small[1] : kh * kw * x[3];
    const strides = sh === sw ? sh : [sh, sw] as const;
    const kernelSize = kh === kw ? kh : kernel;
    const second = what === "3x3, stride 2" || what.startsWith("channels of 4");
    return row(`${what} (${padding})`, [x, w], (o, x, w) => {
      return o[op](x, w, { kernelSize, strides, padding });
    }, { terms, second, ...options });
  });
}

// Batch normalization

function norm(what: string, x: Shape, values?: Draw, epsilon?: number, options?: Options) {
  const channels = [x.at(-1)!];
  return row(
    `${what} [${x}]`,
    [{ shape: x, values }, { shape: channels, values: away }, channels],
    (o, x, gamma, beta) => o.batchNorm(x, gamma, beta, { epsilon }).y,
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
  tanh: unary((o, x) => o.tanh(x), undefined, [
    ...[...TINY, ...HUGE, 0.1, 0.199, -0.2, 0.201, 1, -3, 9, -20, 50, -100],
  ]),
  sigmoid: unary((o, x) => o.sigmoid(x), undefined, [
    ...[...TINY, 1e4, 1e20, 1, -1, 9, -9, 20, -20, 50, -50, 80, -80],
  ]),
  softplus: unary((o, x) => o.softplus(x), undefined, [...TINY, ...HUGE, 1, -1, 9, -9, -20, -80]),
  relu: unary((o, x) => o.relu(x), away, [...TINY, ...HUGE]),
  leakyRelu: [
    ...unary((o, x) => o.leakyRelu(x), away, [...TINY, ...HUGE]),
    row("slope 0", [{ shape: [7], values: away }], (o, x) => o.leakyRelu(x, 0)),
    row("slope 1.5", [{ shape: [8], values: away }], (o, x) => o.leakyRelu(x, 1.5)),
    row("negative slope", [{ shape: [7], values: away }], (o, x) => o.leakyRelu(x, -0.5)),
  ],
  step: [
    ...unary((o, x) => o.step(x), away, [...TINY, ...HUGE], { gradient: "zero" }),
    row("below", [{ shape: [7], values: away }], (o, x) => o.step(x, 0.3), { gradient: "zero" }),
  ],
  stopGradient: [
    row("all of it", [[3, 5]], (o, x) => o.stopGradient(x), { gradient: "zero" }),
    row("in a sum", [[8]], (o, x) => o.stopGradient(o.mul(x, x)), { gradient: "zero" }),
  ],
  constant: [
    row("a shape", [], (o) => o.constant(-2.5, [3, 5])),
    row("zeros", [], (o) => o.constant(0, [8])),
    row("an array", [[2, 3]], (o, x) => o.mul(x, o.constant([1, -2, 3], [1, 3]))),
    row("a typed array", [], (o) => o.constant(Float32Array.of(1.5, -2, 0.1))),
    row("an array of an odd size", [], (o) => o.concat([o.constant([3, 4, 5]), o.constant([6])])),
    row("rows by index", [[4, 3]], (o, x) => o.gather(x, o.constant(Uint32Array.of(2, 0)))),
    row("many in one chain", [[7]], (o, x) => {
      let y = x;
      for (let i = 0; i < 40; i++) y = o.where(o.sub(x, i / 9), o.add(y, i / 7), -i);
      return y;
    }),
    row("read by a reduction", [[3]], (o, x) => o.add(x, o.sum(o.constant(0.5, [4, 2])))),
    row("a scalar in arithmetic", [[3, 4]], (o, x) => o.mul(x, o.constant(0.1))),
  ],

  add: arithmetic("add"),
  sub: arithmetic("sub"),
  mul: [
    ...arithmetic("mul", Object.keys(BROADCASTS)),
    row("a square", [[3, 5]], (o, x) => o.mul(x, x)),
  ],
  div: arithmetic("div", FEW, away),
  maximum: choices("maximum"),
  minimum: choices("minimum"),
  where: [
    ...FEW.map((name) => {
      const [left, right] = BROADCASTS[name];
      return row(name, [{ shape: left, values: away }, right], (o, a, b) => {
        return o.where(o.step(a, 0), a, b);
      });
    }),
    row("three shapes", [indices([3, 1], [1, 0, 1], "f32"), [2, 1, 4], [4]], (o, c, a, b) => {
      return o.where(c, a, b);
    }, SECOND),
    row("numbers", [indices([3, 5], zeroOrOne, "f32"), [3, 5]], (o, c, a) => {
      return o.add(o.where(c, a, 2.5), o.add(o.where(c, -1, a), o.where(c, 7, 8)));
    }),
    row("what is not chosen may be infinite or NaN", [list([-4, -0.5, 0.5, 4])], (o, x) => {
      return o.where(o.step(x), o.log(x), o.div(x, 2));
    }, { gradient: "none" }),
  ],
  sigmoidCrossEntropyWithLogits: [
    ...binary("sigmoidCrossEntropyWithLogits", FEW, share),
    row(
      "extremes",
      [
        list([1e4, -1e4, 1e4, -1e4, 60, -60, 60, -60, 12, -12, 1e-6, 0]),
        list([1, 0, 0, 1, 1, 0, 0.25, 0.25, 1, 0, 1, 0]),
      ],
      (o, x, t) => o.sigmoidCrossEntropyWithLogits(x, t),
      { pointwise: true, gradient: "none" },
    ),
    row("gradient at extremes", [
      list([1e4, -1e4, 1e4, -1e4, 90, -90, 30]),
      list([1, 0, 0, 1, 0.5, 0.5, 1]),
    ], (o, x, t) => o.sigmoidCrossEntropyWithLogits(x, t)),
  ],
  softmaxCrossEntropyWithLogits: [
    ...[[3, 5], [2, 3, 8], [4, 1], [7]].map((shape) =>
      row(`[${shape}]`, [shape, { shape, values: share }], (o, x, t) => {
        return o.softmaxCrossEntropyWithLogits(x, t);
      }, { terms: 8, second: shape[1] === 5 })
    ),
    row(
      "extremes",
      [
        { shape: [4, 3], values: [1e4, -1e4, 0, -1e4, -1e4, -1e4, 1e4, 1e4, 0, 90, 91, -90] },
        { shape: [4, 3], values: [0, 1, 0, 0.5, 0.25, 0.25, 1, 0, 0, 0, 1, 0] },
      ],
      (o, x, t) => o.softmaxCrossEntropyWithLogits(x, t),
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
      row(`[${from}] to [${to}]`, [from], (o, x) => o.broadcastTo(x, to), {
        second: from.length === 2,
      })
    ),
    row("to itself", [[2, 3]], (o, x) => o.mul(o.broadcastTo(x, [2, 3]), x)),
  ],
  reshape: [
    row("[2, 3, 4] to [4, 6]", [[2, 3, 4]], (o, x) => o.reshape(x, [4, 6])),
    row("what is left", [[2, 3, 5]], (o, x) => o.reshape(x, [3, -1]), SECOND),
    row("to and from a scalar", [[1, 1]], (o, x) => o.mul(o.reshape(x, []), x)),
    row("between elementwise ops", [[2, 6]], (o, x) => {
      return o.mul(o.reshape(o.tanh(x), [3, 4]), o.reshape(x, [3, 4]));
    }),
  ],
  transpose: [
    row("a vector", [[5]], (o, x) => o.transpose(x)),
    row("a matrix", [[5, 7]], (o, x) => o.transpose(x)),
    row("across tiles", [[67, 70]], (o, x) => o.transpose(x, [1, 0])),
    row("rank 3", [[2, 3, 4]], (o, x) => o.transpose(x, [2, 0, 1]), SECOND),
    row("rank 4", [[2, 3, 4, 5]], (o, x) => o.transpose(x, [0, 3, 1, 2])),
    row("rank 6", [[2, 3, 1, 2, 3, 2]], (o, x) => o.transpose(x, [4, 0, 5, 2, 3, 1])),
    row("nothing moved", [[3, 4]], (o, x) => o.transpose(x, [0, 1])),
    // More workgroups than one dimension has.
    row("large", [{ shape: [2049, 2049], values: share }], (o, x) => o.transpose(x), {
      gradient: "none",
    }),
  ],
  slice: [
    row("a part", [[7]], (o, x) => o.slice(x, [2], [3])),
    row("all", [[3, 4]], (o, x) => o.slice(x, [0, 0], [3, 4])),
    row("the rest", [[5, 6]], (o, x) => o.slice(x, [1, 2], [-1, -1])),
    row("one element", [[2, 3, 4]], (o, x) => o.slice(x, [1, 2, 3], [1, 1, 1])),
    row("strides", [[7, 8]], (o, x) => o.slice(x, [1, 0], [3, -1], [2, 3]), SECOND),
    row("strides beyond the end", [[5, 4]], (o, x) => o.slice(x, [4, 1], [-1, 1], [9, 9])),
    row("strides, rank 6", [[2, 3, 2, 5, 2, 7]], (o, x) => {
      return o.slice(x, [0, 1, 0, 0, 1, 1], [-1, -1, 2, 2, -1, 3], [1, 2, 1, 3, 1, 2]);
    }),
    row("rank 6", [[2, 3, 2, 3, 2, 4]], (o, x) => {
      return o.slice(x, [1, 0, 0, 1, 0, 1], [1, 2, 2, 2, -1, 2]);
    }),
  ],
  pad: [
    row("both ends", [[5]], (o, x) => o.pad(x, [[2, 3]])),
    row("nothing", [[2, 4]], (o, x) => o.pad(x, [[0, 0], [0, 0]])),
    row("an image", [[2, 3, 4, 2]], (o, x) => o.pad(x, [[0, 0], [1, 2], [3, 0], [0, 1]]), SECOND),
    row("rank 6", [[1, 2, 1, 3, 1, 2]], (o, x) => {
      return o.pad(x, [[1, 0], [0, 1], [0, 0], [2, 0], [1, 1], [0, 2]]);
    }),
  ],
  concat: [
    row("first axis", [[2, 3], [1, 3]], (o, a, b) => o.concat([a, b])),
    row("last axis", [[2, 3], [2, 1], [2, 4]], (o, a, b, c) => o.concat([a, b, c], -1), SECOND),
    row("middle axis", [[2, 1, 5], [2, 3, 5]], (o, a, b) => o.concat([a, b], 1)),
    row("one tensor", [[3, 2]], (o, a) => o.concat([a], 1)),
    row("the same twice", [[3, 2]], (o, a) => o.concat([a, a, o.neg(a)], 1)),
    row("rank 6", [[1, 2, 1, 3, 2, 2], [1, 2, 2, 3, 2, 2]], (o, a, b) => o.concat([a, b], 2)),
  ],
  gather: [
    row("rows", [[5, 3], indices([4], [4, 0, 2, 2])], (o, x, i) => o.gather(x, i), SECOND),
    row("float indices", [[5, 4], indices([3], [1, 4, 0], "f32")], (o, x, i) => o.gather(x, i)),
    row("of a vector", [[6], indices([2, 2], [5, 0, 3, 3])], (o, x, i) => o.gather(x, i)),
    row("a scalar index", [[3, 4], indices([], [2])], (o, x, i) => o.gather(x, i)),
    row("middle axis", [[2, 5, 3], indices([2, 3], [4, 0, 1, 2, 2, 3])], (o, x, i) => {
      return o.gather(x, i, 1);
    }),
    row("last axis", [[3, 4], indices([2], [3, 1])], (o, x, i) => o.gather(x, i, -1)),
    row("very many", [[5, 2], indices([70_003], (r) => r.below(5))], (o, x, i) => o.gather(x, i)),
  ],
  gatherImages: [
    row("bytes", [
      indices([5, 3, 3, 1], (r) => r.below(256), "u8"),
      indices([4], [4, 0, 3, 3]),
    ], (o, images, i) => o.gatherImages(images, i)),
  ],

  sum: [...reductions("sum"), ...longReductions("sum")],
  mean: [
    ...reductions("mean", REDUCTIONS.slice(0, 10)),
    ...longReductions("mean", LONG_REDUCTIONS.slice(0, 1)),
  ],
  max: [
    ...reductions("max", REDUCTIONS, hundredths),
    row("distinct ones", [{ shape: [2, 3], values: [1, 2, -3, 0.5, -0.5, -1] }], (o, x) => {
      return o.mul(o.exp(o.max(x, 1, true)), o.mul(x, o.max(x)));
    }, SECOND),
    row("two equal ones", [list([1, 3, -2, 3])], (o, x) => o.max(x)),
    row("two in each row", [{ shape: [3, 3], values: [1, 1, 0, 0, 2, 2, -1, -5, -1] }], (o, x) => {
      return o.mul(o.max(x, 1, true), x);
    }),
    ...longReductions("max"),
  ],

  matmul: [
    ...products("one number", [1, 1, 1], ["NN"]),
    ...products("odd", [3, 5, 7], ALL_PRODUCTS, SECOND),
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
    row("with itself", [[6, 6]], (o, a) => o.matmul(a, a, { transposeB: true })),
  ],
  conv2d: [
    ...convolutions("conv2d", CONVOLUTIONS),
    ...convolutions("conv2d", CONVOLUTIONS_OF_FOUR, { fours: true }),
    ...convolutions("conv2d", LONG_CONVOLUTIONS, { gradient: "none" }),
    ...convolutions("conv2d", LONG_CONVOLUTIONS_OF_FOUR, LONG_OF_FOUR),
  ],
  conv2dTranspose: [
    ...convolutions("conv2dTranspose", SMALL_SIDES),
    ...convolutions("conv2dTranspose", LONG_SMALL_SIDES, { gradient: "none" }),
  ],
  conv2dFilterGrad: [
    ...convolutions("conv2dFilterGrad", CONVOLUTIONS),
    ...convolutions("conv2dFilterGrad", CONVOLUTIONS_OF_FOUR, { fours: true }),
    ...convolutions("conv2dFilterGrad", LONG_CONVOLUTIONS.slice(1), { gradient: "none" }),
    ...convolutions("conv2dFilterGrad", LONG_CONVOLUTIONS_OF_FOUR, LONG_OF_FOUR),
  ],

  batchNorm: [
    norm("odd", [5, 3], undefined, undefined, SECOND),
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
    row("mean and variance", [[3, 4, 5], [5], [5]], (o, x, gamma, beta) => ({
      ...o.batchNorm(x, gamma, beta),
    }), { terms: 12, second: true }),
    row("mean and variance of a chunked batch", [[1000, 8], [8], [8]], (o, x, gamma, beta) => ({
      ...o.batchNorm(x, gamma, beta, { epsilon: 0.1 }),
    }), { terms: 1000 }),
  ],
  batchNormInference: [[5, 3], [2, 3, 8]].map((shape) => {
    const channels = shape.slice(-1);
    const variance = { shape: channels, values: positive };
    return row(
      `[${shape}]`,
      [shape, channels, channels, channels, variance],
      (o, x, gamma, beta, mean, variance) =>
        o.batchNormInference(x, gamma, beta, mean, variance, { epsilon: 0.01 }),
      { second: shape.length === 2 },
    );
  }),

  cast: [
    row("bytes to floats", [indices([7], [0, 1, 2, 127, 128, 254, 255], "u8")], (o, x) => {
      return o.cast(x, "f32");
    }),
    row("words to floats", [indices([2, 3], [0, 1, 7, 2 ** 24, 2 ** 31, 4294967040])], (o, x) => {
      return o.div(o.cast(x, "f32"), 2);
    }, { pointwise: true }),
    row("floats to words and back", [[5, 7]], (o, x) => {
      return o.cast(o.cast(o.abs(o.mul(x, 100)), "u32"), "f32");
    }, { gradient: "zero" }),
    row("nothing to do", [[8]], (o, x) => o.cast(x, "f32")),
  ],

  assign: [{ elsewhere: "compile_test.ts", why: "it has an effect and no value" }],
  dropout: [{ elsewhere: "random_test.ts", why: "its mask is random" }],
  randomBits: [{ elsewhere: "random_test.ts", why: "it has no operand" }],
  randomNormal: [{ elsewhere: "random_test.ts", why: "it has no operand" }],
  randomUniform: [{ elsewhere: "random_test.ts", why: "it has no operand" }],
} satisfies Record<OpName, readonly Case[]>;
