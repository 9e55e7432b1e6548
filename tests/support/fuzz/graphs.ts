/** Random compositions of all ops that have a reference, and of reads and assignments of variables. */

import type { Tensor } from "../../../src/graph/tensor.ts";
import type { Variable } from "../../../src/graph/variable.ts";
import * as ops from "../../../src/ops/mod.ts";
import type { Input } from "../gradcheck.ts";
import type { TestRandom } from "../random.ts";
import { type Algebra, convAxis, count } from "../reference.ts";

type Shape = readonly number[];
export type Shaped = { readonly shape: Shape };

/** Variables of the shape of `a`, {@linkcode VARIABLES} of them. */
export interface State<T> {
  read(variable: number): T;
  assign(variable: number, value: T): void;
}

export const VARIABLES = 3;

export const recordedState = (variables: readonly Variable[]): State<Tensor> => ({
  // To a reshape that changes nothing, a variable is its value here.
  read: (i) => ops.reshape(variables[i], variables[i].shape),
  assign: (i, value) => ops.assign(variables[i], value),
});

const real = (...shape: number[]): Input => ({ shape });

/** What every graph begins with: odd sizes and multiples of four, none so large that a test waits. */
export function leavesFor(random: TestRandom): Record<string, Input> {
  const [n, m, c] = [random.pick([4, 5]), random.pick([3, 8]), random.pick([3, 4])];
  return {
    a: real(n, m),
    b: real(n, m),
    square: real(m, m),
    row: real(m),
    x: real(2, n, 4, c),
    kernel: real(3, 3, c, c),
    channels: real(c),
    scalar: real(),
    // On every axis of the above there are three elements at least.
    indices: { shape: [4], dtype: "u32", values: (r) => r.below(3), fixed: true },
    bytes: { shape: [5, n, m], dtype: "u8", values: (r) => r.below(256), fixed: true },
  };
}

/** Away from where values pile up, so that no kink is met but by chance. */
const OFF = 0.1234567;

/** More elements than this are not worth the wait. */
const MOST = 600;

function fits(b: Shape, a: Shape): boolean {
  return b.length <= a.length &&
    b.every((n, i) => n === 1 || n === a[a.length - b.length + i]);
}

/**
 * Applies `length` random ops. The choices depend on `random` and on shapes alone, so the same seed makes
 * the same graph of tensors and of arrays; and a shorter one is its beginning. With a state, about every
 * ninth op reads or assigns a variable.
 */
