/**
 * The gradient of a gradient. `grad` records ops like any others, so that what it gives can be
 * differentiated again. Two uses, each checked against its formula:
 *
 *   1. The product of a Hessian and a vector, without the Hessian, for Newton's method.
 *   2. The gradient penalty of WGAN-GP (Gulrajani et al. 2017), whose loss contains a gradient.
 *
 *   deno run examples/second_derivative.ts
 *
 * It needs no permission, and fails when a check does.
 */

import { Gpu, grad, ops } from "../mod.ts";

/** Compares with what float64 arithmetic on the formula gives; float32 has seven digits. */
function check(what: string, got: ArrayLike<number>, expected: readonly number[]): void {
  const error = Math.hypot(...expected.map((e, i) => got[i] - e)) / Math.hypot(...expected);
  console.log(`${what}: relative error ${error.toExponential(1)}`);
  if (!(error < 1e-5)) {
    throw new Error(`${what} is wrong: ${[...Array.from(got)]}, not ${expected}`);
  }
}

/** Numbers that look random and are the same everywhere. */
const numbers = (count: number, offset: number) =>
  Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + offset));
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((s, x, i) => s + x * b[i], 0);

using gpu = await Gpu.request();

// ---- 1. Logistic regression: loss(w) = mean(log(1 + exp(X w)) - t * X w) for rows X and labels t.
//
// Its Hessian is H = X' diag(p (1 - p)) X / n with p = sigmoid(X w). H v is the gradient of the
// number (gradient of the loss) * v: one more `grad`, and H itself is never made.

const [n, d] = [64, 5];
const X = numbers(n * d, 0.3);
const rowsOf = (i: number) => X.slice(d * i, d * i + d);
const t = Array.from({ length: n }, (_, i) => rowsOf(i)[0] - rowsOf(i)[1] > 0.4 * (i % 3) ? 1 : 0);
const x = gpu.variable([n, d], X);
const labels = gpu.variable([n, 1], t);

using hessian = gpu.compile({ w: [d, 1], v: [d, 1] }, ({ w, v }) => {
  const logits = ops.matmul(x, w);
  const loss = ops.mean(ops.sigmoidCrossEntropyWithLogits(logits, labels));
  const [g] = grad(loss, [w]);
  const [hv] = grad(ops.sum(ops.mul(g, v)), [w]);
  return { loss, g, hv };
});

const w = numbers(d, 0.9);
const v = numbers(d, 2.2);
hessian.run({ w, v });
const weightOf = (i: number) => {
  const p = 1 / (1 + Math.exp(-dot(rowsOf(i), w)));
  return p * (1 - p);
};
check(
  "Hessian times vector",
  (await hessian.read()).hv,
  Array.from(
    { length: d },
    (_, k) =>
      Array.from({ length: n }, (_, i) => weightOf(i) * dot(rowsOf(i), v) * X[d * i + k])
        .reduce((a, b) => a + b) / n,
  ),
);

// Newton's method: w -= H^-1 g. Conjugate gradients solve H s = g with products H p alone.

async function product(w: readonly number[], v: readonly number[]) {
  hessian.run({ w, v });
  const { loss, g, hv } = await hessian.read();
  return { loss: loss[0], g: [...g], hv: [...hv] };
}

let at: number[] = new Array(d).fill(0);
for (let i = 1; i <= 6; i++) {
  const { loss, g } = await product(at, at);
  console.log(
    `Newton's method, step ${i}: loss ${loss.toFixed(6)}, |g| ${Math.hypot(...g).toExponential(1)}`,
  );
  let [solution, residual, direction] = [at.map(() => 0), g, g];
  for (let k = 0; k < d && Math.hypot(...residual) > 1e-7; k++) {
    const { hv } = await product(at, direction);
    const alpha = dot(residual, residual) / dot(direction, hv);
    solution = solution.map((s, j) => s + alpha * direction[j]);
    const next = residual.map((r, j) => r - alpha * hv[j]);
    const beta = dot(next, next) / dot(residual, residual);
    direction = next.map((r, j) => r + beta * direction[j]);
    residual = next;
  }
  at = at.map((value, j) => value - solution[j]);
}
const { g: last } = await product(at, at);
if (!(Math.hypot(...last) < 1e-5)) throw new Error("Newton's method did not reach the minimum");

// ---- 2. A critic D(x) = sum over j of u_j tanh(x * W_j), and the penalty (|dD/dx| - 1)^2.
//
// Training the critic needs the gradient of the penalty with respect to its weights. By hand, for
// one x, with a_j = tanh(x * W_j) and g = dD/dx = sum over j of u_j (1 - a_j^2) W_j:
// d penalty / d u_j = 2 (|g| - 1) / |g| * (1 - a_j^2) * (g * W_j).

const [batch, inputs, hidden] = [3, 4, 6];
const W = numbers(inputs * hidden, 0.1); // [inputs, hidden]
const U = numbers(hidden, 1.3);
const P = numbers(batch * inputs, 3.1);
const kernel = gpu.variable([inputs, hidden], W);
const out = gpu.variable([hidden, 1], U);

using penalty = gpu.compile({ points: [batch, inputs] }, ({ points }) => {
  const critic = ops.sum(ops.matmul(ops.tanh(ops.matmul(points, kernel)), out));
  // The sum of all D(x) has in row i the gradient of D at point i: points do not mix.
  const [slope] = grad(critic, [points]);
  const norm = ops.sqrt(ops.sum(ops.mul(slope, slope), -1));
  const excess = ops.sub(norm, 1);
  const loss = ops.mean(ops.mul(excess, excess));
  const [dOut, dKernel] = grad(loss, [out, kernel]);
  return { loss, dOut, dKernel };
});
penalty.run({ points: P });
const { loss, dOut } = await penalty.read();

const column = (j: number) => Array.from({ length: inputs }, (_, i) => W[i * hidden + j]);
let expectedLoss = 0;
const expected: number[] = new Array(hidden).fill(0);
for (let i = 0; i < batch; i++) {
  const point = P.slice(inputs * i, inputs * i + inputs);
  const slopes = U.map((_, j) => 1 - Math.tanh(dot(point, column(j))) ** 2);
  const g = point.map((_, k) => U.reduce((s, u, j) => s + u * slopes[j] * column(j)[k], 0));
  const norm = Math.hypot(...g);
  expectedLoss += (norm - 1) ** 2 / batch;
  U.forEach((_, j) => {
    expected[j] += 2 * (norm - 1) / norm * slopes[j] * dot(g, column(j)) / batch;
  });
}
check("gradient penalty", loss, [expectedLoss]);
check("its gradient with respect to the critic's last layer", dOut, expected);
