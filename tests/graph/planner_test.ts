/**
 * Memory planning, fusion, and the order of assignments: the plan alone, then random graphs whose
 * lowered steps are replayed here with names instead of bytes, then random graphs on the device.
 *
 * @module
 */

import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { lower, type Lowered } from "../../src/graph/compile.ts";
import { Gpu } from "../../src/graph/gpu.ts";
import { record } from "../../src/graph/graph.ts";
import { type Step, Storage, TextureCopy } from "../../src/graph/lower.ts";
import { type Block, liveRanges, plan } from "../../src/graph/plan.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { Tuning } from "../../src/graph/tuning.ts";
import { Variable } from "../../src/graph/variable.ts";
import { grad } from "../../src/ops/grad.ts";
import * as ops from "../../src/ops/mod.ts";
import { Adam } from "../../src/optim/adam.ts";
import { assertClose, rms } from "../support/close.ts";
import { TestRandom } from "../support/random.ts";
import * as float64 from "../support/reference.ts";
import type { Algebra, NdArray } from "../support/reference.ts";

// The plan alone

Deno.test("blocks alive at the same step never share a slot", () => {
  const random = new TestRandom("blocks");
  for (let round = 0; round < 300; round++) {
    const steps = 1 + random.below(30);
    const blocks: Block[] = Array.from({ length: random.below(40) }, () => {
      const first = random.below(steps);
      const bytes = 256 * (1 + random.below(random.pick([2, 50])));
      return { bytes, first, last: first + random.below(steps - first) };
    });
    const { slotOf, slotBytes } = plan(blocks);
    equal(slotOf.length, blocks.length);
    for (let step = 0; step < steps; step++) {
      const taken = new Set<number>();
      blocks.forEach(({ first, last }, i) => {
        if (step < first || step > last) return;
        ok(!taken.has(slotOf[i]), `slot ${slotOf[i]} is taken twice at step ${step}`);
        taken.add(slotOf[i]);
      });
    }
    blocks.forEach(({ bytes }, i) => ok(slotBytes[slotOf[i]] >= bytes));
    deepEqual(new Set(slotOf), new Set(slotBytes.keys()), "a slot that nobody uses");
  }
});

Deno.test("a chain of blocks takes turns in two slots", () => {
  const blocks = Array.from({ length: 10 }, (_, i) => ({ bytes: 256, first: i, last: i + 1 }));
  equal(plan(blocks).slotBytes.length, 2);
  deepEqual(plan([]), { slotOf: [], slotBytes: [] });
});

// Random graphs

/** Variables, as a graph sees them. */
interface State<T> {
  read(variable: number): T;
  assign(variable: number, value: T): void;
}

type Shaped = { readonly shape: readonly number[] };
const VARIABLES = 3;

/**
 * Applies `length` random ops to n x n matrices and what is made of them. The choices depend on
 * `random` and on shapes alone, so the same seed makes the same graph of tensors and of arrays. The
 * values stay within about 1, and few shapes occur, as each is a pipeline to compile.
 */
