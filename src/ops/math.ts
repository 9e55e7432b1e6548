import { CODE } from "../graph/elementwise.ts";
import type { TensorLike } from "../graph/graph.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { unary } from "./elementwise.ts";

const expOp: Op = {
  name: "exp",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, y)],
  instruction: () => ({ code: CODE.exp }),
};

/**
 * e to the power of x, elementwise.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.exp(x) }));
 * program.run({ x: [0, 1] });
 * console.log((await program.read()).y); // Float32Array(2) [ 1, 2.7182817459106445 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function exp(x: TensorLike): Tensor {
  return unary(expOp, x);
}

const logOp: Op = {
  name: "log",
  gradient: ({ inputs: [x] }, [dy]) => [dy && div(dy, x)],
  instruction: () => ({ code: CODE.log }),
};

/**
 * Natural logarithm, elementwise; NaN below 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.log(x) }));
 * program.run({ x: [1, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ 0, 0.6931471824645996 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function log(x: TensorLike): Tensor {
  return unary(logOp, x);
}

const sqrtOp: Op = {
  name: "sqrt",
  gradient: ({ outputs: [y] }, [dy]) => [dy && div(dy, mul(y, 2))],
  instruction: () => ({ code: CODE.sqrt }),
};

/**
 * Square root, elementwise; its gradient at 0 is infinite.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.sqrt(x) }));
 * program.run({ x: [4, 9] });
 * console.log((await program.read()).y); // Float32Array(2) [ 2, 3 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function sqrt(x: TensorLike): Tensor {
  return unary(sqrtOp, x);
}

const absOp: Op = {
  name: "abs",
  gradient: ({ inputs: [x] }, [dy]) => [dy && mul(dy, sign(x))],
  instruction: () => ({ code: CODE.abs }),
};

/**
 * Absolute value, elementwise; its gradient at 0 is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => ({ y: ops.abs(x) }));
 * program.run({ x: [-2, 0, 3] });
 * console.log((await program.read()).y); // Float32Array(3) [ 2, 0, 3 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function abs(x: TensorLike): Tensor {
  return unary(absOp, x);
}

const signOp: Op = {
  name: "sign",
  gradient: () => [undefined],
  instruction: () => ({ code: CODE.sign }),
};

/**
 * -1, 0 or 1 by the sign of x, elementwise. Its gradient is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => ({ y: ops.sign(x) }));
 * program.run({ x: [-3, 0, 0.5] });
 * console.log((await program.read()).y); // Float32Array(3) [ -1, 0, 1 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function sign(x: TensorLike): Tensor {
  return unary(signOp, x);
}

const tanhOp: Op = {
  name: "tanh",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, sub(1, mul(y, y)))],
  instruction: () => ({ code: CODE.tanh }),
};

/**
 * Hyperbolic tangent, elementwise.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.tanh(x) }));
 * program.run({ x: [0, 100] });
 * console.log((await program.read()).y); // Float32Array(2) [ 0, 1 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function tanh(x: TensorLike): Tensor {
  return unary(tanhOp, x);
}

const sigmoidOp: Op = {
  name: "sigmoid",
  gradient: ({ outputs: [y] }, [dy]) => [dy && mul(dy, mul(y, sub(1, y)))],
  instruction: () => ({ code: CODE.sigmoid }),
};

/**
 * 1 / (1 + exp(-x)), elementwise, stable for any x.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.sigmoid(x) }));
 * program.run({ x: [0, 100] });
 * console.log((await program.read()).y); // Float32Array(2) [ 0.5, 1 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function sigmoid(x: TensorLike): Tensor {
  return unary(sigmoidOp, x);
}

const leakyReluOp: Op = {
  name: "leakyRelu",
  // The output has the input's sign when the slope is positive; so the input need not be kept.
  gradient: ({ inputs: [x], outputs: [y], attributes: slope }, [dy]) => [
    dy && mul(dy, step(slope > 0 ? y : x, slope)),
  ],
  instruction: (node) => ({ code: CODE.leakyRelu, constant: node.attributes }),
};

/**
 * x where x > 0, else slope * x.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.leakyRelu(x, 0.5) }));
 * program.run({ x: [-4, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ -2, 2 ]
 * ```
 *
 * @param x f32 of any shape
 * @param slope default 0.3, Keras' own and the tutorial's.
 * @returns f32 of x's shape
 * @throws {RangeError} when the slope is not finite.
 * @throws {TypeError} when x is not f32.
 */
export function leakyRelu(x: TensorLike, slope = 0.3): Tensor {
  if (!Number.isFinite(slope)) throw new RangeError(`leakyRelu got a slope of ${slope}`);
  return unary(leakyReluOp, x, slope);
}

/**
 * max(x, 0), elementwise; its gradient at 0 is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2] }, ({ x }) => ({ y: ops.relu(x) }));
 * program.run({ x: [-4, 2] });
 * console.log((await program.read()).y); // Float32Array(2) [ 0, 2 ]
 * ```
 *
 * @param x f32 of any shape
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 */
export function relu(x: TensorLike): Tensor {
  return leakyRelu(x, 0);
}

const stepOp: Op = {
  name: "step",
  gradient: () => [undefined],
  instruction: (node) => ({ code: CODE.step, constant: node.attributes }),
};

/**
 * 1 where x > 0 and `below` elsewhere: the slope of a leaky rectifier. Its gradient is 0.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [3] }, ({ x }) => ({ y: ops.step(x, 0.5) }));
 * program.run({ x: [-1, 0, 2] });
 * console.log((await program.read()).y); // Float32Array(3) [ 0.5, 0.5, 1 ]
 * ```
 *
 * @param x f32 of any shape
 * @param below default 0
 * @returns f32 of x's shape
 * @throws {TypeError} when x is not f32.
 * @throws {RangeError} when `below` is not finite.
 */
export function step(x: TensorLike, below = 0): Tensor {
  return unary(stepOp, x, below);
}
