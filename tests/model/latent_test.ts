import assert from "node:assert/strict";
import { type LatentMode, latentPath } from "../../mod.ts";
import { assertClose } from "../support/close.ts";

type Vector = ArrayLike<number>;

const norm = (v: Vector) => Math.hypot(...Array.from(v));
const dot = (a: Vector, b: Vector) => Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);
const near = (got: number, wanted: number, atol = 1e-6) => assertClose([got], [wanted], { atol });

/** The vectors of a path from one point to another: `steps` and the last. */
function leg(a: Vector, b: Vector, steps: number, mode: LatentMode = "spherical"): Float32Array[] {
  const noiseDim = a.length;
  const points = [...Array.from(a), ...Array.from(b)];
  const path = latentPath(points, { noiseDim, steps, mode });
  assert.equal(path.length, (steps + 1) * noiseDim);
  return Array.from({ length: steps + 1 }, (_, i) => path.slice(i * noiseDim, (i + 1) * noiseDim));
}

Deno.test("latent: both ends of a line and of an arc are exact", () => {
  const lines = leg([0, 2], [4, 4], 4, "linear");
  assert.deepEqual([...lines[1]], [1, 2.5]);
  for (const mode of ["linear", "spherical"] as const) {
    for (const [a, b] of [[[0.1, 1e30], [-0.3, 1e-30]], [[0.1, 0.2, -0.7], [1.3, -0.4, 0.9]]]) {
      const vectors = leg(a, b, 3, mode);
      assert.deepEqual([vectors[0], vectors[3]], [Float32Array.from(a), Float32Array.from(b)]);
    }
  }
});

Deno.test("latent: an arc between axes is a quarter circle", () => {
  for (const [i, [x, y]] of leg([1, 0], [0, 1], 30).entries()) {
    near(x, Math.cos(i / 30 * Math.PI / 2));
    near(y, Math.sin(i / 30 * Math.PI / 2));
  }
});

Deno.test("latent: on an arc unit vectors keep their length, and the angle grows evenly", () => {
  const a = Array.from({ length: 100 }, (_, i) => Math.sin(i + 1));
  const b = Array.from({ length: 100 }, (_, i) => Math.cos(3 * i));
  const [unitA, unitB] = [a, b].map((v) => v.map((x) => x / norm(v)));
  const whole = Math.acos(dot(unitA, unitB));
  const points = leg(unitA, unitB, 20);
  for (const [i, point] of points.entries()) {
    near(norm(point), 1);
    near(Math.acos(Math.min(1, dot(unitA, point))), whole * i / 20, 1e-3);
  }
  // Where acos is exact, strictly.
  near(Math.acos(dot(unitA, points[10])), whole / 2);
});

/** Points of arcs at a twentieth of `t`, and how close they must be. */
const ARCS: readonly [a: Vector, b: Vector, t: number, expected: Vector, atol: number][] = [
  // The length goes evenly from one to the other.
  [[2, 0, 0], [0, 6, 0], 5, [3 * Math.cos(Math.PI / 8), 3 * Math.sin(Math.PI / 8), 0], 1e-6],
  // Parallel and nearly parallel vectors are joined by a line.
  [[1, 2], [3, 6], 10, [2, 4], 1e-6],
  [[1, 0], [1, 1e-9], 10, [1, 5e-10], 1e-6],
  [[1, 2], [1, 2], 6, [1, 2], 1e-6],
  // So is a zero vector, which has no direction.
  [[0, 0], [2, 4], 5, [0.5, 1], 0],
  [[2, 4], [0, 0], 5, [1.5, 3], 0],
  [[0, 0], [0, 0], 10, [0, 0], 0],
  // One dimension has no way around zero.
  [[2], [-2], 10, [0], 1e-6],
];

Deno.test("latent: known points of arcs", () => {
  for (const [a, b, t, expected, atol] of ARCS) {
    assertClose(leg(a, b, 20)[t], expected, { atol, what: `${a} to ${b}` });
  }
});

Deno.test("latent: opposite vectors are joined by a half circle, never through zero", () => {
  for (const [a, b] of [[[0, 3, 0], [0, -3, 0]], [[1, 1, 1], [-1, -1, -1 - 1e-9]]]) {
    const points = leg(a, b, 10);
    for (const [i, point] of points.entries()) {
      near(norm(point), norm(a), 1e-5);
      if (i > 0) near(dot(points[i - 1], point) / norm(a) ** 2, Math.cos(Math.PI / 10), 1e-5);
    }
    assert.deepEqual(leg(a, b, 10), points);
  }
});

Deno.test("latent: a path passes through every point, and back with loop", () => {
  const points = [3, 0, 0, 3, -3, 0];
  const at = (path: Float32Array, i: number) => [...path.subarray(2 * i, 2 * i + 2)];
  for (const mode of ["linear", "spherical"] as const) {
    const open = latentPath(points, { noiseDim: 2, steps: 4, mode });
    assert.equal(open.length, 9 * 2);
    assert.deepEqual([0, 4, 8].map((i) => at(open, i)), [[3, 0], [0, 3], [-3, 0]]);
    const closed = latentPath(points, { noiseDim: 2, steps: 4, mode, loop: true });
    assert.equal(closed.length, 12 * 2);
    assert.deepEqual(closed.subarray(0, 18), open);
  }
  const line = latentPath(points, { noiseDim: 2, steps: 2, mode: "linear" });
  assert.deepEqual(at(line, 1), [1.5, 1.5]);
  near(norm(at(latentPath(points, { noiseDim: 2, steps: 2 }), 1)), 3); // an arc by default
});

Deno.test("latent: what cannot be is refused with both values", () => {
  const refused: [points: number[], options: object, name: string, message: RegExp][] = [
    [[1, 2, 3], {}, "TypeError", /^3 numbers are not a whole number of points of 2/],
    [[1, 2], {}, "RangeError", /at least 2 points, got 1/],
    [[1, 2, 3, 4], { noiseDim: 0 }, "RangeError", /noiseDim must be .* at least 1, got 0/],
    [[1, 2, 3, 4], { steps: 0 }, "RangeError", /steps must be/],
    [[1, 2, 3, 4], { mode: "cubic" }, "RangeError", /"linear" or "spherical", got "cubic"/],
  ];
  for (const [points, options, name, message] of refused) {
    const path = () => latentPath(points, { noiseDim: 2, steps: 2, ...options });
    assert.throws(path, { name, message });
  }
});
