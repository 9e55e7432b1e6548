/**
 * Gradients of gradients. With L = sum(c * tanh(s * y)), g = dL/da and M = sum(d * g), the gradient of
 * M with respect to each input is compared with mixed second differences of L in float64. Behind the
 * tanh, ops that are linear have second derivatives as well.
 */

import { grad, ops } from "../../mod.ts";
import { assertClose, rms } from "../support/close.ts";
import { cases, row } from "./cases.ts";
import { gpu } from "../support/compute.ts";
import {
  differentiable,
  direction,
  dot,
  draw,
  drawCotangents,
  evaluate,
  lossOf,
  moved,
  named,
  type OpCase,
  recordable,
} from "../support/gradcheck.ts";
import { TestRandom } from "../support/random.ts";
import type { NdArray } from "../support/reference.ts";

/** Small enough for the truncation (its square), large enough for the rounding (2^-52 over it). */
const STEP = 1e-3;

/** The differences' truncation and float32's rounding; a tenth of what has to be seen. */
const TOLERANCE = 1e-4;

type Inputs = Record<string, NdArray>;

/** d/ds d/dt of f at inputs[first] + s * u, then inputs[second] + t * v. */
function mixed(
  f: (inputs: Inputs) => number,
  inputs: Inputs,
  [first, u]: [string, Float64Array],
  [second, v]: [string, Float64Array],
): number {
  const at = (s: number, t: number) => {
    const once = { ...inputs, [first]: moved(inputs[first], u, s * STEP) };
    return f({ ...once, [second]: moved(once[second], v, t * STEP) });
  };
  return (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * STEP ** 2);
}

async function checkSecond(linear: OpCase): Promise<void> {
  const random = new TestRandom(linear.name);
  const inputs = draw(linear, random);
  const scales = Object.values(evaluate(linear, inputs)).map(({ data }) => 0.5 / rms(data));
  const op: OpCase = {
    ...linear,
    compute(o, all) {
      const values = Object.entries(named(linear.compute(o, all)));
      return Object.fromEntries(values.map(([key, y], i) => [key, o.tanh(o.mul(y, scales[i]))]));
    },
  };
  const cotangents = drawCotangents(evaluate(op, inputs), random);
  const loss = (at: Inputs) => lossOf(evaluate(op, at), cotangents);
  const names = differentiable(op);
  const data = Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, x.data]));
  const { inputs: specs, body } = recordable(op);

  for (const first of names) {
    const along = random.fill(inputs[first].data.length).map(Math.fround);
    const all: typeof specs = { ...specs, along: inputs[first].shape };
    using program = gpu.compile(all, (t) => {
      const g = body(t)[`d_${first}`];
      const second = grad(ops.sum(ops.mul(g, t.along)), names.map((name) => t[name]));
      return Object.fromEntries(second.map((h, i) => [names[i], h]));
    });
    program.run({ along, ...data, ...cotangents });
    const actual = await program.read();
    for (const second of names) {
      const d = direction(actual[second], random);
      const expected = mixed(loss, inputs, [first, along], [second, d]);
      const what = `${op.name}: d/d${second} of the gradient of ${first}`;
      assertClose([dot(actual[second], d)], [expected], { rtol: TOLERANCE, atol: 1e-4, what });
    }
  }
}

/** Here ops meet as they do in networks: rows of the table have one each. */
const MANY = row("reductions and moves", [[2, 3, 4]], (o, x) => {
  const joined = o.concat([o.transpose(x, [2, 0, 1]), o.reshape(x, [4, 2, 3])], 1);
  const cut = o.pad(o.slice(joined, [1, 0, 1], [2, 4, 2]), [[0, 0], [1, 0], [0, 1]]);
  return o.mul(o.mean(cut, 0), o.sum(o.broadcastTo(cut, [2, 5, 3]), [0, 1], true));
}, { second: true });

for (const [op, rows] of Object.entries({ ...cases, "several ops": [MANY] })) {
  for (const row of rows) {
    if (!("second" in row) || !row.second) continue;
    const name = `${op}, ${row.name}`;
    Deno.test(`second order: ${name}`, () => checkSecond({ ...row, name }));
  }
}
