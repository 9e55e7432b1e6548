/**
 * Train the TensorFlow tutorial's DCGAN on WebGPU, with hand-written WGSL kernels and every layer
 * below it: a device, typed ops, a recorded graph with automatic differentiation, models, Adam.
 *
 * @module
 */

export * from "./src/errors.ts";

export {
  type CompileOptions,
  Gpu,
  type GpuOptions,
  type VariableOptions,
  type VariableSpec,
} from "./src/graph/gpu.ts";
export type { AdapterInfo, AdapterOptions, Device, WebGPU } from "./src/gpu/adapter.ts";
export type { CompileProgress } from "./src/gpu/pipelines.ts";
export type { Timing } from "./src/gpu/commands.ts";

export type { InputSpec, InputTensors, SameType, TensorLike } from "./src/graph/graph.ts";
export type { DType, Shape, Tensor } from "./src/graph/tensor.ts";
export type { GemmUse, GemmVariant, Tuning } from "./src/graph/tuning.ts";
export { calibrate, type CalibrateOptions, type CalibrationRow } from "./src/ops/gemm/calibrate.ts";
export type { Program, ProgramStats } from "./src/graph/program.ts";
export type { Arrays, OutputArrays, TypedArray } from "./src/graph/arrays.ts";
export type { Variable } from "./src/graph/variable.ts";

export { grad } from "./src/ops/grad.ts";
export * as ops from "./src/ops/mod.ts";
export type { RandomOptions, RandomState } from "./src/ops/random.ts";

export { Adam, type AdamOptions } from "./src/optim/adam.ts";

export { Generator, generatorArchitecture, type GeneratorOptions } from "./src/model/generator.ts";
export {
  Discriminator,
  discriminatorArchitecture,
  type DiscriminatorOptions,
} from "./src/model/discriminator.ts";
export {
  type Architecture,
  architectureSummary,
  type NamedLayer,
} from "./src/model/architecture.ts";
export { defaultWidths } from "./src/model/sizes.ts";
export { Sequential, type SequentialOptions } from "./src/model/sequential.ts";
export * as layers from "./src/model/layers.ts";
export type {
  CallOptions,
  Initializer,
  Layer,
  LayerFactory,
  WeightSpec,
} from "./src/model/layer.ts";
export { plotMermaid, plotSVG } from "./src/model/plot.ts";
export { type LatentMode, latentPath, type LatentPathOptions } from "./src/model/latent.ts";
export { type Augmentation } from "./src/model/augment.ts";
export { discriminatorLoss, generatorLoss, type ObjectiveName } from "./src/model/objectives.ts";

export type { Dataset, StreamedDataset } from "./src/data/dataset.ts";
export {
  loadFashionMNIST,
  loadMNIST,
  type LoadMNISTOptions,
  type MNIST,
  type MNISTSplit,
} from "./src/data/mnist.ts";
export {
  type Color,
  type Images,
  loadImages,
  type LoadImagesOptions,
  type SkippedFile,
  type StreamedImages,
  streamImages,
  type StreamImagesOptions,
} from "./src/data/images.ts";
// The names of the version before.
export {
  type Images as Pictures,
  loadImages as loadPictures,
  type LoadImagesOptions as LoadPicturesOptions,
} from "./src/data/images.ts";

export { encodeGIF, type GIFOptions, tutorialFrames } from "./src/formats/gif.ts";
export { type Grid, type GridOptions, imageGrid } from "./src/formats/grid.ts";
export type { FileChange, FileHandle, FolderHandle } from "./src/formats/folder_handle.ts";
export type { Image } from "./src/formats/image.ts";
export type { Source } from "./src/formats/source.ts";
export { decodePNG, encodePNG } from "./src/formats/png.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
  type SafetensorsFile,
  type SafetensorsType,
} from "./src/formats/safetensors.ts";

export { evaluate, type EvaluateOptions } from "./src/metrics/evaluate.ts";
export type { Evaluation } from "./src/metrics/evaluator.ts";
export {
  densityCoverage,
  frechetDistance,
  kernelDistance,
  precisionRecall,
} from "./src/metrics/measures.ts";
export type { KernelDistance, KernelDistanceOptions } from "./src/metrics/kernel.ts";
export type { DensityCoverage, PrecisionRecall } from "./src/metrics/neighbors.ts";

export type { Checkpoint } from "./src/training/checkpoint.ts";
export type { EvaluationMetrics } from "./src/formats/metrics.ts";
export type { EpochEvent, ImageEvent, StepEvent, TrainEvent } from "./src/training/events.ts";
export type { Hyperparameters } from "./src/training/hyperparameters.ts";
export type { RecipeName } from "./src/training/recipes.ts";
export type {
  CheckpointPolicy,
  TrainerOptions,
  TrainOptions,
  WatchOptions,
} from "./src/training/options.ts";
export type { Position, Snapshot } from "./src/training/position.ts";
export { Trainer } from "./src/training/trainer.ts";
export { type Checked, trainDCGAN, type TrainResult } from "./src/train.ts";