function grow<T extends Shaped>(
  o: Algebra<T>,
  leaves: readonly T[],
  state: State<T>,
  random: TestRandom,
  length: number,
): T[] {
  const n = leaves[0].shape[0];
  const values = [...leaves];
  const some = (...shape: number[]) => {
    const fitting = values.filter((v) => `${v.shape}` === `${shape}`);
    return fitting.length ? random.pick(fitting) : undefined;
  };
  const matrix = () => some(n, n)!;
  const row = () => some(n) ?? o.mean(matrix(), 0);
  const column = () => some(n, 1) ?? o.mean(matrix(), 1, true);
  const operand = () => random.pick([matrix, matrix, row, column])();
  const recipes: (() => T | undefined)[] = [
    () => o.tanh(operand()),
    () => o.sigmoid(matrix()),
    () => o.neg(operand()),
    () => o.leakyRelu(matrix()),
    () => o.mul(matrix(), 0.5),
    () => o.sub(0.25, operand()),
    () => o.exp(o.tanh(matrix())),
    () => o.mul(o.add(matrix(), operand()), 0.5),
    () => o.mul(o.sub(operand(), matrix()), 0.5),
    () => o.mul(matrix(), o.tanh(operand())),
    () => o.mul(o.div(matrix(), o.add(o.mul(operand(), operand()), 1)), 0.7),
    () => o.tanh(o.matmul(matrix(), matrix(), { transposeB: random.uniform() < 0.5 })),
    () => o.mul(o.matmul(matrix(), matrix(), { transposeA: true }), 1 / n),
    () => o.mean(matrix(), 0),
    () => o.mean(matrix(), 1, true),
    () => o.transpose(matrix()),
    () => o.stopGradient(matrix()),
    () => o.reshape(o.tanh(o.reshape(matrix(), [n * n])), [n, n]),
    () => o.concat([o.slice(matrix(), [0, 0], [2, n]), o.slice(matrix(), [2, 0], [-1, n])]),
    () => o.pad(o.slice(matrix(), [1, 0], [n - 1, n]), [[1, 0], [0, 0]]),
    () => o.add(o.broadcastTo(row(), [n, n]), matrix()),
    () => o.constant(0.5, [n, n]),
    () => o.batchNorm(matrix(), row(), row(), { epsilon: 0.1 }).y,
    () => {
      const [x, w] = [matrix(), o.slice(matrix(), [0, 0], [3, 3])];
      const y = o.conv2d(o.reshape(x, [1, n, n, 1]), o.reshape(w, [3, 3, 1, 1]), SAME);
      return o.tanh(o.reshape(y, [n, n]));
    },
    () => state.read(random.below(VARIABLES)),
    () => state.read(random.below(VARIABLES)),
    () => void state.assign(random.below(VARIABLES), matrix()),
  ];
  for (let i = 0; i < length; i++) {
    const value = random.pick(recipes)();
    // Each value once squashed, now and then, so that none grows.
    if (value) values.push(i % 5 === 4 ? o.tanh(value) : value);
  }
  return values;
}
const SAME = { padding: "same" } as const;

/** A few values of a graph, the last one among them. */
function chosen<T>(values: readonly T[], seed: string): Record<string, T> {
  const random = new TestRandom(`outputs of ${seed}`);
  const picked = [values[values.length - 1], ...[1, 2, 3].map(() => random.pick(values))];
  return Object.fromEntries(picked.map((value, i) => [`y${i}`, value]));
}

function recordedState(variables: readonly Variable[]): State<Tensor> {
  return {
    // To a reshape that changes nothing, a variable is its value here.
    read: (i) => ops.reshape(variables[i], variables[i].shape),
    assign: (i, value) => ops.assign(variables[i], value),
  };
}

// Replaying lowered steps without a device

/** A place outside the plan: a variable's, an input's. */
const elsewhere = () => {
  const raw = undefined as never;
  const buffer = { kind: "buffer", raw, bytes: 4096, label: "", version: 0 } as const;
  return { buffer, offset: 0, bytes: 4096 };
};

function randomLowered(seed: string): Lowered {
  const random = new TestRandom(seed);
  const n = random.pick([5, 8]);
  const shape = [n, n];
  const variables = Array.from(
    { length: VARIABLES },
    (_, i) => new Variable(undefined as never, elsewhere(), shape, "f32", `v${i}`, true),
  );
  const recording = record({ a: shape, b: shape }, ({ a, b }) => {
    const values = grow<Tensor>(ops, [a, b], recordedState(variables), random, 25);
    const outputs = chosen(values, seed);
    const noise = ops.dropout(outputs.y0, 0.5);
    const loss = ops.mean(ops.add(ops.sum(outputs.y1), ops.mul(noise, noise)));
    const [da, db, dv] = grad(loss, [a, b, variables[0]]);
    return { ...outputs, da, db, dv };
  });
  const tuning: Tuning = {
    gemm: random.pick(["texture", "tiled", "direct"]),
    parallelism: random.pick([64, 4096]),
  };
  const lowered = lower(recording, tuning);
  for (const storage of lowered.inputs.values()) storage.fixed = elsewhere();
  return lowered;
}

