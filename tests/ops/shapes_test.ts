/**
 * Wrong shapes, types and values are refused when an op is recorded, by a message that names both
 * sides. Nothing here needs a device.
 */

import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { grad, type InputSpec, ops, type RandomState, type Shape, type Tensor } from "../../mod.ts";
import { lower } from "../../src/graph/compile.ts";
import { currentGraph, record } from "../../src/graph/graph.ts";
import { TUNING } from "../../src/graph/tuning.ts";
import { type Op, show } from "../../src/graph/tensor.ts";
import { Variable } from "../../src/graph/variable.ts";

/** Records `body` over inputs of the shapes. */
function recorded<T extends Record<string, Tensor>>(
  shapes: readonly InputSpec[],
  body: (...tensors: Tensor[]) => T,
) {
  const inputs = Object.fromEntries(shapes.map((spec, i) => [`i${i}`, spec]));
  return record(inputs, (tensors) => body(...Object.values(tensors)));
}

/** Recording `body` over inputs of the shapes must throw and say each of `names`. */
function refuses(
  Kind: typeof TypeError | typeof RangeError,
  shapes: readonly InputSpec[],
  body: (...tensors: Tensor[]) => unknown,
  ...names: (Shape | string | number)[]
): void {
  let thrown: unknown;
  recorded(shapes, (...tensors) => {
    try {
      body(...tensors);
    } catch (error) {
      thrown = error;
    }
    return {};
  });
  ok(thrown instanceof Kind, `expected a ${Kind.name}, got ${thrown}`);
  for (const name of names) {
    const words = typeof name === "object" ? show(name) : String(name);
    ok(thrown.message.includes(words), `"${thrown.message}" does not say ${words}`);
  }
}

/** Shape of what `body` makes of inputs of the shapes. */
function shapeOf(shapes: readonly InputSpec[], body: (...tensors: Tensor[]) => Tensor): string {
  return show(recorded(shapes, (...tensors) => ({ y: body(...tensors) })).outputs.y.shape);
}

const U32 = (shape: Shape): InputSpec => ({ shape, dtype: "u32" });
const U8 = (shape: Shape): InputSpec => ({ shape, dtype: "u8" });

/** A variable without a device, which recording does not touch. */
function variable(shape: Shape, dtype: "f32" | "u32" = "f32", name = "w"): Variable {
  const nothing = undefined as never;
  return new Variable(nothing, nothing, shape, dtype, name, true);
}

Deno.test("binary ops name both shapes and the axis", () => {
  const { add, sub, mul, div, maximum, minimum, sigmoidCrossEntropyWithLogits } = ops;
  const all = [add, sub, mul, div, maximum, minimum, sigmoidCrossEntropyWithLogits];
  for (const op of all) {
    refuses(TypeError, [[2, 3], [2, 4]], op, [2, 3], [2, 4], "axis 1", "3 and 4");
    refuses(TypeError, [[3, 4], [3]], op, [3, 4], [3]);
    refuses(TypeError, [[5, 1, 4], [2, 3, 4]], op, [5, 1, 4], [2, 3, 4], "axis 0");
    refuses(TypeError, [[2], U32([2])], op, "f32", "u32", "ops.cast");
    refuses(TypeError, [], () => op(1, 2), "two numbers");
    refuses(RangeError, [[2]], (x) => op(x, NaN), "NaN");
    refuses(RangeError, [[2]], (x) => op(1e39, x), "1e+39");
  }
  refuses(TypeError, [[2, 3], [2, 4], [3]], ops.where, [2, 3], [2, 4]);
  refuses(TypeError, [[3], [3], [4]], ops.where, [3], [4]);
  refuses(TypeError, [U8([3]), [3]], (c, x) => ops.where(c, x, 1), "u8");
  equal(shapeOf([[2, 1], [3], [4, 1, 1]], ops.where), "[4, 2, 3]");
  for (const zero of [0, -0, 1e-46, -1e-60]) {
    refuses(RangeError, [[2]], (x) => ops.div(x, zero), "div", zero);
  }
  equal(shapeOf([[2, 1, 4], [3, 1]], ops.add), "[2, 3, 4]");
  equal(shapeOf([[], [3, 1]], ops.mul), "[3, 1]");
});

