/**
 * Random numbers: the published vectors of Threefry, a second implementation, moments, and what
 * depends on seeds, streams, steps and runs. Every bound is a number of standard errors, and the
 * seeds are fixed, so nothing here fails by chance.
 */

import { deepEqual, equal, notDeepEqual, ok, throws } from "node:assert/strict";
import { grad, ops } from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import { kernel } from "../../src/gpu/shader.ts";
import code from "../../src/kernels/random.wgsl" with { type: "text" };
import { assertClose } from "../support/close.ts";
import { compute, gpu, held, run } from "../support/compute.ts";
import { dropout, nd } from "../support/reference.ts";

const MILLION = 1_000_000;

// The generator

/** Threefry-2x32 after Salmon et al. 2011, round by round, over BigInt words. */
function threefry(counter: readonly number[], key: readonly number[]): number[] {
  const mask = 0xffffffffn;
  const rotations = [13n, 15n, 26n, 6n, 17n, 29n, 16n, 24n];
  const k = key.map(BigInt);
  k.push(0x1bd11bdan ^ k[0] ^ k[1]);
  let [x, y] = [(BigInt(counter[0]) + k[0]) & mask, (BigInt(counter[1]) + k[1]) & mask];
  for (let round = 0n; round < 20n; round++) {
    const r = rotations[Number(round % 8n)];
    x = (x + y) & mask;
    y = ((y << r | y >> 32n - r) & mask) ^ x;
    if (round % 4n < 3n) continue;
    const injection = round / 4n + 1n;
    x = (x + k[Number(injection % 3n)]) & mask;
    y = (y + k[Number((injection + 1n) % 3n)] + injection) & mask;
  }
  return [Number(x), Number(y)];
}

/** Random123's kat_vectors for threefry2x32, 20 rounds: counter, key, result. */
const KNOWN = [
  [[0x00000000, 0x00000000], [0x00000000, 0x00000000], [0x6b200159, 0x99ba4efe]],
  [[0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x1cb996fc, 0xbb002be7]],
  [[0x243f6a88, 0x85a308d3], [0x13198a2e, 0x03707344], [0xc4923a9c, 0x483df7a0]],
];

Deno.test("known answers of Random123, on the device and in the second implementation", async () => {
  const cases = KNOWN.flatMap(([counter, key]) => [...counter, ...key]);
  const answers = KNOWN.flatMap(([, , result]) => result);
  deepEqual(KNOWN.flatMap(([counter, key]) => threefry(counter, key)), answers);

  const [x, words] = [cases, answers].map((list) => {
    return gpu.variable([list.length], undefined, { dtype: "u32" });
  });
  x.write(cases);
  const commands = new CommandList(gpu.context, "known answers");
  commands.dispatch({
    label: "known answers",
    kernel: kernel("random", code),
    entryPoint: "known_answer",
    constants: { COUNT: KNOWN.length },
    bindings: { x: x.view, words: words.view },
    workgroups: [1, 1, 1],
  });
  commands.submit();
  deepEqual(await held(words), [answers]);
});

/** Words of an op as the documentation of `random.wgsl` gives them. */
function expectedWords(count: number, seed: number, stream: number, step: number): number[] {
  const pairs = Array.from({ length: Math.ceil(count / 2) }, (_, i) => i);
  return pairs.flatMap((i) => threefry([i, step], [seed, stream])).slice(0, count);
}

Deno.test("randomBits are threefry of element, step, seed and stream", async () => {
  for (const seed of [0, 7, 0xffffffff]) {
    using program = gpu.compile({}, () => ({
      first: ops.randomBits([7], { seed }),
      second: ops.randomBits([3, 50], { seed }),
      third: ops.randomBits([4], { seed }),
    }));
    for (let step = 0; step < 3; step++) {
      deepEqual(await run(program), {
        first: expectedWords(7, seed, 0, step),
        second: expectedWords(150, seed, 1, step),
        third: expectedWords(4, seed, 2, step),
      });
    }
  }
});

