/**
 * Checks an op against the float64 reference: its values directly, its gradient against central
 * differences of the reference along random directions, for random cotangents.
 */

import { deepStrictEqual as equal } from "node:assert/strict";
import { type DType, type Gpu, grad, ops, type Tensor, type Tuning } from "../../mod.ts";
import { record } from "../../src/graph/graph.ts";
import { assertClose, rms } from "./close.ts";
import { TestRandom } from "./random.ts";
import * as float64 from "./reference.ts";
import type { Algebra, NdArray } from "./reference.ts";

export interface Input {
  readonly shape: readonly number[];
  /** Its values, one by one or by a distribution; default normal. */
  readonly values?: readonly number[] | ((random: TestRandom) => number);
  readonly dtype?: DType;
  /** It takes no gradient, as indices do not. */
  readonly fixed?: boolean;
}

/** One row of the table: an expression, and what to evaluate it on. */
export interface OpCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly compute: <T extends { readonly shape: readonly number[] }>(
    o: Algebra<T>,
    inputs: Record<string, T>,
  ) => T | Record<string, T>;
  /** Length of its longest sum, from which the tolerance of its values follows. Default 1. */
  readonly terms?: number;
  /** The tolerance of its values, where there is a reason for another one. */
  readonly tolerance?: number;
  /** Every value on its own must be close, however small beside the others. */
  readonly pointwise?: boolean;
  /** "zero": nothing flows through it, by definition. "none": not checked, or it has none. */
  readonly gradient?: "zero" | "none";
  /** Second derivatives are checked, too. */
  readonly second?: boolean;
  /** To kernels that do not read four values at once it is like another row. */
  readonly fours?: boolean;
}

/** Who evaluates a case and how; a test of this file puts in something that errs. */
export interface Evaluators {
  readonly tuning?: Tuning;
  readonly gpu?: Algebra<Tensor>;
  readonly reference?: Algebra<NdArray>;
  /** Says something else about what was read back. */
  readonly tamper?: (name: string, data: Float32Array) => void;
}

/**
 * Largest error of a value, relative to the root mean square of all: a float32 chain of a few
 * roundings and the adapter's own exp and log (some 5e-6), and for sums the square root of their
 * length times half a unit in the last place.
 */
function forwardTolerance(terms = 1): number {
  return 5e-6 + Math.sqrt(terms) * 2 ** -24;
}

/**
 * Largest error of a gradient's projection, relative to the projection: a tenth of the planted error
 * that has to be seen. Rounding is far below (2^-24 a term, of random sign), and so is the
 * truncation of the differences (STEP squared).
 */
const GRADIENT_TOLERANCE = 1e-4;

/** Step of the central differences, for inputs of about 1. */
const STEP = 1e-4;

const TRIALS = 2;

export const differentiable = (op: OpCase) =>
  op.gradient === "none" ? [] : Object.keys(op.inputs).filter((name) => !op.inputs[name].fixed);

/** What a case computes, by name; one result is called y. */
export function named<T>(result: T | Record<string, T>): Record<string, T> {
  return "shape" in (result as object) ? { y: result as T } : result as Record<string, T>;
}

/** The inputs of a case, rounded to float32. */
export function draw({ inputs }: Pick<OpCase, "inputs">, random: TestRandom) {
  const entries = Object.entries(inputs).map(([name, { shape, values }]) => {
    const data = typeof values === "object"
      ? values
      : random.fill(float64.count(shape), values).map(Math.fround);
    return [name, float64.nd(shape, Float32Array.from(data))] as const;
  });
  return Object.fromEntries(entries);
}

export function evaluate(
  op: OpCase,
  inputs: Record<string, NdArray>,
  reference: Algebra<NdArray> = float64,
): Record<string, NdArray> {
  return named(op.compute(reference, inputs));
}

/** A random cotangent c_y for each value y of a case. */
export function drawCotangents(values: Record<string, NdArray>, random: TestRandom) {
  const entries = Object.entries(values).map(([name, { data }]) => {
    return [`c_${name}`, random.fill(data.length).map(Math.fround)] as const;
  });
  return Object.fromEntries(entries);
}

