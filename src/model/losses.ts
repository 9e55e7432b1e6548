import { type TensorLike, toTensor } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import * as ops from "../ops/mod.ts";

/** Mean binary cross-entropy of logits that should all be `label`. */
export function crossEntropy(logits: TensorLike, label: number): Tensor {
  const tensor = toTensor(logits, "the logits");
  return ops.mean(ops.sigmoidCrossEntropyWithLogits(tensor, ops.constant(label, tensor.shape)));
}

/**
 * The generator's loss: mean binary cross-entropy of its images' logits with ones, in nats. It is small
 * when the discriminator takes the images for real.
 *
 * ```ts
 * import { generatorLoss, Gpu } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ fake: [2, 1] }, ({ fake }) => ({ loss: generatorLoss(fake) }));
 * program.run({ fake: [100, 100] });
 * console.log((await program.read()).loss); // Float32Array(1) [ 0 ]
 * ```
 *
 * @param fakeLogits [batch, 1], the discriminator's decision on generated images
 * @returns a scalar
 * @throws {TypeError} when the logits are not f32.
 */
export function generatorLoss(fakeLogits: TensorLike): Tensor {
  return crossEntropy(fakeLogits, 1);
}

/**
 * The discriminator's loss: the sum of two mean binary cross-entropies, of the logits on real images
 * with ones and of those on generated images with zeros.
 *
 * ```ts
 * import { discriminatorLoss, Gpu } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ real: [2, 1], fake: [2, 1] }, ({ real, fake }) => ({
 *   loss: discriminatorLoss(real, fake),
 * }));
 * program.run({ real: [100, 100], fake: [-100, 50] });
 * console.log((await program.read()).loss); // Float32Array(1) [ 25 ]
 * ```
 *
 * @param realLogits [batch, 1], as `fakeLogits`
 * @returns a scalar
 * @throws {TypeError} when the logits are not f32.
 */
export function discriminatorLoss(realLogits: TensorLike, fakeLogits: TensorLike): Tensor {
  return ops.add(crossEntropy(realLogits, 1), crossEntropy(fakeLogits, 0));
}
