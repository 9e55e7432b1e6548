/** Paths between noise vectors, through latent space. */

import { requireCount } from "./validate.ts";

/** How to go from one point to the next: along a straight line, or along an arc. */
export type LatentMode = "linear" | "spherical";

/** Options of {@linkcode latentPath}. */
export interface LatentPathOptions {
  /** How many numbers a point has. */
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
 * On an arc ("spherical"), the direction turns at a constant speed, and the length changes at a
 * constant speed. Noise of many dimensions lies near a sphere, so in training the generator hardly
 * ever saw points inside it. A straight line crosses the inside, an arc does not (White 2016, "Sampling
 * Generative Networks"). Where a point is zero, or both have the same direction, the arc is the straight
 * line. Of the many arcs between opposite points, this function always chooses the same one.
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
  const between = mode === "linear" ? line : arc;
  const legs = loop ? count : count - 1;
  const path = Array.from({ length: legs * steps + (loop ? 0 : 1) }, (_, i) => {
    const [leg, step] = [Math.floor(i / steps), i % steps];
    return step === 0 ? point(leg) : between(point(leg), point(leg + 1), step / steps);
  });
  return Float32Array.from(path.flat());
}

/** A sine smaller than this is mostly rounding error. */
const TINY = 1e-6;

type Vector = readonly number[];

const norm = (vector: Vector) => Math.hypot(...vector);
const scaled = (vector: Vector, by: number) => vector.map((x) => x * by);
const combine = (a: Vector, weightA: number, b: Vector, weightB: number) =>
  a.map((x, i) => weightA * x + weightB * b[i]);

/** The point at fraction `t` of the straight line from `a` to `b`. */
const line = (a: Vector, b: Vector, t: number) => combine(a, 1 - t, b, t);

/** The point at fraction `t` of the arc from `a` to `b`. */
export function arc(a: Vector, b: Vector, t: number): number[] {
  const [lengthA, lengthB] = [norm(a), norm(b)];
  if (lengthA === 0 || lengthB === 0) return line(a, b, t);

  const length = (1 - t) * lengthA + t * lengthB;
  const [unitA, unitB] = [scaled(a, 1 / lengthA), scaled(b, 1 / lengthB)];
  // Not acos of the dot product, which loses all digits near 0 and pi.
  const angle = 2 *
    Math.atan2(norm(combine(unitA, 1, unitB, -1)), norm(combine(unitA, 1, unitB, 1)));
  const [toA, toB] = [(1 - t) * angle, t * angle];
  const sine = Math.sin(angle);
  if (sine >= TINY) {
    return combine(unitA, length * Math.sin(toA) / sine, unitB, length * Math.sin(toB) / sine);
  }
  if (angle < 1) return scaled(line(unitA, unitB, t), length);
  return combine(unitA, length * Math.cos(toB), perpendicular(unitA), length * Math.sin(toB));
}

/** A unit vector orthogonal to a unit vector, made from the axis of its smallest component. */
function perpendicular(unit: Vector): number[] {
  const sizes = unit.map(Math.abs);
  const axis = sizes.indexOf(Math.min(...sizes));
  const rest = unit.map((x, i) => (i === axis ? 1 : 0) - unit[axis] * x);
  const length = norm(rest);
  // In one dimension nothing is orthogonal: the path goes through zero.
  return length < TINY ? rest.map(() => 0) : scaled(rest, 1 / length);
}
