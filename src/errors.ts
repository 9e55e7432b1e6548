/**
 * The error classes of the library. `TypeError` says a shape or type is wrong and `RangeError` a
 * value; these say that something outside the program is.
 *
 * @module
 */

/** No usable WebGPU adapter, or one that lacks what was asked for. */
export class AdapterError extends Error {
  /** The class's name. */
  override name = "AdapterError";
}

/** The device was lost (driver reset, unplugged, destroyed) and everything on it with it. */
export class DeviceLostError extends Error {
  /** The class's name. */
  override name = "DeviceLostError";
}

/** The device ran out of memory, or a program was refused because it would. */
export class OutOfMemoryError extends Error {
  /** The class's name. */
  override name = "OutOfMemoryError";
}

/** The device refused a command. The message carries the label of the op that asked for it. */
export class GpuValidationError extends Error {
  /** The class's name. */
  override name = "GpuValidationError";
}

/** A checkpoint that is missing, damaged, foreign, or contradicts the run it should continue. */
export class CheckpointError extends Error {
  /** The class's name. */
  override name = "CheckpointError";
}

/** A data set that is missing, damaged or of the wrong form. */
export class DataError extends Error {
  /** The class's name. */
  override name = "DataError";
}