Deno.test("unary ops keep shapes and refuse other types", () => {
  const { neg, exp, log, sqrt, abs, sign, tanh, sigmoid, softplus, relu, leakyRelu, step } = ops;
  const all = [neg, exp, log, sqrt, abs, sign, tanh, sigmoid, softplus, relu, leakyRelu, step];
  for (const op of all) {
    equal(shapeOf([[2, 3]], (x) => op(x)), "[2, 3]");
    refuses(TypeError, [U32([3])], (x) => op(x), "u32");
  }
  refuses(RangeError, [[3]], (x) => ops.leakyRelu(x, NaN), "NaN");
  refuses(RangeError, [[3]], (x) => ops.leakyRelu(x, Infinity), "Infinity");
});

Deno.test("matmul", () => {
  const product = (transposeA: boolean, transposeB: boolean) => (a: Tensor, b: Tensor) =>
    ops.matmul(a, b, { transposeA, transposeB });
  const matmul = product(false, false);
  refuses(TypeError, [[2, 3], [4, 5]], matmul, [2, 3], [4, 5], "3 columns", "4 rows");
  refuses(TypeError, [[2, 3], [2, 5]], product(false, true), [2, 3], [2, 5], "transposed");
  refuses(TypeError, [[2, 3], [3, 5]], product(true, false), [2, 3], [3, 5], "transposed");
  refuses(TypeError, [[2, 3, 4], [4, 5]], matmul, [2, 3, 4], [4, 5], "matrices");
  refuses(TypeError, [[3], [3, 5]], matmul, [3], [3, 5]);
  refuses(TypeError, [U32([2, 3]), [3, 5]], matmul, "u32");
  equal(shapeOf([[2, 3], [5, 2]], product(true, true)), "[3, 5]");
});

Deno.test("conv2d says exactly what is wrong with the channels", () => {
  const convolve = () =>
    record({ x: [8, 28, 28, 3], w: [5, 5, 1, 64] }, ({ x, w }) => ({ y: ops.conv2d(x, w) }));
  throws(convolve, {
    name: "TypeError",
    message: "Cannot convolve x [8, 28, 28, 3] with kernel [5, 5, 1, 64]: x has 3 channels, " +
      "the kernel expects 1",
  });
});

Deno.test("convolutions: ranks, channels, fit", () => {
  const conv2d = (x: Tensor, w: Tensor) => ops.conv2d(x, w);
  const conv2dTranspose = (x: Tensor, w: Tensor) => ops.conv2dTranspose(x, w);
  refuses(TypeError, [[28, 28, 3], [5, 5, 3, 4]], conv2d, [28, 28, 3], "4 axes");
  refuses(TypeError, [[1, 28, 28, 3], [5, 3, 4]], conv2d, [5, 3, 4], "4 axes");
  refuses(TypeError, [[1, 4, 9, 3], [5, 6, 3, 4]], conv2d, [1, 4, 9, 3], "5 x 6", "same");
  refuses(TypeError, [[1, 9, 4, 3], [5, 6, 3, 4]], conv2d, [1, 9, 4, 3], "5 x 6");
  refuses(TypeError, [[1, 4, 4, 3], U32([3, 3, 3, 4])], conv2d, "u32");
  const [x, w] = [[1, 7, 7, 3], [5, 5, 3, 4]];
  const says = ["3 channels", "expects 4", "[kh, kw, out, in]"];
  refuses(TypeError, [x, w], conv2dTranspose, x, w, ...says);
  refuses(TypeError, [[7, 7, 3], [5, 5, 3, 4]], conv2dTranspose, [7, 7, 3], "4 axes");
  refuses(TypeError, [[1, 7, 7, 4], [5, 5]], conv2dTranspose, [5, 5], "4 axes");
});

Deno.test("convolutions: a kernel wider than one loop may be long is refused by name", () => {
  for (const tuning of Object.values(TUNING)) {
    const shapes = [[1, 1, 20_000, 1], [1, 20_000, 1, 1]];
    const recording = recorded(shapes, (x, w) => ({ y: ops.conv2d(x, w) }));
    const message = /conv2d \[1, 1, 1, 1\].*20000 wide/;
    throws(() => lower(recording, tuning), { name: "RangeError", message });
  }
});