export function lossOf(
  values: Record<string, NdArray>,
  cotangents: Record<string, Float64Array>,
): number {
  return Object.entries(values)
    .reduce((sum, [name, y]) => sum + dot(cotangents[`c_${name}`], y.data), 0);
}

/** Shapes and types of the inputs. */
export function specsOf({ inputs }: Pick<OpCase, "inputs">) {
  const specs = Object.entries(inputs).map(([name, { shape, dtype = "f32" }]) =>
    [name, { shape, dtype }] as const
  );
  return Object.fromEntries(specs);
}

/** What to record: the outputs, and the gradients d_x of the sum of each output times its c_y. */
export function recordable(op: OpCase, algebra: Algebra<Tensor> = ops) {
  const targets = differentiable(op);
  const own = specsOf(op);
  const { outputs } = record(own, (tensors) => named(op.compute(algebra, tensors)));
  const cotangents = targets.length ? Object.keys(outputs) : [];
  const inputs = {
    ...own,
    ...Object.fromEntries(cotangents.map((name) => [`c_${name}`, outputs[name].shape])),
  };
  const body = (tensors: Record<string, Tensor>) => {
    const results = named(op.compute(algebra, tensors));
    if (!targets.length) return results;
    const terms = cotangents.map((name) => ops.sum(ops.mul(results[name], tensors[`c_${name}`])));
    const gradients = grad(terms.reduce(ops.add), targets.map((name) => tensors[name]));
    return { ...results, ...Object.fromEntries(gradients.map((g, i) => [`d_${targets[i]}`, g])) };
  };
  return { inputs, body };
}

/** A direction along which a gradient's projection is not small beside the gradient itself. */
export function direction(gradient: ArrayLike<number>, random: TestRandom): Float64Array {
  const norm = Math.sqrt(dot(gradient, gradient)) || 1;
  const d = random.fill(gradient.length);
  const turn = dot(d, gradient) < 0 ? -1 : 1;
  return d.map((v, i) => turn * v + gradient[i] / norm);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export function moved(x: NdArray, d: Float64Array, step: number): NdArray {
  return { shape: x.shape, data: x.data.map((v, i) => v + step * d[i]) };
}

export async function check(
  gpu: Gpu,
  op: OpCase,
  { tuning, gpu: algebra = ops, reference = float64, tamper = () => {} }: Evaluators = {},
): Promise<void> {
  const random = new TestRandom(op.name);
  const inputs = draw(op, random);
  const expected = evaluate(op, inputs, reference);
  const { inputs: specs, body } = recordable(op, algebra);
  using program = gpu.compile(specs, body, { label: op.name, tuning });
  const targets = differentiable(op);

  const data = Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, x.data]));
  for (let trial = 0; trial < (targets.length ? TRIALS : 1); trial++) {
    const cotangents = drawCotangents(expected, random);
    program.run({ ...data, ...(targets.length ? cotangents : {}) });
    const actual = await program.read();
    for (const [name, values] of Object.entries(actual)) tamper(name, values);

    for (const [name, { data: y }] of Object.entries(expected)) {
      const rtol = op.tolerance ?? forwardTolerance(op.terms);
      // Below the smallest normal float32 there is nothing but zero.
      const atol = op.pointwise ? 2 ** -126 : rtol * rms(y);
      assertClose(actual[name], y, { rtol, atol, what: `${op.name}: ${name}` });
    }

    const loss = (at: typeof inputs) => lossOf(evaluate(op, at, reference), cotangents);
    for (const name of targets) {
      const gradient = actual[`d_${name}`];
      const what = `${op.name}: gradient of ${name}`;
      if (op.gradient === "zero") {
        equal(gradient, new Float32Array(gradient.length), what);
        continue;
      }
      assertClose(gradient, gradient, { what }); // finite
      const d = direction(gradient, random);
      const difference = loss({ ...inputs, [name]: moved(inputs[name], d, STEP) }) -
        loss({ ...inputs, [name]: moved(inputs[name], d, -STEP) });
      assertClose([dot(gradient, d)], [difference / (2 * STEP)], {
        rtol: GRADIENT_TOLERANCE,
        atol: 1e-6,
        what,
      });
    }
  }
}
