/** Random graphs of all ops on the device against float64: values, and gradients against differences. */

import { deepEqual, ok } from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { Gpu } from "../../src/graph/gpu.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import * as ops from "../../src/ops/mod.ts";
import { assertClose, rms } from "../support/close.ts";
import { grow, leavesFor } from "../support/fuzz/graphs.ts";
import { parameters, runs } from "../support/fuzz/settings.ts";
import {
  differentiable,
  direction,
  dot,
  draw,
  drawCotangents,
  evaluate,
  lossOf,
  moved,
  type OpCase,
  recordable,
} from "../support/gradcheck.ts";
import { TestRandom } from "../support/random.ts";
import * as float64 from "../support/reference.ts";
import type { Algebra, NdArray } from "../support/reference.ts";

const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** The ops that any graph called. */
const called = new Set<string>();

/** The reference, in which nothing flows through stopGradient: it gives what it gave the first time. */
function frozen() {
  const values: NdArray[] = [];
  let next = 0;
  const algebra = { ...float64, stopGradient: (x: NdArray) => values[next++] ??= x };
  return <R>(body: (o: Algebra<NdArray>) => R): R => {
    next = 0;
    return body(algebra);
  };
}

/** The last values of a graph, up to three of them. */
const chosen = <T>(values: readonly T[]): Record<string, T> =>
  Object.fromEntries(values.slice(-3).map((value, i) => [`y${i}`, value]));

const noting = new Proxy(ops as Algebra<Tensor>, {
  get(target, name: keyof Algebra<Tensor>) {
    called.add(name);
    return target[name];
  },
});

/** Of values, relative to the root of their mean square: some ten roundings, and sums. */
const TOLERANCE = 5e-5;
/** Of projections of gradients, relative to them. */
const GRADIENT_TOLERANCE = 5e-4;
const STEP = 1e-5;

let kinks = 0;
let gradients = 0;

async function compare(seed: number, length: number): Promise<void> {
  const name = `graph ${seed}`;
  const leaves = leavesFor(new TestRandom(`leaves of ${name}`));
  const random = new TestRandom(`values of ${name}`);
  const op: OpCase = {
    name,
    inputs: leaves,
    compute: (o, all) => {
      const own = Object.keys(leaves).map((key) => [key, all[key]]); // without the cotangents
      return chosen(grow(o, Object.fromEntries(own), new TestRandom(name), length));
    },
  };
  const inputs = draw(op, random);
  const withFrozen = frozen();
  const expected = withFrozen((o) => evaluate(op, inputs, o));
  if (!Object.keys(expected).length) return; // None of its ops found operands.
  const cotangents = drawCotangents(expected, random);
  const tuning = {
    gemm: random.pick(["auto", "winograd", "texture", "tiled", "direct"] as const),
    parallelism: random.pick([1, 64, 4096]),
    choices: {},
  };
  const { inputs: specs, body } = recordable(op, noting);
  using program = gpu.compile(specs, body, { tuning });
  const data = Object.entries(inputs).map(([key, x]) => [key, x.data]);
  program.run({ ...Object.fromEntries(data), ...cotangents });
  const actual = await program.read();
  program.run(); // again: nothing of the first run may be left over
  deepEqual(await program.read(), actual);

  for (const [key, y] of Object.entries(expected)) {
    const atol = TOLERANCE * Math.max(0.1, rms(y.data));
    assertClose(actual[key], y.data, { atol, what: key });
  }
  const loss = (at: typeof inputs) => lossOf(withFrozen((o) => evaluate(op, at, o)), cotangents);
  const here = loss(inputs);
  // What cancels in the sum leaves its rounding.
  const size = Object.entries(expected).reduce(
    (sum, [key, y]) => sum + Math.sqrt(dot(y.data, y.data)) * rms(cotangents[`c_${key}`]),
    0,
  );
  for (const target of differentiable(op)) {
    const gradient = actual[`d_${target}`];
    const d = direction(gradient, random);
    const after = loss({ ...inputs, [target]: moved(inputs[target], d, STEP) }) - here;
    const before = here - loss({ ...inputs, [target]: moved(inputs[target], d, -STEP) });
    const slope = (after + before) / (2 * STEP);
    gradients++;
    // There is a kink between the step down and the step up, so there is no gradient to compare.
    if (Math.abs(after - before) > STEP * (0.01 * Math.abs(slope) + 1e-3 * size)) {
      kinks++;
      continue;
    }
    assertClose([dot(gradient, d)], [slope], {
      rtol: GRADIENT_TOLERANCE,
      atol: 2e-5 * Math.max(0.1, size),
      what: `gradient of ${target}`,
    });
  }
}

Deno.test("fuzz: random graphs of all ops, their values and gradients", async () => {
  await fc.assert(
    fc.asyncProperty(fc.noShrink(fc.nat()), fc.integer({ min: 1, max: 12 }), compare),
    parameters(200),
  );
  ok(kinks < gradients / 50, `${kinks} of ${gradients} gradients met a kink`);
  if (runs(200) < 200) return;
  const missing = Object.keys(float64).filter((op) => op in ops && !called.has(op));
  deepEqual(missing, ["dropout"], "ops with a reference that no graph had"); // Its mask is random.
});
