/**
 * Train the TensorFlow tutorial's DCGAN on WebGPU, with hand-written WGSL kernels and every layer
 * below it: a device, typed ops, a recorded graph with automatic differentiation, models, Adam.
 *
 * @module
 */

export * from "./src/errors.ts";
export { Gpu } from "./src/graph/gpu.ts";
export { grad } from "./src/ops/grad.ts";
export * as ops from "./src/ops/mod.ts";
