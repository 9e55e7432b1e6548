/**
 * The ops: functions of symbolic tensors, called inside `gpu.compile`.
 *
 * @module
 */

export { abs, exp, leakyRelu, log, relu, sigmoid, sign, sqrt, step, tanh } from "./math.ts";
export { add, div, mul, neg, sub } from "./arithmetic.ts";
export { assign, constant, stopGradient } from "./state.ts";
export { batchNorm, batchNormInference } from "./batchNorm.ts";
export { broadcastTo, concat, pad, reshape, slice, transpose } from "./shape.ts";
export { conv2d, conv2dFilterGrad, conv2dTranspose } from "./conv.ts";
export { sigmoidCrossEntropyWithLogits, softmaxCrossEntropyWithLogits } from "./loss.ts";
export { dropout, randomBits, randomNormal, randomUniform } from "./random.ts";
export { gather, gatherImages } from "./gather.ts";
export { matmul } from "./matmul.ts";
export { max, mean, sum } from "./reduce.ts";
