import assert from "node:assert/strict";
import { latentPath, lerp, slerp } from "../../mod.ts";
import { assertClose } from "../support/close.ts";

const norm = (v: ArrayLike<number>) => Math.hypot(...Array.from(v));
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);
const near = (got: number, wanted: number, tolerance = 1e-6) =>
  assert.ok(Math.abs(got - wanted) <= tolerance, `${got}, wanted ${wanted}`);

Deno.test("lerp: known points of a line, both ends exact", () => {
  assert.deepEqual([...lerp([0, 2], [4, 4], 0.25)], [1, 2.5]);
  const [a, b] = [Float32Array.of(0.1, 1e30), Float32Array.of(-0.3, 1e-30)];
  assert.deepEqual(lerp(a, b, 0), a);
  assert.deepEqual(lerp(a, b, 1), b);
});

Deno.test("slerp: known points of a quarter circle", () => {
  for (const t of [0.1, 1 / 3, 0.5, 0.9]) {
    const [x, y] = slerp([1, 0], [0, 1], t);
    near(x, Math.cos(t * Math.PI / 2));
    near(y, Math.sin(t * Math.PI / 2));
  }
});

Deno.test("slerp: unit vectors keep their length, and the angle grows evenly", () => {
  const a = Array.from({ length: 100 }, (_, i) => Math.sin(i + 1));
  const b = Array.from({ length: 100 }, (_, i) => Math.cos(3 * i));
  const [unitA, unitB] = [a, b].map((v) => v.map((x) => x / norm(v)));
  const whole = Math.acos(dot(unitA, unitB));
  for (let i = 0; i <= 20; i++) {
    const point = slerp(unitA, unitB, i / 20);
    near(norm(point), 1);
    near(Math.acos(Math.min(1, dot(unitA, point))), whole * i / 20, 1e-3);
  }
  // Where acos is exact, strictly.
  near(Math.acos(dot(unitA, slerp(unitA, unitB, 0.5))), whole / 2);
});

Deno.test("slerp: lengths go evenly from one to the other", () => {
  const point = slerp([2, 0, 0], [0, 6, 0], 0.25);
  near(norm(point), 3);
  near(Math.atan2(point[1], point[0]), Math.PI / 8);
});

Deno.test("slerp: both ends are exact", () => {
  const [a, b] = [Float32Array.of(0.1, 0.2, -0.7), Float32Array.of(1.3, -0.4, 0.9)];
  assert.deepEqual(slerp(a, b, 0), a);
  assert.deepEqual(slerp(a, b, 1), b);
});

Deno.test("slerp: parallel and nearly parallel vectors are joined by a line", () => {
  assertClose(slerp([1, 2], [3, 6], 0.5), [2, 4], { atol: 1e-6, what: "parallel" });
  assertClose(slerp([1, 0], [1, 1e-9], 0.5), [1, 5e-10], { atol: 1e-6, what: "nearly parallel" });
  assertClose(slerp([1, 2], [1, 2], 0.3), [1, 2], { atol: 1e-6, what: "the same" });
});

Deno.test("slerp: opposite vectors are joined by a half circle, never through zero", () => {
  for (const [a, b] of [[[0, 3, 0], [0, -3, 0]], [[1, 1, 1], [-1, -1, -1 - 1e-9]]]) {
    const points = Array.from({ length: 11 }, (_, i) => slerp(a, b, i / 10));
    for (const point of points) near(norm(point), norm(a), 1e-5);
    for (let i = 0; i < 10; i++) {
      const cosine = dot(points[i], points[i + 1]) / norm(a) ** 2;
      near(cosine, Math.cos(Math.PI / 10), 1e-5);
    }
    assert.deepEqual(slerp(a, b, 0.5), slerp(a, b, 0.5));
  }
  near(slerp([2], [-2], 0.5)[0], 0); // one dimension has no way around
});

Deno.test("slerp: a zero vector has no direction, and is joined by a line", () => {
  assert.deepEqual([...slerp([0, 0], [2, 4], 0.25)], [0.5, 1]);
  assert.deepEqual([...slerp([2, 4], [0, 0], 0.25)], [1.5, 3]);
  assert.deepEqual([...slerp([0, 0], [0, 0], 0.5)], [0, 0]);
});

Deno.test("latent path: passes through every point, and back with loop", () => {
  const points = [3, 0, 0, 3, -3, 0];
  const at = (path: Float32Array, i: number) => [...path.subarray(2 * i, 2 * i + 2)];
  for (const mode of ["linear", "spherical"] as const) {
    const open = latentPath(points, { noiseDim: 2, steps: 4, mode });
    assert.equal(open.length, 9 * 2);
    assert.deepEqual([0, 4, 8].map((i) => at(open, i)), [[3, 0], [0, 3], [-3, 0]]);
    const closed = latentPath(points, { noiseDim: 2, steps: 4, mode, loop: true });
    assert.equal(closed.length, 12 * 2);
    assert.deepEqual(closed.subarray(0, 16), open.subarray(0, 16));
    assert.deepEqual(at(closed, 8), [-3, 0]);
  }
  const line = latentPath(points, { noiseDim: 2, steps: 2, mode: "linear" });
  assert.deepEqual(at(line, 1), [1.5, 1.5]);
  const arc = latentPath(points, { noiseDim: 2, steps: 2 });
  near(norm(at(arc, 1)), 3);
});

Deno.test("latent: what cannot be is refused with both values", () => {
  const path = (points: number[], options = {}) =>
    latentPath(points, { noiseDim: 2, steps: 2, ...options });
  const refused: [() => unknown, string, RegExp][] = [
    [() => lerp([1], [1, 2], 0.5), "TypeError", /vectors of 1 and 2 numbers/],
    [() => slerp([], [], 0.5), "TypeError", /vectors of 0 and 0 numbers/],
    [() => slerp([1], [2], 1.5), "RangeError", /t must be from 0 to 1, got 1.5/],
    [() => lerp([1], [2], NaN), "RangeError", /t must be from 0 to 1, got NaN/],
    [() => path([1, 2, 3]), "TypeError", /^3 numbers are not a whole number of points of 2/],
    [() => path([1, 2]), "RangeError", /at least 2 points, got 1/],
    [() => path([1, 2, 3, 4], { steps: 0 }), "RangeError", /steps must be/],
    [
      () => path([1, 2, 3, 4], { mode: "cubic" }),
      "RangeError",
      /"linear" or "spherical", got "cubic"/,
    ],
  ];
  for (const [body, name, message] of refused) assert.throws(body, { name, message });
});
