/**
 * The ops: functions of symbolic tensors, called inside `gpu.compile`.
 *
 * @module
 */

export { abs } from "./abs.ts";
export { add } from "./add.ts";
export { assign } from "./assign.ts";
export { batchNorm, batchNormInference } from "./batchNorm.ts";
export { broadcastTo } from "./broadcastTo.ts";
export { concat } from "./concat.ts";
export { constant } from "./constant.ts";
export { conv2d } from "./conv2d.ts";
export { conv2dFilterGrad } from "./conv2dFilterGrad.ts";
export { conv2dTranspose } from "./conv2dTranspose.ts";
export { sigmoidCrossEntropyWithLogits, softmaxCrossEntropyWithLogits } from "./crossEntropy.ts";
export { div } from "./div.ts";
export { dropout } from "./dropout.ts";
export { exp } from "./exp.ts";
export { gather, gatherImages } from "./gather.ts";
export { leakyRelu, relu } from "./leakyRelu.ts";
export { log } from "./log.ts";
export { matmul } from "./matmul.ts";
export { mul } from "./mul.ts";
export { neg } from "./neg.ts";
export { pad } from "./pad.ts";
export { randomBits, randomNormal, randomUniform } from "./random.ts";
export { reshape } from "./reshape.ts";
export { sigmoid } from "./sigmoid.ts";
export { sign } from "./sign.ts";
export { slice } from "./slice.ts";
export { sqrt } from "./sqrt.ts";
export { step } from "./step.ts";
export { stopGradient } from "./stopGradient.ts";
export { sub } from "./sub.ts";
export { max, mean, sum } from "./sum.ts";
export { tanh } from "./tanh.ts";
export { transpose } from "./transpose.ts";
