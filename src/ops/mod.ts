/**
 * The ops: functions of symbolic tensors, called inside `gpu.compile`.
 *
 * @module
 */

export { add, div, maximum, minimum, mul, neg, sub, where } from "./arithmetic.ts";
export { batchNorm, batchNormInference } from "./norm.ts";
export { conv2d, conv2dFilterGrad, conv2dTranspose } from "./conv.ts";
export { gather, gatherImages } from "./gather.ts";
export { sigmoidCrossEntropyWithLogits, softmaxCrossEntropyWithLogits } from "./loss.ts";
export * from "./math.ts";
export { matmul } from "./matmul.ts";
export { dropout, randomBits, randomNormal, randomUniform } from "./random.ts";
export { max, mean, sum } from "./reduce.ts";
export { broadcastTo, concat, pad, reshape, slice, transpose } from "./shape.ts";
export { assign, cast, constant, stopGradient } from "./state.ts";
