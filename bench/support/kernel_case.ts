/**
 * A kernel at one shape, as `bench/kernels_bench.ts` checks and times it.
 *
 * @module
 */

import { type Gpu, ops, type Program, type Shape, type Tensor } from "../../mod.ts";
import { assertClose } from "../../tests/support/close.ts";
import { TestRandom } from "../../tests/support/random.ts";
import * as reference from "../../tests/support/reference.ts";
import type { Algebra, NdArray } from "../../tests/support/reference.ts";

/** A kernel at one shape. */
export interface KernelCase {
  /** The op and its shapes. */
  readonly name: string;
  /** Which dispatches are its own, by `Timing.kernel`. Default: all. */
  readonly kernel?: RegExp;
  /** Operations of the dense definition, a multiply-add counted as two; 0 if they do not matter. */
  readonly flops: number;
  /** Bytes that any kernel has to move: what it needs read once, what it makes written once. */
  readonly bytes: number;
  /** Compiles it and gives it its inputs. */
  make(gpu: Gpu): Running;
}

/** A compiled case. */
export interface Running {
  readonly program: Program;
  /** What else it holds on the device. */
  readonly parts?: readonly { dispose(): void }[];
  /** Runs it for the first time and compares with a naive reference; throws where they differ. */
  verify(): Promise<void>;
}

/** Compares values with those of a float64 reference; the tolerance is relative to the largest. */
export function requireClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = 1e-4,
): void {
  let most = 0;
  for (let i = 0; i < expected.length; i++) most = Math.max(most, Math.abs(expected[i]));
  assertClose(actual, expected, { atol: tolerance * most, what });
}

/** A few places along an axis, its ends among them. */
function places(size: number): number[] {
  const last = size - 1;
  return [...new Set([0, Math.floor(last / 3), Math.ceil(2 * last / 3), last])];
}

/** x at a few places along each of some axes: the same places in every array of that size. */
function sampled(x: NdArray, axes: readonly number[]): NdArray {
  return axes.reduce((part, axis) => {
    const at = places(x.shape[axis]);
    return reference.gather(part, reference.nd([at.length], at), axis);
  }, x);
}

/** Random numbers on [low, 1): from the default -0.5 their sums do not cancel. */
export function numbers(count: number, seed: string, low = -0.5): Float32Array<ArrayBuffer> {
  return Float32Array.from(new TestRandom(seed).fill(count, (r) => r.between(low, 1)));
}

/** Bytes of f32 tensors. */
export function bytesOf(shapes: Iterable<Shape>): number {
  return [...shapes].reduce((sum, shape) => sum + 4 * reference.count(shape), 0);
}

/** What ops and reference have in common. */
export type Op<N extends string> = <T>(f: Algebra<T>, inputs: Record<N, T>) => T;

/** A computation that the two do not have in common. */
interface Both<N extends string> {
  readonly record: (inputs: Record<N, Tensor>) => Tensor;
  readonly expected: (inputs: Record<N, NdArray>) => NdArray;
}

/** What {@linkcode opCase} needs to know. */
export interface OpOptions<N extends string> {
  readonly name: string;
  readonly kernel?: RegExp;
  readonly flops?: number;
  readonly inputs: Readonly<Record<N, Shape>>;
  /** Shape of the result. */
  readonly y: Shape;
  /**
   * Axes of the inputs and of the result along which only a few places are checked. An axis that a
   * sum runs over cannot be one of them.
   */
  readonly sample: Readonly<Record<string, readonly number[] | undefined>>;
  /** The least input. Default -0.5. */
  readonly low?: number;
  readonly op: Op<NoInfer<N>> | Both<NoInfer<N>>;
}

/** A case of f32 inputs and one result. */
export function opCase<N extends string>(options: OpOptions<N>): KernelCase {
  const { name, kernel, flops = 0, inputs, y: shape, sample, op, low } = options;
  const { record, expected }: Both<N> = typeof op !== "function" ? op : {
    record: (inputs) => op<Tensor>(ops, inputs),
    expected: (inputs) => op<NdArray>(reference, inputs),
  };
  const entries = Object.entries(inputs) as [N, Shape][];
  return {
    name,
    kernel,
    flops,
    bytes: bytesOf([...Object.values<Shape>(inputs), shape]),
    make(gpu) {
      const program = gpu.compile(inputs, (tensors) => ({ y: record(tensors) }));
      const data = Object.fromEntries(
        entries.map(([id, s]) => [id, numbers(reference.count(s), `${name} ${id}`, low)]),
      );
      return {
        program: program as Program,
        async verify() {
          program.run(data as Record<N, Float32Array>);
          const { y } = await program.read("y");
          const parts = Object.fromEntries(
            entries.map(([id, s]) => [id, sampled(reference.nd(s, data[id]), sample[id] ?? [])]),
          );
          const actual = sampled(reference.nd(shape, y), sample.y ?? []);
          requireClose(actual.data, expected(parts as Record<N, NdArray>).data, name);
        },
      };
    },
  };
}