Deno.test("uniform and normal numbers are made of those words", async () => {
  const { uniform, normal } = await compute({}, () => ({
    uniform: ops.randomUniform([9], { seed: 5 }),
    normal: ops.randomNormal([9], { seed: 5 }),
  }));
  const unit = (word: number) => (word >>> 8) / 2 ** 24;
  deepEqual(uniform, expectedWords(9, 5, 0, 0).map(unit));
  const u = expectedWords(10, 5, 1, 0).map(unit);
  const expected = normal.map((_, i) => {
    const pair = i - i % 2;
    const radius = Math.sqrt(-2 * Math.log(1 - u[pair]));
    const angle = 2 * Math.PI * u[pair + 1];
    return radius * (i % 2 ? Math.sin(angle) : Math.cos(angle));
  });
  // The adapter's own log, sin and cos; WGSL lets sin and cos be wrong by 2^-11.
  assertClose(normal, expected, { atol: 2e-3, what: "normal numbers" });
});

// States

const stateOf = (seed: number, step: number) =>
  gpu.variable([2], [seed, step], { dtype: "u32", trainable: false, name: "dice" });

Deno.test("the same seed gives the same bits, another seed and the next run others", async () => {
  const make = (seed?: number) => gpu.compile({}, () => ({ y: ops.randomBits([64], { seed }) }));
  const bits = async (program: ReturnType<typeof make>) => (await run(program)).y;
  using a = make(3);
  using b = make(3);
  using other = make(4);
  using first = make();
  using zero = make(0);
  const runs = [await bits(a), await bits(a), await bits(a)];
  deepEqual([await bits(b), await bits(b), await bits(b)], runs);
  const all = [...runs, await bits(other), await bits(zero)];
  equal(new Set(all.flat()).size, 5 * 64, "words in common");
  deepEqual(await bits(first), all[4]);
});

Deno.test("a state that is restored gives the same numbers again", async () => {
  const state = stateOf(11, 0);
  using program = gpu.compile({}, () => ({
    u: ops.randomUniform([16], { state }),
    n: ops.randomNormal([16], { state }),
  }));
  const first = await run(program);
  const [saved] = await held(state);
  deepEqual(saved, [11, 1]);
  const rest = [await run(program), await run(program)];
  notDeepEqual(rest[0], first);
  state.write(saved);
  deepEqual([await run(program), await run(program)], rest);
  state.write([11, 0]);
  deepEqual(await run(program), first);
  // A seed is a state that begins at 0.
  deepEqual(await compute({}, () => ({ u: ops.randomUniform([16], { seed: 11 }) })), {
    u: first.u,
  });
});

Deno.test("a state that is also an output still moves on", async () => {
  const state = stateOf(11, 0);
  using program = gpu.compile({}, () => ({ u: ops.randomBits([4], { state }), state }));
  deepEqual((await run(program)).state, [11, 0], "the value that the draw has seen");
  deepEqual((await run(program)).u, expectedWords(4, 11, 0, 1));
  deepEqual(await held(state), [[11, 2]]);
});

Deno.test("the step wraps around, and seeds of one program keep apart", async () => {
  const state = stateOf(1, 0xffffffff);
  const words = await compute({}, () => ({
    own: ops.randomBits([4], { state }),
    a: ops.randomBits([4], { seed: 1 }),
    b: ops.randomBits([4], { seed: 2 }),
    again: ops.randomBits([4], { seed: 1 }),
  }));
  deepEqual(words, {
    own: expectedWords(4, 1, 0, 0xffffffff),
    a: expectedWords(4, 1, 0, 0),
    b: expectedWords(4, 2, 0, 0),
    again: expectedWords(4, 1, 1, 0),
  });
  deepEqual(await held(state), [[1, 0]]);
});

Deno.test("a state may be assigned before the first draw, and only there", async () => {
  const state = stateOf(1, 5);
  const words = await compute({ next: Uint32Array.of(3, 8) }, ({ next }) => {
    ops.assign(state, next);
    return { a: ops.randomBits([4], { state }), b: ops.randomBits([4], { state }) };
  });
  deepEqual(words, { a: expectedWords(4, 3, 0, 8), b: expectedWords(4, 3, 1, 8) });
  deepEqual(await held(state), [[3, 9]]);

  for (const again of [true, false]) {
    const compile = () =>
      gpu.compile({ next: { shape: [2], dtype: "u32" } }, ({ next }) => {
        const a = ops.randomBits([4], { state });
        ops.assign(state, next);
        return { a, b: again ? ops.randomBits([4], { state }) : a };
      });
    throws(compile, {
      name: "TypeError",
      message: "Cannot assign to the random state dice after a draw from it in the same " +
        "recording: assign before the first draw, or write to it between runs",
    });
  }
});