Deno.test("convolutions: strides and padding", () => {
  const { conv2d, conv2dTranspose, conv2dFilterGrad } = ops;
  const shape = [1, 7, 7, 3];
  const wrong = [
    ...[0, -1, [2, 0], [1, 2, 3], [2]].map((strides) => [strides, "same", "strides"]),
    ...[1.5, NaN].map((strides) => [strides, "valid", "strides"]),
    ...["full", "SAME", 2].map((padding) => [1, padding, JSON.stringify(padding)]),
  ] as [number, "same", string][];
  for (const [strides, padding, said] of wrong) {
    const options = { strides, padding, kernelSize: 3 };
    refuses(RangeError, [shape, [3, 3, 3, 4]], (x, w) => conv2d(x, w, options), said);
    refuses(RangeError, [shape, [3, 3, 4, 3]], (x, w) => conv2dTranspose(x, w, options), said);
    refuses(RangeError, [shape, shape], (x, dy) => conv2dFilterGrad(x, dy, options), said);
  }
});

Deno.test("conv2d gives TensorFlow's shapes", () => {
  // size, kernel, stride: same, valid
  const table = [
    [28, 5, 2, 14, 12],
    [7, 3, 2, 4, 3],
    [7, 2, 3, 3, 2],
    [5, 1, 3, 2, 2],
    [6, 6, 4, 2, 1],
    [4, 4, 1, 4, 1],
  ];
  for (const [n, k, strides, same, valid] of table) {
    const conv = (padding: "same" | "valid") =>
      shapeOf([[2, n, n + strides, 3], [k, k, 3, 4]], (x, w) => {
        return ops.conv2d(x, w, { strides, padding });
      });
    equal(conv("same"), `[2, ${same}, ${same + 1}, 4]`);
    equal(conv("valid"), `[2, ${valid}, ${valid + 1}, 4]`);
  }
});

Deno.test("conv2dTranspose gives Keras' shapes", () => {
  const transpose = (k: number, strides: number, padding: "same" | "valid") =>
    shapeOf([[2, 7, 5, 3], [k, k, 4, 3]], (x, w) => {
      return ops.conv2dTranspose(x, w, { strides, padding });
    });
  equal(transpose(5, 2, "same"), "[2, 14, 10, 4]");
  equal(transpose(5, 1, "same"), "[2, 7, 5, 4]");
  equal(transpose(5, 2, "valid"), "[2, 17, 13, 4]");
  equal(transpose(1, 3, "same"), "[2, 21, 15, 4]");
  equal(transpose(1, 3, "valid"), "[2, 21, 15, 4]");
});

Deno.test("conv2dFilterGrad", () => {
  const options = { kernelSize: [3, 2], strides: 2, padding: "same" } as const;
  const filter = (x: Tensor, dy: Tensor) => ops.conv2dFilterGrad(x, dy, options);
  equal(shapeOf([[2, 7, 6, 3], [2, 4, 3, 5]], filter), "[3, 2, 3, 5]");
  refuses(TypeError, [[2, 7, 6, 3], [2, 4, 4, 5]], filter, [2, 7, 6, 3], [2, 4, 4, 5], "3 x 2");
  refuses(TypeError, [[2, 7, 6, 3], [1, 4, 3, 5]], filter, [2, 7, 6, 3], [1, 4, 3, 5]);
  refuses(TypeError, [[2, 7, 6], [2, 4, 3, 5]], filter, [2, 7, 6], "4 axes");
  refuses(TypeError, [[2, 7, 6, 3], [2, 4, 3]], filter, [2, 4, 3], "4 axes");
});