type Place = Storage | TextureCopy;

/** What a step reads and writes; of storages, the whole that they are a part of. */
function accesses(step: Step): { reads: Place[]; writes: Place[] } {
  const whole = (place: Place) => place instanceof Storage ? place.root : place;
  if (step.kind === "copy") return { reads: [whole(step.from)], writes: [whole(step.to)] };
  const uses = Object.entries(step.bindings).map(([name, place]) => ({
    place: whole(place),
    read: step.kernel.bindings.get(name)!.access === "read",
  }));
  return {
    reads: uses.filter((u) => u.read).map((u) => u.place),
    writes: uses.filter((u) => !u.read).map((u) => u.place),
  };
}

/**
 * Runs the steps over slots that remember whose they are, a second time without those that are the
 * same in every run; throws where a value was lost.
 */
function replay(lowered: Lowered, lives = liveRanges(lowered)): void {
  const planned = [...lives.keys()].filter((p) => p instanceof TextureCopy || !p.initial);
  const slots = new Map<Place, string>();
  for (const Kind of [Storage, TextureCopy]) {
    const places = planned.filter((p) => p instanceof Kind);
    const blocks = places.map((p) => ({
      bytes: p instanceof TextureCopy ? p.storage.bytes : p.bytes,
      ...lives.get(p)!,
    }));
    const { slotOf, slotBytes } = plan(blocks);
    places.forEach((p, i) => {
      ok(slotBytes[slotOf[i]] >= blocks[i].bytes);
      slots.set(p, `${Kind.name} ${slotOf[i]}`);
    });
  }

  const owners = new Map<string, Place>();
  const nameOf = (p: Place) => p instanceof TextureCopy ? `texture of ${p.storage.label}` : p.label;
  const expectOwner = (place: Place, where: string) => {
    const slot = slots.get(place);
    if (!slot || (place instanceof Storage && place.label.endsWith("unused"))) return;
    const owner = owners.get(slot);
    ok(owner === place, `${where} reads ${nameOf(place)} but finds ${owner && nameOf(owner)}`);
  };
  for (const step of [...lowered.steps, ...lowered.steps.slice(lowered.invariant)]) {
    const { reads, writes } = accesses(step);
    const here = new Map<string, Place>();
    for (const place of [...reads, ...writes]) {
      const slot = slots.get(place);
      if (!slot) continue;
      ok((here.get(slot) ?? place) === place, `${step.label} finds two operands in ${slot}`);
      here.set(slot, place);
    }
    for (const place of reads) {
      expectOwner(place, step.label);
      ok(!writes.includes(place), `${step.label} reads what it writes, ${nameOf(place)}`);
    }
    for (const place of writes) {
      const slot = slots.get(place);
      if (slot) owners.set(slot, place);
    }
  }
  for (const [name, storage] of lowered.outputs) expectOwner(storage.root, `output ${name}`);
}

Deno.test("no value of a random graph is overwritten while it is needed", () => {
  let steps = 0;
  for (let seed = 0; seed < 150; seed++) {
    const lowered = randomLowered(`lowered ${seed}`);
    steps += lowered.steps.length;
    replay(lowered);
  }
  ok(steps > 5000, `only ${steps} steps were tried`);
});

Deno.test("a value that is released one step too early is seen", () => {
  let seen = 0;
  for (let seed = 0; seed < 20; seed++) {
    const lowered = randomLowered(`lowered ${seed}`);
    const lives = liveRanges(lowered);
    for (const life of lives.values()) life.last = Math.max(life.first, life.last - 1);
    try {
      replay(lowered, lives);
    } catch {
      seen++;
    }
  }
  ok(seen > 10, `seen in ${seen} of 20 graphs`);
});

// On the device

const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Three n x n variables, the first two side by side in one buffer. */
function makeVariables(n: number, values: readonly NdArray[]): Variable<"f32">[] {
  const shape = [n, n];
  const specs = [0, 1].map((i) => ({
    name: `v${i}`,
    shape,
    trainable: true,
    data: values[i].data,
  }));
  return [...gpu.variables(specs), gpu.variable(shape, values[2].data, { name: "v2" })];
}