// Distributions

function moments(values: ArrayLike<number>) {
  const n = values.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i] / n;
  const central = [0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    for (let p = 2; p <= 4; p++) central[p] += (values[i] - mean) ** p / n;
  }
  const [, , variance, third, fourth] = central;
  return { mean, variance, skewness: third / variance ** 1.5, kurtosis: fourth / variance ** 2 };
}

const largest = (values: readonly number[]) => values.reduce((a, v) => Math.max(a, v), -Infinity);

/** A statistic within five standard errors of what it should be. */
function within(value: number, expected: number, standardError: number, what: string): void {
  assertClose([value], [expected], { atol: 5 * standardError, what });
}

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [x, y] = [moments(a), moments(b)];
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - x.mean) * (b[i] - y.mean) / a.length;
  return sum / Math.sqrt(x.variance * y.variance);
}

Deno.test("a million normal numbers have the moments of the normal distribution", async () => {
  const { y } = await compute({}, () => ({ y: ops.randomNormal([MILLION], { seed: 1 }) }));
  const { mean, variance, skewness, kurtosis } = moments(y);
  within(mean, 0, Math.sqrt(1 / MILLION), "mean");
  within(variance, 1, Math.sqrt(2 / MILLION), "variance");
  within(skewness, 0, Math.sqrt(6 / MILLION), "skewness");
  within(kurtosis, 3, Math.sqrt(24 / MILLION), "kurtosis");
  // Shares within one, two and three standard deviations.
  for (const [sigmas, share] of [[1, 0.6826894921], [2, 0.9544997361], [3, 0.9973002039]]) {
    const found = y.filter((v) => Math.abs(v) < sigmas).length / MILLION;
    within(found, share, Math.sqrt(share * (1 - share) / MILLION), `within ${sigmas} sigma`);
  }
  const most = largest(y.map(Math.abs));
  ok(most > 4.3 && most < 6, `the largest of a million is ${most}`);
});

Deno.test("mean, stddev, minimum and maximum", async () => {
  const count = 100_000;
  const { normal, uniform } = await compute({}, () => ({
    normal: ops.randomNormal([count], { seed: 2, mean: -3, stddev: 0.5 }),
    uniform: ops.randomUniform([count], { seed: 2, minimum: -2, maximum: 6 }),
  }));
  within(moments(normal).mean, -3, 0.5 / Math.sqrt(count), "mean");
  within(moments(normal).variance, 0.25, 0.25 * Math.sqrt(2 / count), "variance");
  ok(uniform.every((v) => v >= -2 && v < 6));
  within(moments(uniform).mean, 2, Math.sqrt(64 / 12 / count), "mean of uniform");
  const spread = largest(uniform) + largest(uniform.map((v) => -v));
  ok(spread > 7.99, `spread over ${spread}`);
});

Deno.test("uniform numbers never round up to the maximum", async () => {
  // A few float32 apart, so that about every fourth number would.
  const ranges = [[1000, 1000 + 2 ** -13], [-1000 - 2 ** -13, -1000], [-(2 ** 24), 2 - 2 ** 24]];
  for (const [minimum, maximum] of [...ranges, [0.1, 0.1 + 2 ** -26], [-1, 0], [1e38, 3e38]]) {
    const { y } = await compute({}, () => ({
      y: ops.randomUniform([10_000], { seed: 9, minimum, maximum }),
    }));
    ok(y.every((v) => v >= minimum && v < maximum), `[${minimum}, ${maximum})`);
    ok(new Set(y).size > 1);
  }
});

