/** Losses from logits, stable for any of them. */

import { type TensorLike, toTensor } from "../graph/graph.ts";
import { sameShape, show, type Tensor } from "../graph/tensor.ts";
import { add, mul, neg, sub } from "./arithmetic.ts";
import { elementwise, elementwiseOp, type Operand } from "./elementwise.ts";
import { exp, log, sigmoid } from "./math.ts";
import { max, sum } from "./reduce.ts";
import { reshape } from "./shape.ts";
import { stopGradient } from "./state.ts";

const sigmoidCrossEntropyOp = elementwiseOp("sigmoidCrossEntropy", (dy, _, logits, labels) => {
  return [mul(dy, sub(sigmoid(logits), labels)), neg(mul(dy, logits))];
});

/**
 * Binary cross-entropy of each logit with its label, in the stable form
 * max(x, 0) - x * t + log1p(exp(-|x|)). An infinite logit gives the limit: 0 with the label of its
 * side, else Infinity.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ logits: [2], labels: [2] }, ({ logits, labels }) => ({
 *   loss: ops.mean(ops.sigmoidCrossEntropyWithLogits(logits, labels)),
 * }));
 * program.run({ logits: [0, 100], labels: [1, 1] });
 * console.log((await program.read()).loss); // Float32Array(1) [ 0.3465735912322998 ]
 * ```
 *
 * @param logits f32 of any shape
 * @param labels in [0, 1], of a shape that broadcasts with the logits.
 * @returns one loss an element; take the mean for the loss of a batch.
 * @throws {TypeError} when the shapes do not broadcast.
 */
export function sigmoidCrossEntropyWithLogits(logits: Operand, labels: Operand): Tensor {
  return elementwise(sigmoidCrossEntropyOp, logits, labels);
}

/**
 * Cross-entropy of softmax(logits) with labels along the last axis, stable for any logits.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ logits: [2, 2], labels: [2, 2] }, ({ logits, labels }) => ({
 *   losses: ops.softmaxCrossEntropyWithLogits(logits, labels),
 * }));
 * program.run({ logits: [0, 0, 100, 0], labels: [1, 0, 1, 0] });
 * console.log((await program.read()).losses); // Float32Array(2) [ 0.6931471824645996, 0 ]
 * ```
 *
 * @param logits [..., classes]
 * @param labels probabilities, of the same shape (one-hot rows for class labels).
 * @returns one loss a row, [...]
 * @throws {TypeError} when the shapes differ.
 */
export function softmaxCrossEntropyWithLogits(logits: TensorLike, labels: TensorLike): Tensor {
  const [x, t] = [toTensor(logits, "the logits"), toTensor(labels, "the labels")];
  if (!sameShape(x.shape, t.shape) || x.rank === 0) {
    throw new TypeError(
      `Cannot compare logits ${show(x.shape)} with labels ${show(t.shape)}: ` +
        "both must be [..., classes] and of one shape",
    );
  }
  // The maximum only moves the numbers into range; its derivative cancels.
  const shifted = sub(x, stopGradient(max(x, -1, true)));
  const logSum = log(sum(exp(shifted), -1, true));
  const loss = sum(mul(t, add(neg(shifted), logSum)), -1);
  return reshape(loss, x.shape.slice(0, -1));
}
