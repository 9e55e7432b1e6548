/**
 * Random recordings, the same from the same seed: of tensors, or of arrays with the reference's ops.
 */

import type { Tensor } from "../../src/graph/tensor.ts";
import type { Variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/mod.ts";
import { TestRandom } from "./random.ts";
import type { Algebra } from "./reference.ts";

export interface State<T> {
  read(variable: number): T;
  assign(variable: number, value: T): void;
}

type Shaped = { readonly shape: readonly number[] };
export const VARIABLES = 3;

/**
 * Applies `length` random ops to n x n matrices and what is made of them. The choices depend on
 * `random` and on shapes alone, so the same seed makes the same graph of tensors and of arrays. The
 * values stay within about 1, and few shapes occur, as each is a pipeline to compile.
 */
export function grow<T extends Shaped>(
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
export function chosen<T>(values: readonly T[], seed: string): Record<string, T> {
  const random = new TestRandom(`outputs of ${seed}`);
  const picked = [values[values.length - 1], ...[1, 2, 3].map(() => random.pick(values))];
  return Object.fromEntries(picked.map((value, i) => [`y${i}`, value]));
}

export function recordedState(variables: readonly Variable[]): State<Tensor> {
  return {
    // To a reshape that changes nothing, a variable is its value here.
    read: (i) => ops.reshape(variables[i], variables[i].shape),
    assign: (i, value) => ops.assign(variables[i], value),
  };
}
