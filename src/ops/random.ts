import code from "../kernels/random.wgsl" with { type: "text" };
import { currentGraph } from "../graph/graph.ts";
import { grid, type Lowering } from "../graph/lower.ts";
import type { DType, Op, Shape, Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";
import { kernel } from "../gpu/shader.ts";
import { add } from "./add.ts";
import { mul } from "./mul.ts";

const randomKernel = kernel("random", code);

/**
 * State of random ops: a u32 variable [seed, step]. Every run of a program that draws from it moves
 * the step on by one; restoring it restores the numbers to come.
 */
export type RandomState = Variable<"u32">;

/** Where a random op's numbers come from; nothing given means seed 0. */
export interface RandomOptions {
  /** A whole number from 0 to 2^32 - 1. The program keeps the state and moves it on every run. */
  readonly seed?: number;
  /** A state of the caller's own, for runs that are stopped and resumed. */
  readonly state?: RandomState;
}

function randomOp(entryPoint: string, output: "y" | "words"): Op {
  return {
    name: entryPoint,
    lower({ inputs: [state], outputs: [y], attributes: stream }, lowering: Lowering) {
      lowering.dispatch({
        kernel: randomKernel,
        entryPoint,
        constants: { COUNT: y.size, STREAM: stream },
        bindings: { state, [output]: y },
        workgroups: grid(Math.ceil(y.size / 2), 64),
      });
    },
  };
}

const bitsOp = randomOp("bits", "words");
const uniformOp = randomOp("uniform", "y");
const normalOp = randomOp("normal", "y");

const advanceOp: Op = {
  name: "advance",
  effect: true,
  lower({ inputs: [source], attributes: state }, lowering: Lowering) {
    lowering.dispatch({
      kernel: randomKernel,
      entryPoint: "advance",
      constants: {},
      // The variable itself: `source` may be a copy of its value from before.
      bindings: { counter: state ? lowering.variable(state) : source },
      workgroups: [1, 1, 1],
    });
  },
};

/**
 * Refuses seeds that are not 32-bit.
 *
 * @throws {RangeError}
 */
export function requireSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`A seed must be a whole number from 0 to 4294967295, got ${seed}`);
  }
}

function draw(op: Op, shape: Shape, { state, seed = 0 }: RandomOptions, dtype: DType): Tensor {
  const graph = currentGraph();
  if (!state) requireSeed(seed);
  const source = state ? graph.variable(state) : graph.seeded(seed);
  const stream = graph.stream(source, () => {
    graph.add(advanceOp, [source], state, []);
    if (state) graph.overwrite(state);
  });
  return graph.add(op, [source], stream, [{ shape, dtype }]).outputs[0];
}

/** Raw 32-bit words (u32). Every random op of a program draws from a stream of its own. */
export function randomBits(shape: Shape, options: RandomOptions = {}): Tensor<"u32"> {
  return draw(bitsOp, shape, options, "u32") as Tensor<"u32">;
}

/** Uniform numbers on [minimum, maximum), default [0, 1); other numbers in every run. */
export function randomUniform(
  shape: Shape,
  options: RandomOptions & { readonly minimum?: number; readonly maximum?: number } = {},
): Tensor {
  const { minimum = 0, maximum = 1 } = options;
  const y = draw(uniformOp, shape, options, "f32");
  return minimum === 0 && maximum === 1 ? y : add(mul(y, maximum - minimum), minimum);
}

/** Normal numbers, default mean 0 and standard deviation 1; other numbers in every run. */
export function randomNormal(
  shape: Shape,
  options: RandomOptions & { readonly mean?: number; readonly stddev?: number } = {},
): Tensor {
  const { mean = 0, stddev = 1 } = options;
  const y = draw(normalOp, shape, options, "f32");
  return mean === 0 && stddev === 1 ? y : add(mul(y, stddev), mean);
}