Deno.test("batch normalization", () => {
  const norm = (x: Tensor, gamma: Tensor, beta: Tensor) => ops.batchNorm(x, gamma, beta);
  refuses(TypeError, [[8, 3], [4], [3]], norm, [8, 3], "gamma", [3], [4]);
  refuses(TypeError, [[8, 3], [3], [1]], norm, [8, 3], "beta", [3], [1]);
  refuses(TypeError, [[8, 3], [1, 3], [3]], norm, [8, 3], "gamma", [1, 3]);
  refuses(TypeError, [[], [1], [1]], norm, "scalar");
  refuses(TypeError, [U32([8, 3]), [3], [3]], norm, "u32");
  const inference = (...t: Tensor[]) => ops.batchNormInference(t[0], t[1], t[2], t[3], t[4]);
  refuses(TypeError, [[8, 3], [3], [3], [3], [2]], inference, [8, 3], "variance", [2]);
});

Deno.test("reductions: axes", () => {
  for (const [name, op] of Object.entries({ sum: ops.sum, mean: ops.mean, max: ops.max })) {
    refuses(RangeError, [[2, 3]], (x) => op(x, 2), name, "axis 2", [2, 3]);
    refuses(RangeError, [[2, 3]], (x) => op(x, -3), name, "axis -3", [2, 3]);
    refuses(RangeError, [[2, 3]], (x) => op(x, 0.5), name, "axis 0.5");
    refuses(RangeError, [[2, 3]], (x) => op(x, [0, 0]), name, "twice");
    refuses(RangeError, [[]], (x) => op(x, 0), name, "no axes");
    for (const axes of [null, "1", [null], true] as unknown as number[]) {
      refuses(TypeError, [[2, 3]], (x) => op(x, axes), name, [2, 3], "list of numbers");
    }
    refuses(RangeError, [[2, 3]], (x) => op(x, [1, -1]), name, "twice");
    refuses(TypeError, [U32([3])], (x) => op(x), "u32");
    equal(shapeOf([[2, 3, 4]], (x) => op(x, [0, -1])), "[3]");
    equal(shapeOf([[2, 3, 4]], (x) => op(x, [0, -1], true)), "[1, 3, 1]");
    equal(shapeOf([[2, 3, 4]], (x) => op(x)), "[]");
  }
});

Deno.test("broadcastTo and reshape", () => {
  for (const shape of [[3, 2], [3], [1, 3]]) {
    refuses(TypeError, [[2, 3]], (x) => ops.broadcastTo(x, shape), [2, 3], shape);
  }
  refuses(TypeError, [[2, 3]], (x) => ops.reshape(x, [4, 2]), [2, 3], [4, 2], "6 elements");
  for (const shape of [[-1, -1], []]) {
    refuses(TypeError, [[2, 3]], (x) => ops.reshape(x, shape), [2, 3], shape);
  }
  equal(shapeOf([[2, 3]], (x) => ops.reshape(x, [-1, 2])), "[3, 2]");
  for (const shape of [[3, -1], [-2, -2], [0, -1]]) {
    refuses(TypeError, [[2, 2]], (x) => ops.reshape(x, shape), [2, 2], shape);
  }
});

Deno.test("transpose, slice, pad, concat", () => {
  const { transpose, slice, pad, concat } = ops;
  for (const order of [[0], [0, 0], [0, 2]]) {
    refuses(TypeError, [[2, 3]], (x) => transpose(x, order), [2, 3], order);
  }
  refuses(TypeError, [[1, 1, 1, 1, 1, 1, 2]], (x) => transpose(x), "6 axes");

  refuses(TypeError, [[4, 5]], (x) => slice(x, [0], [2]), [4, 5], [0], [2]);
  for (
    const [begin, size, ...says] of [
      [[0, 3], [2, 3], [0, 3], [2, 3]],
      [[-1, 0], [2, 3], [-1, 0]],
      [[0, 0], [0, 3], [0, 3]],
      [[4, 0], [-1, 3], [4, 0]],
      [[0.5, 0], [1, 3]],
    ]
  ) refuses(RangeError, [[4, 5]], (x) => slice(x, begin, size), [4, 5], ...says);
  refuses(TypeError, [[4, 5]], (x) => slice(x, [0, 0], [2, 2], [1]), [4, 5], "strides [1]");
  refuses(RangeError, [[4, 5]], (x) => slice(x, [1, 0], [2, 3], [1, 3]), [4, 5], "strides [1, 3]");
  for (const stride of [0, -1, 1.5, NaN]) {
    const says = ["strides", stride, "positive", "gather"];
    refuses(RangeError, [[4, 5]], (x) => slice(x, [0, 0], [2, 2], [1, stride]), [4, 5], ...says);
  }
  equal(shapeOf([[7, 9]], (x) => slice(x, [1, 0], [-1, -1], [3, 4])), "[2, 3]");

  refuses(TypeError, [[4, 5]], (x) => pad(x, [[1, 1]]), [4, 5], "2 axes");
  refuses(RangeError, [[4, 5]], (x) => pad(x, [[1, 1], [-1, 0]]), [4, 5], "-1");
  refuses(RangeError, [[4, 5]], (x) => pad(x, [[1, 1], [0.5, 0]]), [4, 5], "0.5");

  refuses(TypeError, [], () => concat([]), "at least one");
  refuses(TypeError, [[2, 3], [2, 4]], (a, b) => concat([a, b]), [2, 3], [2, 4], "axis 0");
  refuses(TypeError, [[2, 3], [3, 3]], (a, b) => concat([a, b], -1), [2, 3], [3, 3], "axis 1");
  refuses(TypeError, [[2, 3], [2, 3, 1]], (a, b) => concat([a, b]), [2, 3], [2, 3, 1]);
  refuses(TypeError, [[2, 3], U32([2, 3])], (a, b) => concat([a, b]), "f32", "u32");
  refuses(RangeError, [[2, 3], [2, 3]], (a, b) => concat([a, b], 2), "axis 2", [2, 3]);
});

