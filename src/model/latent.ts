/**
 * Paths between noise vectors, through latent space.
 *
 * @module
 */

import { requireCount } from "./validate.ts";

/** How to go from one vector to the next: along a straight line, or along an arc. */
export type LatentMode = "linear" | "spherical";

/** A sine smaller than this is mostly rounding error. */
const TINY = 1e-6;

function check(a: ArrayLike<number>, b: ArrayLike<number>, t: number): void {
  if (a.length !== b.length || a.length === 0) {
    throw new TypeError(
      `Cannot interpolate between vectors of ${a.length} and ${b.length} numbers: ` +
        "give two of the same length, at least 1",
    );
  }
  if (!(t >= 0 && t <= 1)) throw new RangeError(`t must be from 0 to 1, got ${t}`);
}

/**
 * The point at fraction `t` of the straight line from `a` to `b`.
 *
 * ```ts
 * import { lerp } from "@dcgan/webgpu";
 *
 * console.log([...lerp([0, 2], [4, 4], 0.25)]); // [ 1, 2.5 ]
 * ```
 *
 * @param b as long as `a`
 * @param t 0 gives `a`, 1 gives `b`, both exactly
 * @throws {TypeError} when the vectors differ in length or are empty.
 * @throws {RangeError} when `t` is not from 0 to 1.
 */
export function lerp(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  t: number,
): Float32Array<ArrayBuffer> {
  check(a, b, t);
  return combine(a, 1 - t, b, t);
}

/**
 * The point at fraction `t` of the arc from `a` to `b`: the direction turns at a constant speed, and
 * the length changes at a constant speed.
 *
 * Noise of many dimensions lies near a sphere, so in training the generator hardly ever saw points
 * inside it. A straight line crosses the inside, an arc does not (White 2016, "Sampling Generative
 * Networks").
 *
 * Where a vector is zero, or both have the same direction, the arc is the straight line. Of the many
 * arcs between opposite vectors, this function always chooses the same one.
 *
 * ```ts
 * import { slerp } from "@dcgan/webgpu";
 *
 * console.log([...slerp([1, 0], [0, 1], 0.5)]); // [ 0.7071067690849304, 0.7071067690849304 ]
 * ```
 *
 * The parameters and errors are those of {@linkcode lerp}; both ends are exact, too.
 */
export function slerp(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  t: number,
): Float32Array<ArrayBuffer> {
  check(a, b, t);
  if (t === 0 || t === 1) return Float32Array.from(t === 0 ? a : b);
  const [lengthA, lengthB] = [norm(a), norm(b)];
  if (lengthA === 0 || lengthB === 0) return combine(a, 1 - t, b, t);

  const length = (1 - t) * lengthA + t * lengthB;
  const [unitA, unitB] = [scaled(a, 1 / lengthA), scaled(b, 1 / lengthB)];
  // Not acos of the dot product, which loses all digits near 0 and pi.
  const difference = norm(unitA.map((x, i) => x - unitB[i]));
  const angle = 2 * Math.atan2(difference, norm(unitA.map((x, i) => x + unitB[i])));
  const [toA, toB] = [(1 - t) * angle, t * angle];
  const sine = Math.sin(angle);
  if (sine >= TINY) {
    return combine(unitA, length * Math.sin(toA) / sine, unitB, length * Math.sin(toB) / sine);
  }
  if (angle < 1) return combine(unitA, length * (1 - t), unitB, length * t);
  return combine(unitA, length * Math.cos(toB), perpendicular(unitA), length * Math.sin(toB));
}

/** Options of {@linkcode latentPath}. */
export interface LatentPathOptions {
  /** Numbers a point. */
  readonly noiseDim: number;
  /** Vectors from one point to the next, including the first of the two. */
  readonly steps: number;
  /** Default "spherical". */
  readonly mode?: LatentMode;
  /** Whether the path returns to its first point, for animations that repeat. Default false. */
  readonly loop?: boolean;
}

/**
 * The noise vectors on a path that passes through points one after another.
 *
 * ```ts
 * import { latentPath } from "@dcgan/webgpu";
 *
 * const points = [0, 0, 4, 0, 4, 4]; // three points of two numbers
 * const path = latentPath(points, { noiseDim: 2, steps: 4, mode: "linear" });
 * // Two legs of four vectors each, and the last point.
 * console.log(path.length / 2); // 9
 * ```
 *
 * @param points [count, noiseDim], at least two points
 * @returns [count, noiseDim] with (points - 1) * steps + 1 vectors, or points * steps with `loop`
 * @throws {RangeError} when an option is out of range, or there are fewer than two points.
 * @throws {TypeError} when the numbers are not a whole number of points.
 */
export function latentPath(
  points: ArrayLike<number>,
  { noiseDim, steps, mode = "spherical", loop = false }: LatentPathOptions,
): Float32Array<ArrayBuffer> {
  requireCount("noiseDim", noiseDim);
  requireCount("steps", steps);
  if (mode !== "linear" && mode !== "spherical") {
    throw new RangeError(`mode must be "linear" or "spherical", got ${JSON.stringify(mode)}`);
  }
  if (points.length % noiseDim !== 0) {
    throw new TypeError(
      `${points.length} numbers are not a whole number of points of ${noiseDim} numbers each`,
    );
  }
  const count = points.length / noiseDim;
  if (count < 2) throw new RangeError(`A path needs at least 2 points, got ${count}`);

  const all = Array.from(points);
  const point = (i: number) => all.slice(i % count * noiseDim, (i % count + 1) * noiseDim);
  const between = mode === "linear" ? lerp : slerp;
  const legs = loop ? count : count - 1;
  const path = Array.from({ length: legs * steps + (loop ? 0 : 1) }, (_, i) => {
    const leg = Math.floor(i / steps);
    return between(point(leg), point(leg + 1), i % steps / steps);
  });
  return Float32Array.from(path.flatMap((vector) => [...vector]));
}

const norm = (vector: ArrayLike<number>) => Math.hypot(...Array.from(vector));
const scaled = (vector: ArrayLike<number>, by: number) => Array.from(vector, (x) => x * by);

function combine(
  a: ArrayLike<number>,
  weightA: number,
  b: ArrayLike<number>,
  weightB: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: a.length }, (_, i) => weightA * a[i] + weightB * b[i]);
}

/** A unit vector orthogonal to a unit vector, made from the axis of its smallest component. */
function perpendicular(unit: readonly number[]): number[] {
  const sizes = unit.map(Math.abs);
  const axis = sizes.indexOf(Math.min(...sizes));
  const rest = unit.map((x, i) => (i === axis ? 1 : 0) - unit[axis] * x);
  const length = norm(rest);
  // In one dimension nothing is orthogonal: the path goes through zero.
  return length < TINY ? rest.map(() => 0) : scaled(rest, 1 / length);
}