Deno.test("a million uniform numbers are in [0, 1) and fill 64 bins evenly", async () => {
  const { y } = await compute({}, () => ({ y: ops.randomUniform([MILLION], { seed: 3 }) }));
  ok(y.every((v) => v >= 0 && v < 1));
  const bins = new Array(64).fill(0);
  const low = new Array(64).fill(0); // of the digits behind the first 18 bits
  for (const v of y) {
    bins[Math.floor(v * 64)]++;
    low[v * 2 ** 24 % 64]++;
  }
  for (const [what, counts] of Object.entries({ bins, low })) {
    const expected = MILLION / 64;
    const chiSquare = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 63 degrees of freedom: mean 63, variance 126.
    within(chiSquare, 63, Math.sqrt(126), `chi-square of the ${what}`);
  }
  within(moments(y).mean, 0.5, Math.sqrt(1 / 12 / MILLION), "mean");
  within(moments(y).variance, 1 / 12, Math.sqrt(1 / 180 / MILLION), "variance");
});

Deno.test("streams, steps, seeds and neighbors are not correlated", async () => {
  const count = 200_000;
  using program = gpu.compile({}, () => ({
    a: ops.randomNormal([count], { seed: 4 }),
    b: ops.randomNormal([count], { seed: 4 }),
    c: ops.randomNormal([count], { seed: 5 }),
  }));
  const { a, b, c } = await run(program);
  const { a: next } = await run(program);
  const pairs = {
    "two streams": [a, b],
    "two seeds": [a, c],
    "two steps": [a, next],
    "neighbors": [a.slice(1), a.slice(0, -1)],
    "every second": [a.slice(2), a.slice(0, -2)],
    "both of a pair": [a.filter((_, i) => i % 2), a.filter((_, i) => i % 2 === 0)],
  };
  for (const [what, [x, y]] of Object.entries(pairs)) {
    within(correlation(x, y), 0, 1 / Math.sqrt(x.length), what);
    const [squareX, squareY] = [x, y].map((v) => v.map((w) => w * w));
    within(correlation(squareX, squareY), 0, 1 / Math.sqrt(x.length), `${what}, squared`);
  }
});

// Dropout

Deno.test("dropout drops the share, scales the rest, and its gradient has the same mask", async () => {
  const count = 100_001;
  const x = Float32Array.from({ length: count }, (_, i) => 1 + i % 7);
  const c = x.map((_, i) => i % 5 - 7);
  for (const rate of [0.3, 0.75]) {
    const { y, dx } = await compute({ x, c }, ({ x, c }) => {
      const y = ops.dropout(x, rate, { seed: 6 });
      const [dx] = grad(ops.sum(ops.mul(y, c)), [x]);
      return { y, dx };
    });
    const mask = y.map((v) => v === 0 ? 0 : 1);
    const rtol = 2 ** -22;
    assertClose(y, dropout(nd([count], x), mask, rate).data, { rtol, what: "values" });
    assertClose(dx, dropout(nd([count], c), mask, rate).data, { rtol, what: "gradient" });
    const dropped = y.filter((v) => v === 0).length / count;
    within(dropped, rate, Math.sqrt(rate * (1 - rate) / count), "share");
  }
});

Deno.test("masks of two calls, of two runs and of two seeds are independent", async () => {
  const count = 50_000;
  using program = gpu.compile({ x: [count] }, ({ x }) => ({
    a: ops.dropout(x, 0.3, { seed: 7 }),
    b: ops.dropout(x, 0.3, { seed: 7 }),
    c: ops.dropout(x, 0.3, { seed: 8 }),
  }));
  const { a, b, c } = await run(program, { x: new Float32Array(count).fill(1) });
  const { a: next } = await run(program);
  for (const [what, other] of Object.entries({ calls: b, seeds: c, runs: next })) {
    within(correlation(a, other), 0, 1 / Math.sqrt(count), `masks of two ${what}`);
    const both = a.filter((v, i) => v === 0 && other[i] === 0).length / count;
    within(both, 0.09, Math.sqrt(0.09 * 0.91 / count), `dropped in two ${what}`);
  }
});

Deno.test("a rate of 0 drops nothing", async () => {
  const x = [1, 2, 3, 4, 5];
  using program = gpu.compile({ x: [5] }, ({ x }) => ({ y: ops.dropout(x, 0) }));
  deepEqual(await run(program, { x }), { y: x });
  equal(program.stats.dispatches, 0);
});