Deno.test("what should be a list, or a variable", () => {
  const wrong = 2 as unknown as number[];
  const { transpose, slice, reshape, broadcastTo, pad, concat, assign } = ops;
  const says = "must be a list, got number 2";
  refuses(TypeError, [[2, 3]], (x) => transpose(x, wrong), "transpose", says);
  refuses(TypeError, [[2, 3]], (x) => reshape(x, wrong), "reshape", says);
  refuses(TypeError, [[2, 3]], (x) => slice(x, wrong, [1, 1]), "begin", says);
  refuses(TypeError, [[2, 3]], (x) => slice(x, [0, 0], wrong), "size", says);
  refuses(TypeError, [[2, 3]], (x) => slice(x, [0, 0], [1, 1], wrong), "strides", says);
  refuses(TypeError, [[2, 3]], (x) => pad(x, wrong as never), "pad", says);
  refuses(RangeError, [[2, 3]], (x) => pad(x, [1, 1] as never), "[2, 3]", "[1,1]");
  refuses(TypeError, [[2, 3]], (x) => concat(x as never), "concat", "must be a list");
  refuses(TypeError, [[2, 3]], (x) => broadcastTo(x, wrong), "broadcastTo");
  refuses(TypeError, [[2, 3]], (x) => assign(x as never, x), "assign", "gpu.variable");
});

