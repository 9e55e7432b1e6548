/**
 * Faults in the other kernels, and in the rules of the gradients.
 *
 * @module
 */

import { type Fault, faultsOf } from "./fault.ts";

const BATCH_NORM = ["ops batchNorm", "second_order"];
const REDUCTIONS = ["ops sum", "ops mean", "ops max"];
const FUSED = ["elementwise", "ops", "fuzz_graphs", "planner"];

export const OPERATIONS: readonly Fault[] = [
  ...faultsOf("src/kernels/batch_norm.wgsl", BATCH_NORM, {
    "the spread between chunks is dropped": [" + rows * shift * shift;", ";"],
    "chunks weigh the same": ["(rows / f32(ROWS))", "(1 / f32(CHUNKS))"],
    "rows beyond a multiple of four are dropped": [
      "for (; r < end; r++) { sum += load_x(r, c); }",
      "",
    ],
    "the variance is unbiased": [
      "second[c] = squares / f32(ROWS);",
      "second[c] = squares / f32(ROWS - 1);",
    ],
    "gradient: epsilon is forgotten": [
      "inverseSqrt(variance[c] + EPSILON)",
      "inverseSqrt(variance[c])",
    ],
    "gradient: a sign": [
      "product += d * (load_x(r, c) - middle);",
      "product -= d * (load_x(r, c) - middle);",
    ],
    "gradient: the first partial sum is dropped": [
      "for (var k = 0u; k < CHUNKS; k++) {\n    sum +=",
      "for (var k = 1u; k < CHUNKS; k++) {\n    sum +=",
    ],
  }),
  ...faultsOf("src/ops/batchNorm.ts", BATCH_NORM, {
    "the mean of the gradient is not taken away": [
      "sub(sub(dy, div(dBeta, rows)), mul",
      "sub(dy, mul",
    ],
    "the gradient through the variance is half": [
      "mul(dVariance, 2 / rows)",
      "mul(dVariance, 1 / rows)",
    ],
    "second order: a sign of 1 / sqrt": ["div(mul(mul(dy, y), -0.5)", "div(mul(mul(dy, y), 0.5)"],
    "second order: a sign of the variance": [
      "add(variance, epsilon)), -0.5)",
      "add(variance, epsilon)), 0.5)",
    ],
    "second order: a sign of the mean": [
      "neg(mul(mul(dGamma, r), beta))",
      "mul(mul(dGamma, r), beta)",
    ],
    "epsilon is that of another library": [
      "{ epsilon = 1e-3 }: BatchNormOptions = {},\n): { y",
      "{ epsilon = 1e-5 }: BatchNormOptions = {},\n): { y",
    ],
    "chunks may cross the adapter's limit": ["? 16 : 4096;", "? 16 : 4096000;"],
  }),
  ...faultsOf("src/kernels/random.wgsl", ["random"], {
    "a round adds another number": ["vec2u(k1, k2 + 4)", "vec2u(k1, k2 + 3)"],
    "a rotation loses a bit": ["v << r | v >> (32 - r)", "v << r | v >> (33 - r)"],
    "the step does not count on": ["counter[1] += 1;", "counter[1] += 0;"],
    "what dropout keeps is not scaled": ["vec4f(1 / (1 - RATE))", "vec4f(1)"],
    "dropout keeps what it should drop": ["units(i) >= vec4f(RATE)", "units(i) < vec4f(RATE)"],
    "normal numbers are too narrow": ["sqrt(-2 * log(1 - u.x))", "sqrt(-log(1 - u.x))"],
    "numbers come in equal pairs": ["draw(2 * i), draw(2 * i + 1)", "draw(2 * i), draw(2 * i)"],
    "all streams are the same": ["vec2u(state[0], STREAM)", "vec2u(state[0], 0)"],
    "uniform numbers may be the maximum": [
      "min(units(i) * SCALE + MINIMUM, vec4f(LAST))",
      "units(i) * SCALE + MINIMUM",
    ],
  }),
  ...faultsOf("src/ops/random.ts", ["random"], {
    "mean and stddev are exchanged": ["add(mul(y, stddev), mean)", "add(mul(y, mean), stddev)"],
  }),
  ...faultsOf("src/kernels/adam.wgsl", ["adam"], {
    "beta1 for beta2 in the correction": [
      "next[2] = B2 * next[2] + ONE_MINUS_B2;",
      "next[2] = B1 * next[2] + ONE_MINUS_B1;",
    ],
    "beta2 for beta1 in the moment": ["let moment = B1 * m[i]", "let moment = B2 * m[i]"],
    "the gradient is not squared": [
      "ONE_MINUS_B2 * gradient * gradient",
      "ONE_MINUS_B2 * gradient",
    ],
    "epsilon is under the root": ["(sqrt(square) + EPSILON)", "sqrt(square + EPSILON)"],
    "the bias is not corrected": ["state[3] * sqrt(state[2]) / state[1]", "state[3]"],
    "it climbs": ["p[i] -= rate", "p[i] += rate"],
    "steps are not counted": ["next[0] += 1;", ""],
  }),
  ...faultsOf("src/optim/adam.ts", ["adam"], {
    "beta1 for beta2": ["ONE_MINUS_B2: 1 - beta2", "ONE_MINUS_B2: 1 - beta1"],
    "the last four parameters are left alone": ["COUNT: count,", "COUNT: count - 1,"],
    "what lies between two variables is updated, too": [
      "before.offset + before.bytes === offset",
      "before.offset + before.bytes <= offset",
    ],
    "what is read afterwards is the old value": [
      "for (const variable of written) graph.overwrite(variable);",
      "",
    ],
  }),
  ...faultsOf("src/kernels/copy.wgsl", ["ops transpose", "ops pad"], {
    "two axes are exchanged": ["let i3 = e % D3;\n  e /= D3;", "let i3 = e % D2;\n  e /= D2;"],
    "padding is not zero": ["y[e] = 0;", "y[e] = 0x3f800000;"],
  }),
  ...faultsOf("src/kernels/reduce.wgsl", REDUCTIONS, {
    "the first row is dropped": ["var result = x[at];", "var result = 0.0;"],
    "the first row is dropped, four at a time": ["var result = x4[at];", "var result = vec4f();"],
    "the maximum is the minimum": [
      "let value = x[at];\n    result = select(result + value, max(result, value)",
      "let value = x[at];\n    result = select(result + value, min(result, value)",
    ],
  }),
  ...faultsOf("src/ops/sum.ts", REDUCTIONS, {
    "a short last chunk is dropped": [
      "const rounds = Math.ceil(r / chunk);",
      "const rounds = Math.max(1, Math.floor(r / chunk));",
    ],
    "a mean is divided by all elements": [
      "div(total, toTensor(x).size / total.size)",
      "div(total, toTensor(x).size)",
    ],
  }),
  ...faultsOf("src/kernels/gather.wgsl", ["ops gather", "mnist"], {
    "bytes are taken from the other end": ["(byte % 4 * 8)", "(24 - byte % 4 * 8)"],
    "pictures are scaled to 0 to 1": ["(f32(value) - 127.5) / 127.5", "f32(value) / 255"],
    "indices are not rounded": ["clamp(round(bitcast", "clamp(floor(bitcast"],
    "NaN is another row": ["{ return 0; } // NaN", "{ return N - 1; } // NaN"],
  }),
  ...faultsOf("src/kernels/gather_grad.wgsl", ["ops gather"], {
    "of equal indices the last one counts": [
      "sum += dy[i * ROW + j]",
      "sum = dy[i * ROW + j]",
    ],
    "earlier shares are dropped": ["if ACCUMULATE { sum = dx[e]; }", ""],
  }),
  ...faultsOf("src/ops/gather.ts", ["ops gather"], {
    "the first share adds to what was there": ["begin > 0 ?", "begin >= 0 ?"],
    "loops may cross the adapter's limit": [
      "const MAX_INDICES = 16000;",
      "const MAX_INDICES = 16000000;",
    ],
  }),
  ...faultsOf("src/kernels/elementwise.wgsl", FUSED, {
    "log1p: a sign of the series": ["(0.5 - z * (1.0 / 3", "(0.5 + z * (1.0 / 3"],
    "tanh: a sign of the series": ["(1.0 / 3 - s * (2.0 / 15", "(1.0 / 3 + s * (2.0 / 15"],
    "sigmoid: exp sees positive arguments": [
      "select(z, vec4f(1), x >= vec4f(0))",
      "select(z, vec4f(1), x <= vec4f(0))",
    ],
    "leakyRelu: a sign": ["select(c * a, a, a > vec4f(0))", "select(-c * a, a, a > vec4f(0))"],
    "cross-entropy: a sign": ["max(a, vec4f(0)) - a * b", "max(a, vec4f(0)) + a * b"],
    "1 / sqrt: epsilon is forgotten": ["inverseSqrt(a + c)", "inverseSqrt(a)"],
    "broadcast: an axis has another's size": ["e / D3 % D2", "e / D3 % D1"],
    "broadcast: the last input's stride is another axis'": [
      "(*r)[5] = x5[offset(e, S5_0, S5_1, S5_2, 1) / 4]",
      "(*r)[5] = x5[offset(e, S5_0, S5_1, S5_1, 1) / 4]",
    ],
    "broadcast: the fourth input's value is another row's": [
      "offset(e, S3_0, S3_1, S3_2, 0)",
      "offset(e, S3_0, S3_1, S3_1, 0)",
    ],
    "broadcast: the fifth input's last axis is ignored": [
      "offset(e + 3, S4_0, S4_1, S4_2, S4_3)",
      "offset(e + 3, S4_0, S4_1, S4_2, 0)",
    ],
    "the tenth instruction has another's constant": [", C9); }", ", C8); }"],
    "the last instruction has another's constant": [", C15); }", ", C14); }"],
    "the ninth instruction has the wrong operand": ["(*r)[I8 >> 16]", "(*r)[I7 >> 16]"],
  }),
  ...faultsOf("src/kernels/ring.wgsl", ["model"], {
    "one loss for the other": ["= b[0];", "= a[0];"],
    "it does not count on": ["count[0] = k + 1;", "count[0] = k;"],
    "it does not wrap around": ["ring[k % SLOTS * 2] =", "ring[min(k, SLOTS - 1) * 2] ="],
  }),
  ...faultsOf("src/kernels/non_finite.wgsl", ["watch"], {
    "one of four is not looked at": ["min(first + 4, task[0])", "min(first + 3, task[0])"],
    "only infinity is seen": ["(x[i] & EXPONENT) == EXPONENT", "x[i] == EXPONENT"],
    "what pads the buffer is looked at": ["min(first + 4, task[0])", "first + 4"],
  }),
  ...faultsOf("src/ops/abs.ts", ["ops abs"], {
    "the sign is forgotten": ["mul(dy, sign(x))", "dy"],
  }),
  ...faultsOf("src/ops/sub.ts", ["ops sub"], {
    "a sign": ["dy && neg(sumTo(dy, b.shape))", "dy && sumTo(dy, b.shape)"],
    "a sign, with a constant": ["(_node, [dy]) => [dy && neg(dy)]", "(_node, [dy]) => [dy]"],
  }),
  ...faultsOf("src/ops/mul.ts", ["ops mul"], {
    "a factor for the other": ["sumTo(mul(dy, a), b.shape)", "sumTo(mul(dy, b), b.shape)"],
  }),
  ...faultsOf("src/ops/div.ts", ["ops div"], {
    "a sign": [
      "dy && neg(sumTo(div(mul(dy, y), b), b.shape))",
      "dy && sumTo(div(mul(dy, y), b), b.shape)",
    ],
    "a sign, with a constant": ["[dy && neg(div(mul(dy, y), b))]", "[dy && div(mul(dy, y), b)]"],
  }),
  ...faultsOf("src/ops/log.ts", ["ops log"], { "upside down": ["div(dy, x)", "div(x, dy)"] }),
  ...faultsOf("src/ops/sqrt.ts", ["ops sqrt"], {
    "twice as much": ["div(dy, mul(y, 2))", "div(dy, y)"],
  }),
  ...faultsOf("src/ops/tanh.ts", ["ops tanh"], {
    "not squared": ["sub(1, mul(y, y))", "sub(1, y)"],
  }),
  ...faultsOf("src/ops/sigmoid.ts", ["ops sigmoid"], {
    "a factor is missing": ["mul(y, sub(1, y))", "sub(1, y)"],
  }),
  ...faultsOf("src/ops/leakyRelu.ts", ["ops leakyRelu"], {
    "a negative slope takes the sign of the result": [
      "step(slope > 0 ? y : x, slope)",
      "step(y, slope)",
    ],
  }),
  ...faultsOf("src/ops/crossEntropy.ts", ["ops CrossEntropy", "non_finite"], {
    "labels are forgotten": ["sub(sigmoid(logits), labels)", "sigmoid(logits)"],
    "a sign of the labels' gradient": [
      "dy && neg(sumTo(mul(dy, logits), labels.shape))",
      "dy && sumTo(mul(dy, logits), labels.shape)",
    ],
    "large logits overflow": [
      "sub(x, stopGradient(max(x, -1, true)))",
      "sub(x, 0)",
    ],
  }),
  ...faultsOf("src/ops/pad.ts", ["ops pad"], {
    "the gradient is cut at the wrong end": ["(([before]) => before)", "(([, after]) => after)"],
  }),
  ...faultsOf("src/ops/slice.ts", ["ops slice"], {
    "the gradient is put at the wrong end": [
      "[begin[axis], n - begin[axis] - y.shape[axis]]",
      "[n - begin[axis] - y.shape[axis], begin[axis]]",
    ],
  }),
  ...faultsOf("src/ops/transpose.ts", ["ops transpose"], {
    "the gradient is permuted the same way": [
      "(permutation as number[]).map((_, axis) => permutation.indexOf(axis))",
      "permutation as number[]",
    ],
  }),
  ...faultsOf("src/ops/concat.ts", ["ops concat"], {
    "every input gets the first one's gradient": ["at += x.shape[axis];", "at += 0;"],
  }),
  ...faultsOf("src/ops/broadcastTo.ts", ["ops broadcastTo"], {
    "an axis is broadcast that is not": ["padded[axis] === 1 ? 0 : s", "axis === 0 ? 0 : s"],
  }),
];
