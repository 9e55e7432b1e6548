/**
 * The error classes of the library, for what is wrong outside of the program. `TypeError` means a wrong
 * shape or type, `RangeError` a wrong value.
 */

/**
 * No usable WebGPU adapter, or one that lacks a requested limit or feature.
 *
 * ```ts
 * import { AdapterError, Gpu } from "@dcgan/webgpu";
 *
 * try {
 *   using gpu = await Gpu.request();
 *   console.log(gpu.info.description);
 * } catch (error) {
 *   if (!(error instanceof AdapterError)) throw error;
 *   console.error(error.message); // what to install
 * }
 * ```
 */
export class AdapterError extends Error {
  /** The class's name. */
  override name = "AdapterError";
}

/**
 * The device was lost (driver reset, unplugged, destroyed), and everything on it.
 *
 * ```ts
 * import { DeviceLostError, type Program } from "@dcgan/webgpu";
 *
 * async function survives(program: Program): Promise<boolean> {
 *   try {
 *     program.run();
 *     await program.read();
 *     return true;
 *   } catch (error) {
 *     if (error instanceof DeviceLostError) return false; // request another, restore a checkpoint
 *     throw error;
 *   }
 * }
 * ```
 */
export class DeviceLostError extends Error {
  /** The class's name. */
  override name = "DeviceLostError";
}

/**
 * The device ran out of memory, or a program was refused because it would.
 *
 * ```ts
 * import { Gpu, ops, OutOfMemoryError } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * try {
 *   gpu.compile({ x: [1e6, 1e6] }, ({ x }) => ({ y: ops.tanh(x) }));
 * } catch (error) {
 *   console.log(error instanceof OutOfMemoryError); // true
 * }
 * ```
 */
export class OutOfMemoryError extends Error {
  /** The class's name. */
  override name = "OutOfMemoryError";
}

/**
 * The device refused a command. The message begins with the label of the op.
 *
 * ```ts
 * import { GpuValidationError, type Program } from "@dcgan/webgpu";
 *
 * function isRefused(program: Program): boolean {
 *   try {
 *     program.run(); // throws what the device reported about the run before
 *     return false;
 *   } catch (error) {
 *     return error instanceof GpuValidationError;
 *   }
 * }
 * ```
 */
export class GpuValidationError extends Error {
  /** The class's name. */
  override name = "GpuValidationError";
}

/**
 * A loss, gradient or weight that is NaN or infinite. The message names the step and the op in which
 * the first such number appeared.
 *
 * ```ts
 * import { loadMNIST, NonFiniteError, Trainer } from "@dcgan/webgpu";
 *
 * using trainer = await Trainer.create({ dataset: await loadMNIST(), learningRate: 10 });
 * try {
 *   await trainer.epoch();
 * } catch (error) {
 *   if (!(error instanceof NonFiniteError)) throw error;
 *   console.error(error.step, error.where);
 *   await trainer.save("last-finite.safetensors"); // its state is the one before that step
 * }
 * ```
 */
export class NonFiniteError extends Error {
  /** The class's name. */
  override name = "NonFiniteError";
  /** The step of the whole run, counted from 1. */
  readonly step: number;
  /** The op or variable with the first such number. */
  readonly where: string;

  /** Makes the error. */
  constructor(
    message: string,
    { step, where, cause }: {
      readonly step: number;
      readonly where: string;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause });
    this.step = step;
    this.where = where;
  }
}

/**
 * A checkpoint that is missing, damaged, foreign, or contradicts the run it should continue.
 *
 * ```ts
 * import { CheckpointError, decodeSafetensors } from "@dcgan/webgpu";
 *
 * try {
 *   decodeSafetensors(new Uint8Array(4), "empty.safetensors");
 * } catch (error) {
 *   console.log(error instanceof CheckpointError); // true
 * }
 * ```
 */
export class CheckpointError extends Error {
  /** The class's name. */
  override name = "CheckpointError";
}

/**
 * A data set that is missing, damaged or of the wrong form.
 *
 * ```ts
 * import { DataError, decodePNG } from "@dcgan/webgpu";
 *
 * try {
 *   decodePNG(new TextEncoder().encode("not an image, but a text of some length"));
 * } catch (error) {
 *   console.log(error instanceof DataError); // true
 * }
 * ```
 */
export class DataError extends Error {
  /** The class's name. */
  override name = "DataError";
}