Deno.test("gather, gatherImages, softmax, dropout, random, constant", () => {
  const { gather, gatherImages, softmaxCrossEntropyWithLogits, dropout, randomBits } = ops;
  refuses(RangeError, [[4, 5], U32([2])], (x, i) => gather(x, i, 2), "axis 2", [4, 5]);
  refuses(TypeError, [[], U32([2])], (x, i) => gather(x, i), "scalar");
  refuses(TypeError, [U8([4, 4]), U32([2])], (x, i) => gather(x, i), "gatherImages");
  refuses(TypeError, [[4, 5], U8([4])], (x, i) => gather(x, i));
  equal(shapeOf([[4, 5, 6], U32([2, 3])], (x, i) => gather(x, i, 1)), "[4, 2, 3, 6]");

  refuses(TypeError, [[4, 5, 5, 1], U32([2])], gatherImages, "f32", [4, 5, 5, 1]);
  refuses(TypeError, [U8([4, 5, 5, 1]), U32([2, 2])], gatherImages, [2, 2]);

  refuses(TypeError, [[2, 3], [3]], softmaxCrossEntropyWithLogits, [2, 3], [3]);
  refuses(TypeError, [[2, 3], [2, 1]], softmaxCrossEntropyWithLogits, [2, 3], [2, 1]);
  refuses(TypeError, [[], []], softmaxCrossEntropyWithLogits, "classes");
  equal(shapeOf([[2, 4, 3], [2, 4, 3]], softmaxCrossEntropyWithLogits), "[2, 4]");

  for (const rate of [-0.1, 1, 2, NaN]) {
    refuses(RangeError, [[3]], (x) => dropout(x, rate), `rate of ${rate}`);
  }
  for (const seed of [-1, 0.5, 2 ** 32, NaN]) {
    refuses(RangeError, [], () => randomBits([3], { seed }), `got ${seed}`);
  }
  refuses(TypeError, [], () => randomBits([3, 0]), [3, 0]);
  for (const op of [randomBits, ops.randomUniform, ops.randomNormal]) {
    const wrong = [variable([2], "f32", "dice"), variable([3], "u32", "dice")];
    for (const state of wrong as RandomState[]) {
      refuses(TypeError, [], () => op([3], { state }), "dice", state.dtype, state.shape, "u32 [2]");
    }
  }
  for (const [minimum, maximum] of [[1, 1], [2, 1], [NaN, 1], [0, Infinity], [1, 1 + 2 ** -30]]) {
    refuses(RangeError, [], () => ops.randomUniform([3], { minimum, maximum }), minimum, maximum);
  }
  refuses(RangeError, [], () => ops.randomUniform([3], { minimum: -3e38, maximum: 3e38 }), 3e38);
  refuses(TypeError, [], () => ops.constant(1, [-2]), [-2]);
  refuses(TypeError, [U8([4, 4]), U8([2])], ops.gatherImages, "u8 [4, 4]", "u8 [2]");
  refuses(RangeError, [[2]], (x) => dropout(x, "0.5" as unknown as number), "0.5");
  for (const options of [{ mean: NaN }, { stddev: Infinity }, { mean: 1e39 }]) {
    const [value] = Object.values(options);
    refuses(RangeError, [], () => ops.randomNormal([3], options), "randomNormal", value);
  }
  for (const value of [NaN, Infinity, -1e39]) {
    refuses(RangeError, [], () => ops.constant(value), "constant", value);
  }
});

Deno.test("assign names the variable and both shapes", () => {
  const w = variable([2, 3], "f32", "kernel");
  refuses(TypeError, [[3, 2]], (x) => ops.assign(w, x), "kernel", [3, 2], [2, 3]);
  refuses(TypeError, [[6]], (x) => ops.assign(w, x), "kernel", [6], [2, 3]);
  refuses(TypeError, [U32([2, 3])], (x) => ops.assign(w, x), "kernel", "u32", "f32");
});

Deno.test("constant and cast: types and shapes", () => {
  const wrong = [null, undefined, "12", true, {}] as unknown as number[];
  for (const value of wrong) refuses(TypeError, [], () => ops.constant(value), "constant takes");
  refuses(TypeError, [], () => ops.constant([1, 2, 3], [2, 2]), [2, 2], "3");
  refuses(TypeError, [], () => ops.constant([1, 2, 3], [-1, 3]), [-1, 3]);
  refuses(TypeError, [], () => ops.constant([]), [0]);
  equal(shapeOf([], () => ops.constant(new Uint8Array(6), [2, 3])), "[2, 3]");
  equal(shapeOf([], () => ops.constant([1, 2, 3])), "[3]");
  for (
    const [dtype, Kind] of Object.entries({ u8: Uint8Array, u32: Uint32Array, f32: Float64Array })
  ) {
    const { outputs } = recorded([], () => ({ y: ops.constant(new Kind(4) as Float64Array) }));
    equal(outputs.y.dtype, dtype);
  }
  for (const dtype of ["float32", "f16", undefined, "u8"]) {
    refuses(TypeError, [[2]], (x) => ops.cast(x, dtype as "f32"), "f32", "u32", dtype ?? "cast");
  }
});

Deno.test("inputs of shapes that no tensor has", () => {
  const message = /^Input pixels has shape .*: every axis must be a positive integer/;
  for (const shape of [[2, 0], [-1], [1.5], [NaN], [Infinity], "[2]", 2, null]) {
    const input = () => record({ pixels: shape as Shape }, () => ({}));
    throws(input, { name: "TypeError", message });
  }
});