Deno.test("random graphs compute what the reference computes, op by op", async (t) => {
  for (let seed = 0; seed < 60; seed++) {
    await t.step(`graph ${seed}`, async () => {
      const random = new TestRandom(`graph ${seed}`);
      const n = random.pick([5, 8]);
      const array = () => float64.nd([n, n], random.fill(n * n).map(Math.fround));
      const [a, b] = [array(), array()];
      const held = Array.from({ length: VARIABLES }, array);
      const variables = makeVariables(n, held);
      const name = `ops ${seed}`;
      using program = gpu.compile({ a: [n, n], b: [n, n] }, ({ a, b }) => {
        const state = recordedState(variables);
        return chosen(grow<Tensor>(ops, [a, b], state, new TestRandom(name), 20), name);
      });
      const state: State<NdArray> = {
        read: (i) => held[i],
        assign: (i, value) => void (held[i] = value),
      };
      // Twice: the second run begins with what the first one left in the variables.
      for (let run = 1; run <= 2; run++) {
        program.run({ a: a.data, b: b.data });
        const actual = await program.read();
        const expected = chosen(grow(float64, [a, b], state, new TestRandom(name), 20), name);
        const compare = (what: string, got: Float32Array, { data }: NdArray) =>
          // Some 25 roundings, each at most doubled by what follows.
          assertClose(got, data, {
            atol: 2e-5 * Math.max(1, rms(data)),
            what: `run ${run}, ${what}`,
          });
        for (const [key, y] of Object.entries(expected)) compare(key, actual[key], y);
        for (const [i, variable] of variables.entries()) {
          compare(variable.name, await variable.read(), held[i]);
        }
      }
      variables[0].dispose();
      variables[2].dispose();
    });
  }
});

// assign

const list = (values: Float32Array | Uint32Array) => [...values];

Deno.test("what is read before an assignment is the old value, afterwards the new one", async () => {
  const v = gpu.variable([3], [1, 2, 3]);
  using program = gpu.compile({ x: [3] }, ({ x }) => {
    const old = ops.mul(v, 10);
    const oldItself = ops.reshape(v, [3]);
    ops.assign(v, x);
    const between = ops.mul(v, 10);
    ops.assign(v, ops.add(v, 1));
    return { old, oldItself, between, last: ops.mul(v, 10) };
  });
  program.run({ x: [4, 5, 6] });
  let y = await program.read();
  deepEqual(list(y.old), [10, 20, 30]);
  deepEqual(list(y.oldItself), [1, 2, 3]);
  deepEqual(list(y.between), [40, 50, 60]);
  deepEqual(list(y.last), [50, 60, 70]);
  deepEqual(list(await v.read()), [5, 6, 7]);
  program.run({ x: [0, 0, 0] });
  y = await program.read();
  deepEqual(list(y.old), [50, 60, 70]);
  deepEqual(list(y.oldItself), [5, 6, 7]);
  deepEqual(list(await v.read()), [1, 1, 1]);
  v.write([7, 8, 9]);
  program.run();
  deepEqual(list((await program.read("old")).old), [70, 80, 90]);
});

Deno.test("a reader that is fused into a later op still sees the old value", async () => {
  const v = gpu.variable([4], [1, 2, 3, 4]);
  using program = gpu.compile({ x: [4] }, ({ x }) => {
    const old = ops.neg(v);
    ops.assign(v, x);
    // One dispatch, behind the assignment, with the old value and the new one.
    return { y: ops.add(ops.mul(old, 100), v) };
  });
  program.run({ x: [5, 6, 7, 8] });
  deepEqual(list((await program.read("y")).y), [-95, -194, -293, -392]);
});