export function grow<T extends Shaped>(
  o: Algebra<T>,
  leaves: Readonly<Record<string, T>>,
  random: TestRandom,
  length: number,
  state?: State<T>,
): T[] {
  const { indices, bytes, ...rest } = leaves;
  const values: T[] = Object.values(rest);
  const any = (right: (shape: Shape) => boolean = () => true): T | undefined => {
    const found = values.filter(({ shape }) => right(shape));
    return found.length ? random.pick(found) : undefined;
  };
  const some = () => any()!;
  const like = (x: T) => any((shape) => `${shape}` === `${x.shape}`)!;
  const off = (x: T) => o.sub(x, OFF);
  const aboveHalf = (x: T) => o.add(o.mul(x, x), 0.5);
  const axisOf = (x: T) => random.below(x.shape.length);
  const ranked = (rank: number) => any((shape) => shape.length >= rank)!;
  const flag = () => random.uniform() < 0.5;
  /** With a value and one that can be broadcast to it. */
  const withSmaller = (f: (a: T, b: T) => T) => () => {
    const a = some();
    return f(a, any((shape) => fits(shape, a.shape))!);
  };

  const reduced = (f: (x: T, axes: number[], keepDims: boolean) => T) => () => {
    const x = ranked(1);
    const axes = x.shape.map((_, axis) => axis).filter(flag);
    const kept = axes.length ? axes : [axisOf(x)];
    return f(x, flag() ? kept : kept.map((axis) => axis - x.shape.length), flag());
  };
  const part = (x: T): { begin: number[]; size: number[] } => {
    const size = x.shape.map((n) => 1 + random.below(n));
    return { begin: x.shape.map((n, axis) => random.below(n - size[axis] + 1)), size };
  };
  const channelsOf = (x: T) => {
    const last = x.shape.at(-1)!;
    return any((shape) => `${shape}` === `${last}`) ??
      o.mean(x, x.shape.slice(1).map((_, axis) => axis));
  };
  const image = () => any((shape) => `${shape}` === `${leaves.x.shape}`)!;
  const kernel = () => any((shape) => `${shape}` === `${leaves.kernel.shape}`)!;
  const convolution = () => ({
    strides: random.pick<number | readonly [number, number]>([1, 2, [2, 1], [1, 3]]),
    padding: random.pick(["same", "valid"] as const),
  });
  const pair = (strides: number | readonly [number, number]) =>
    typeof strides === "number" ? [strides, strides] : strides;

  const recipes: Record<string, () => T | undefined> = {
    tanh: () => o.tanh(some()),
    sigmoid: () => o.sigmoid(some()),
    neg: () => o.neg(some()),
    exp: () => o.exp(o.tanh(some())),
    log: () => o.log(aboveHalf(some())),
    softplus: () => o.softplus(some()),
    sqrt: () => o.sqrt(aboveHalf(some())),
    abs: () => o.abs(off(some())),
    sign: () => o.mul(o.sign(off(some())), 0.5),
    step: () => o.step(off(some()), random.pick([0, 0.25])),
    relu: () => o.relu(off(some())),
    leakyRelu: () => o.leakyRelu(off(some()), random.pick([0.3, 0, -0.5])),
    stopGradient: () => o.stopGradient(some()),
    constant: () => o.constant(random.pick([0, 0.75]), some().shape),
    add: withSmaller((a, b) => o.mul(flag() ? o.add(a, b) : o.add(b, a), 0.5)),
    sub: withSmaller((a, b) => o.mul(flag() ? o.sub(a, b) : o.sub(b, a), 0.5)),
    mul: withSmaller((a, b) => o.mul(o.tanh(a), b)),
    div: withSmaller((a, b) => o.div(a, aboveHalf(b))),
    maximum: withSmaller((a, b) => o.maximum(off(a), b)),
    minimum: withSmaller((a, b) => o.minimum(b, off(a))),
    where: withSmaller((a, b) => o.where(o.step(off(like(a))), a, b)),
    cast: () => o.mul(o.cast(bytes, "f32"), 1 / 256),
    numbers: () => {
      const x = some();
      return random.pick([
        () => o.sub(0.25, x),
        () => o.add(x, -0.5),
        () => o.mul(x, -0.75),
        () => o.div(x, 1.5),
        () => o.div(0.5, aboveHalf(x)),
      ])();
    },
    sigmoidCrossEntropyWithLogits: () => {
      const x = some();
      return o.mul(o.sigmoidCrossEntropyWithLogits(x, o.sigmoid(like(x))), 0.5);
    },
    softmaxCrossEntropyWithLogits: () => {
      const x = ranked(1);
      const labels = o.mul(o.sigmoid(like(x)), 1 / x.shape.at(-1)!);
      return o.softmaxCrossEntropyWithLogits(x, labels);
    },
    broadcastTo: withSmaller((to, x) => o.broadcastTo(x, to.shape)),
    reshape: () => {
      const x = ranked(1);
      return o.reshape(x, random.pick([[-1], [1, -1], [x.shape[0], -1], [...x.shape, 1]]));
    },
    transpose: () => {
      const x = ranked(2);
      const order = x.shape.map((_, axis) => ({ axis, key: random.uniform() }));
      return o.transpose(x, order.sort((a, b) => a.key - b.key).map(({ axis }) => axis));
    },
    slice: () => {
      const x = ranked(1);
      const { begin, size } = part(x);
      const strides = size.map(() => 1 + random.below(3));
      return o.slice(x, begin, size.map((n, axis) => Math.ceil(n / strides[axis])), strides);
    },
    pad: () => {
      const x = ranked(1);
      const { begin, size } = part(x);
      const ends = x.shape.map((n, axis) => [begin[axis], n - begin[axis] - size[axis]] as const);
      return o.pad(o.slice(x, begin, size), ends);
    },
    concat: () => {
      const x = ranked(1);
      const axis = axisOf(x);
      return o.concat(
        [like(x), x, like(x)].slice(random.below(2)),
        axis - (flag() ? x.shape.length : 0),
      );
    },
    gather: () => {
      const x = any((shape) => shape.length >= 1 && shape.some((n) => n >= 3));
      if (!x) return;
      return o.gather(x, indices, random.pick([...x.shape.keys()].filter((i) => x.shape[i] >= 3)));
    },
    gatherImages: () => o.gatherImages(bytes, indices),
    sum: reduced((x, axes, keep) => o.mul(o.sum(x, axes, keep), 0.2)),
    mean: reduced((x, axes, keep) => o.mean(x, axes, keep)),
    max: reduced((x, axes, keep) => o.max(x, axes, keep)),
    matmul: () => {
      const a = any((shape) => shape.length === 2)!;
      const [transposeA, transposeB] = [flag(), flag()];
      const k = a.shape[transposeA ? 0 : 1];
      const b = any((shape) => shape.length === 2 && shape[transposeB ? 1 : 0] === k);
      return b && o.mul(o.matmul(a, b, { transposeA, transposeB }), 1 / Math.sqrt(k));
    },
    conv2d: () => o.mul(o.conv2d(image(), kernel(), convolution()), 0.2),
    conv2dTranspose: () => o.mul(o.conv2dTranspose(image(), kernel(), convolution()), 0.2),
    conv2dFilterGrad: () => {
      const x = image();
      const options = convolution();
      const [h, w] = pair(options.strides);
      const sides = [
        convAxis(x.shape[1], 3, h, options.padding).out,
        convAxis(x.shape[2], 3, w, options.padding).out,
      ];
      const dy = o.slice(like(x), [0, 0, 0, 0], [x.shape[0], ...sides, x.shape[3]]);
      return o.mul(o.conv2dFilterGrad(x, dy, { kernelSize: 3, ...options }), 0.2);
    },
    batchNorm: () => {
      const x = any((shape) => shape.length >= 2 && count(shape) / shape.at(-1)! >= 4)!;
      const norm = o.batchNorm(x, channelsOf(x), channelsOf(x), { epsilon: 0.1 });
      return random.pick([norm.y, norm.y, norm.mean, norm.variance]);
    },
    batchNormInference: () => {
      const x = ranked(2);
      const [gamma, beta, mean] = [channelsOf(x), channelsOf(x), channelsOf(x)];
      return o.batchNormInference(x, gamma, beta, mean, aboveHalf(channelsOf(x)), { epsilon: 0.1 });
    },
  };
  const choices = Object.values(recipes);
  for (let i = 0; state && i < 3; i++) {
    choices.push(() => state.read(random.below(VARIABLES)));
    choices.push(() => void state.assign(random.below(VARIABLES), like(leaves.a)));
  }
  for (let i = 0; i < length; i++) {
    const value = random.pick(choices)();
    if (!value || count(value.shape) > MOST || value.shape.length > 6) continue;
    // Squashed now and then, so that none grows.
    values.push(i % 3 === 2 ? o.tanh(value) : value);
  }
  return values.slice(Object.keys(rest).length);
}

/** A few values of a graph, the last one among them. */
export function chosen<T>(values: readonly T[], random: TestRandom): Record<string, T> {
  const picked = [values.at(-1)!, ...[1, 2, 3].map(() => random.pick(values))];
  return Object.fromEntries(picked.map((value, i) => [`y${i}`, value]));
}