Deno.test("ops outside a recording", () => {
  const outside = { name: "TypeError", message: /Ops are recorded, not run.*gpu\.compile/ };
  let kept: Tensor | undefined;
  record({ x: [2, 2] }, ({ x }) => ({ y: kept = x }));
  const x = kept!;
  throws(() => ops.add(x, 1), outside);
  throws(() => ops.mul(x, x), outside);
  throws(() => ops.matmul(x, x), outside);
  throws(() => ops.sum(x), outside);
  throws(() => ops.reshape(x, [4]), outside);
  throws(() => ops.constant(1), outside);
  throws(() => ops.randomNormal([2]), outside);
  throws(() => ops.assign(variable([2, 2]), x), outside);
  throws(() => ops.tanh(variable([2])), outside);
  throws(() => grad(x, [x]), outside);
});

Deno.test("a recording that failed does not stay open", () => {
  const fails = () => {
    throw new Error("mine");
  };
  throws(() => record({ x: [2] }, fails), /mine/);
  throws(() => ops.constant(1), /Ops are recorded/);
  record({ x: [2] }, ({ x }) => ({ y: ops.neg(x) }));
  const nested = () => ({ y: record({ x: [2] }, ({ x }) => ({ x })).outputs.x });
  throws(() => record({}, nested), { name: "TypeError", message: /nested/ });
});

Deno.test("tensors of another recording", () => {
  let kept: Tensor | undefined;
  record({ a: [3], b: [3] }, ({ a, b }) => ({ y: kept = ops.add(a, b) }));
  const other = kept!;
  const says = "another recording";
  refuses(TypeError, [[3]], (x) => ops.add(x, other), says);
  refuses(TypeError, [[3]], (x) => ops.mul(other, x), says);
  refuses(TypeError, [[3]], () => ops.neg(other), says);
  refuses(TypeError, [[3]], (x) => ops.concat([x, other]), says);
  refuses(TypeError, [[3]], (x) => grad(ops.sum(x), [other]), says);
  refuses(TypeError, [[3]], () => grad(other, []), says);
  refuses(TypeError, [[3]], () => ops.assign(variable([3]), other), says);
  throws(() => recorded([], () => ({ y: other })), { name: "TypeError", message: /output y/ });
});

Deno.test("what is not a tensor", () => {
  for (const wrong of [[1, 2], new Float32Array(3), "x", null, undefined, 1]) {
    refuses(TypeError, [], () => ops.neg(wrong as unknown as Tensor), "Tensor or a Variable");
  }
});

Deno.test("grad needs one element", () => {
  refuses(TypeError, [[2, 3]], (x) => grad(x, [x]), [2, 3], "mean or sum");
  refuses(TypeError, [[3]], (x) => grad(ops.mul(x, x), [x]), [3]);
  recorded([[1, 1]], (x) => ({ d: grad(ops.mul(x, x), [x])[0] }));
});

Deno.test("grad names an op without a gradient", () => {
  const op: Op = { name: "opaque" };
  const opaque = (x: Tensor) => {
    return currentGraph().add(op, [x], undefined, [{ shape: x.shape }]).outputs[0];
  };
  refuses(TypeError, [[]], (x) => grad(opaque(x), [x]), "opaque", "stopGradient");
  recorded([[3]], (x) => ({ d: grad(ops.sum(ops.sub(x, ops.stopGradient(opaque(x)))), [x])[0] }));
  // It does not matter where nothing depends on a target.
  recorded([[3], [3]], (x, y) => ({ d: grad(ops.sum(ops.mul(x, opaque(y))), [x])[0] }));
});

Deno.test("gradients have the shapes of their targets", () => {
  const w = variable([3, 4]);
  const { outputs } = record({ x: [2, 3], unused: [5, 1] }, ({ x, unused }) => {
    const y = ops.add(ops.matmul(x, w), ops.sum(x));
    const loss = ops.mean(y);
    return Object.fromEntries(grad(loss, [x, w, unused, y, loss]).map((d, i) => [`d${i}`, d]));
  });
  const shapes = Object.values(outputs).map(({ shape }) => show(shape));
  deepEqual(shapes, ["[2, 3]", "[3, 4]", "[5, 1]", "[2, 4]", "[]"]);
});