Deno.test("an old value is seen through reshape, stopGradient and slices", async () => {
  const v = gpu.variable([2, 3], [1, 2, 3, 4, 5, 6]);
  using program = gpu.compile({ x: [2, 3] }, ({ x }) => {
    const column = ops.reshape(v, [6, 1]);
    const same = ops.stopGradient(ops.reshape(v, [3, 2]));
    ops.assign(v, x);
    const product = ops.matmul(ops.reshape(v, [1, 6]), column);
    return { product, same, cut: ops.slice(column, [4, 0], [2, 1]) };
  });
  program.run({ x: [1, 0, 0, 0, 0, 10] });
  const { product, same, cut } = await program.read();
  deepEqual(list(product), [61]);
  deepEqual(list(same), [1, 2, 3, 4, 5, 6]);
  deepEqual(list(cut), [5, 6]);
});

Deno.test("a matrix product after an assignment takes the new matrix", async () => {
  // Multiples of four, so that a texture holds a copy.
  const eye = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  for (const beside of [false, true]) {
    const specs = ["v", "w"].map((name) => ({ name, shape: [4, 4], trainable: true, data: eye }));
    const [v] = beside ? gpu.variables(specs) : [gpu.variable([4, 4], eye)];
    using program = gpu.compile({ x: [4, 4] }, ({ x }) => {
      const before = ops.matmul(v, x);
      ops.assign(v, ops.mul(before, 2));
      return { before, after: ops.matmul(v, x), square: ops.matmul(v, v) };
    });
    const x = eye.map((e) => 3 * e);
    program.run({ x });
    const { before, after, square } = await program.read();
    deepEqual(list(before), x);
    deepEqual(list(after), eye.map((e) => 18 * e));
    deepEqual(list(square), eye.map((e) => 36 * e));
  }
});

Deno.test("variables that live side by side", async () => {
  const specs = [[1, 2, 3], [4, 5, 6], [7, 8, 9]].map((data, i) => ({
    name: `v${i}`,
    shape: [3],
    trainable: true,
    data,
  }));
  const [a, b, c] = gpu.variables(specs);
  equal(a.view.buffer, b.view.buffer);
  using swap = gpu.compile({}, () => {
    const old = ops.reshape(a, [3]);
    ops.assign(a, b);
    ops.assign(b, old);
    return { a, old };
  });
  swap.run();
  deepEqual(list(await a.read()), [4, 5, 6]);
  deepEqual(list(await b.read()), [1, 2, 3]);
  swap.run();
  const read = await swap.read();
  deepEqual(list(read.a), [1, 2, 3]);
  deepEqual(list(read.old), [4, 5, 6]);

  using rotate = gpu.compile({}, () => {
    const first = ops.reshape(a, [3, 1]);
    ops.assign(a, b);
    ops.assign(b, c);
    ops.assign(c, ops.reshape(first, [3]));
    ops.assign(a, a);
    return { sum: ops.add(ops.add(a, ops.mul(b, 10)), ops.mul(c, 100)) };
  });
  rotate.run();
  deepEqual(list((await rotate.read()).sum), [174, 285, 396]);
  deepEqual(list(await a.read()), [4, 5, 6]);
  deepEqual(list(await b.read()), [7, 8, 9]);
  deepEqual(list(await c.read()), [1, 2, 3]);
});

Deno.test("a counter counts runs, in f32 and in u32", async () => {
  const f = gpu.variable([], [0]);
  const u = gpu.variable([2], [0, 1], { dtype: "u32" });
  using program = gpu.compile({ words: { shape: [3], dtype: "u32" } }, ({ words }) => {
    ops.assign(f, ops.add(f, 1));
    ops.assign(u, ops.gather(words, u));
    return {};
  });
  program.run({ words: [1, 2, 0xfffffffe] });
  program.run();
  deepEqual(list(await f.read()), [2]);
  deepEqual(list(await u.read()), [2, 0xfffffffe]);
  program.run();
  deepEqual(list(await f.read()), [3]);
  // An index beyond the last row is the last row.
  deepEqual(list(await u.read()), [0xfffffffe, 0xfffffffe]);
});

Deno.test("a gradient belongs to the value that the loss has seen", async () => {
  const v = gpu.variable([2], [3, 4]);
  using program = gpu.compile({ x: [2] }, ({ x }) => {
    const before = ops.sum(ops.mul(v, v));
    ops.assign(v, x);
    const after = ops.sum(ops.mul(ops.mul(v, v), v));
    const [old] = grad(before, [v]);
    const [now] = grad(after, [v]);
    return { old, now };
  });
  program.run({ x: [1, 2] });
  const { old, now } = await program.read();
  deepEqual(list(old), [6, 8]);
  deepEqual(list(now), [3, 12]);
});

Deno.test("a variable stands for the newest value that the loss has seen", async () => {
  const v = gpu.variable([2], [3, 4]);
  using program = gpu.compile({ x: [2] }, ({ x }) => {
    const old = ops.reshape(v, [2]); // the value itself, before it is overwritten
    const square = ops.mul(v, v);
    ops.assign(v, x);
    const loss = ops.sum(ops.mul(square, v));
    const [byName, byValue] = grad(loss, [v, old]);
    return { byName, byValue };
  });
  program.run({ x: [5, 6] });
  const { byName, byValue } = await program.read();
  deepEqual(list(byName), [9, 16], "old squared");
  deepEqual(list(byValue), [30, 48], "2 old new");
});

Deno.test("a variable that is read and never needed is left alone", async () => {
  const v = gpu.variable([2], [3, 4]);
  using program = gpu.compile({ x: [2] }, ({ x }) => {
    ops.mul(v, 2);
    ops.mul(ops.add(v, x), 3);
    return { y: ops.neg(x) };
  });
  program.run({ x: [1, 2] });
  deepEqual(list((await program.read()).y), [-1, -2]);
  equal(program.stats.dispatches, 1);
  throws(() => program.run({ x: [1] }), {
    name: "TypeError",
    message: /1 values to input x \[2\]/,
  });
});

/** Adam's first step moves every parameter by the learning rate, against the gradient's sign. */
function variablesOfAdam(names: readonly string[]) {
  const variables = gpu.variables(names.map((name) => ({ name, shape: [3], trainable: true })));
  return { variables, adam: new Adam(gpu, variables, { learningRate: 1 }) };
}

Deno.test("an optimizer packs a gradient that is an input", async () => {
  const { variables: [v, w], adam } = variablesOfAdam(["v", "w"]);
  using program = gpu.compile({ x: [3], y: [3] }, ({ x, y }) => {
    adam.apply([ops.neg(x), y]);
    return {};
  });
  program.run({ x: [1, -2, 3], y: [-4, 5, -6] });
  assertClose(await v.read(), [1, -1, 1], { atol: 1e-4, what: "computed gradient" });
  assertClose(await w.read(), [1, -1, 1], { atol: 1e-4, what: "gradient that is an input" });
});

Deno.test("an optimizer packs one gradient for two variables", async () => {
  const { variables: [v, w, u], adam } = variablesOfAdam(["v", "w", "u"]);
  using program = gpu.compile({ x: [3] }, ({ x }) => {
    const shared = ops.neg(x);
    adam.apply([shared, ops.mul(x, 2), shared]);
    return { shared };
  });
  program.run({ x: [1, -2, 3] });
  deepEqual(list((await program.read()).shared), [-1, 2, -3]);
  assertClose(await v.read(), [1, -1, 1], { atol: 1e-4, what: "the gradient" });
  assertClose(await w.read(), [-1, 1, -1], { atol: 1e-4, what: "another" });
  assertClose(await u.read(), [1, -1, 1], { atol: 1e-4, what: "the first again" });
});

Deno.test("an optimizer packs a gradient and what is computed from it", async () => {
  const specs = ["v", "w"].map((name) => ({ name, shape: [4], trainable: true }));
  const [v, w] = gpu.variables(specs);
  const adam = new Adam(gpu, [v, w], { beta1: 0, beta2: 0, learningRate: 1, epsilon: 1 });
  using program = gpu.compile({ x: [4] }, ({ x }) => {
    const g = ops.exp(x);
    // The transpose reads g: both in one buffer would be read and written at once.
    adam.apply([g, ops.reshape(ops.transpose(ops.reshape(g, [2, 2])), [4])]);
    return {};
  });
  const g = [1, 2, 3, 4];
  program.run({ x: g.map(Math.log) });
  const moved = (g: number[]) => g.map((value) => -value / (value + 1));
  assertClose(await v.read(), moved(g), { rtol: 1e-5, what: "the gradient" });
  assertClose(await w.read(), moved([1, 3, 2, 4]), { rtol: 1e-5, what: "its transpose" });
});

// What is the same in every run

Deno.test("what reads only variables is computed again when one of them was written", async () => {
  const w = gpu.variable([2, 2], [1, 2, 3, 4]);
  const b = gpu.variable([2], [0, 0]);
  const make = () =>
    gpu.compile({ x: [1, 2] }, ({ x }) => {
      const square = ops.matmul(w, w);
      return { y: ops.add(ops.matmul(x, square), ops.exp(b)), square };
    });
  using program = make();
  const { invariant, steps } = lower(
    record({ x: [1, 2] }, ({ x }) => ({ y: ops.add(ops.matmul(x, ops.matmul(w, w)), ops.exp(b)) })),
    gpu.tuning,
  );
  ok(invariant > 0 && invariant < steps.length, `${invariant} of ${steps.length} steps`);
  const run = async (x: number[]) => {
    program.run({ x });
    const { y, square } = await program.read();
    return [[...y], [...square]];
  };
  deepEqual(await run([1, 0]), [[8, 11], [7, 10, 15, 22]]);
  deepEqual(await run([0, 1]), [[16, 23], [7, 10, 15, 22]]);
  w.write([1, 0, 0, 1]);
  deepEqual(await run([2, 3]), [[3, 4], [1, 0, 0, 1]]);
  using other = gpu.compile({}, () => {
    ops.assign(w, ops.mul(w, 2));
    return {};
  });
  other.run();
  deepEqual(await run([2, 3]), [[9, 13], [4, 0, 0, 4]]);
  deepEqual(await run([1, 1]), [[5, 5], [4, 0, 0, 4]]);
});

Deno.test("what is kept for later runs shares no memory with what comes after its last use", async () => {
  const random = new TestRandom("kept");
  const w = gpu.variable([32, 32], random.fill(32 * 32));
  const make = () =>
    gpu.compile({ x: [32, 32] }, ({ x }) => {
      let y: Tensor = ops.matmul(x, ops.transpose(w));
      // Each is as large as the transpose, and would fit into its place.
      for (let i = 0; i < 4; i++) y = ops.tanh(ops.matmul(ops.transpose(y), x));
      return { y };
    });
  using program = make();
  for (let run = 0; run < 3; run++) {
    const x = random.fill(32 * 32);
    program.run({ x });
    using fresh = make();
    fresh.run({ x });
    deepEqual((await program.read()).y, (await fresh.read()).y, `run ${run}`);
  }
});

Deno.test("a profile writes variables as a run does", async () => {
  const w = gpu.variable([2], [1, 2]);
  using reader = gpu.compile({}, () => ({ y: ops.mul(w, 2) }));
  using writer = gpu.compile({}, () => {
    ops.assign(w, ops.add(w, 10));
    return {};
  });
  const read = async () => {
    reader.run();
    return [...(await reader.read()).y];
  };
  deepEqual(await read(), [2, 4]);
  await writer.profile();
  deepEqual(await read(), [22, 24]);
});

Deno.test("what a program assigns itself is never the same", async () => {
  const w = gpu.variable([3], [1, 2, 3]);
  const body = () => {
    const y = ops.exp(ops.mul(w, 0));
    ops.assign(w, ops.add(w, y));
    return { y: ops.mul(w, 1) };
  };
  using program = gpu.compile({}, body);
  // Nothing is set apart that would have to run again after every run.
  deepEqual(lower(record({}, body), gpu.tuning).invariant, 0);
  for (const expected of [[2, 3, 4], [3, 4, 5], [4, 5, 6]]) {
    program.run();
    deepEqual([...(await program.read()).y], expected);
  }
});
