/** Persistent state on the device. */

import type { GpuContext } from "../gpu/context.ts";
import type { BufferView } from "../gpu/memory.ts";
import { type Arrays, readArrays, toArray } from "./arrays.ts";
import { type DType, type Shape, show, sizeOf } from "./tensor.ts";

/** What helps when a variable is larger than a device allows. */
export const ADVICE_FOR_VARIABLES =
  "A smaller batch does not help: use a narrower network, or fewer images where it holds data";

/**
 * State that outlives a run: parameters, moments, counters, data sets.
 *
 * ```ts
 * import { Gpu } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const weights = gpu.variable([3], [1, 2, 3], { name: "weights" });
 * weights.write([4, 5, 6]);
 * console.log(await weights.read()); // Float32Array(3) [ 4, 5, 6 ]
 * ```
 */
export class Variable<D extends DType = DType> {
  /** @ignore Variables are made by `gpu.variable`. */
  constructor(
    private readonly context: GpuContext,
    /** @ignore Where it lives. */
    readonly view: BufferView,
    readonly shape: Shape,
    readonly dtype: D,
    readonly name: string,
    readonly trainable: boolean,
  ) {}

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * Throws when it belongs to another device, or was disposed.
   *
   * @ignore For recordings and its own methods.
   * @throws {TypeError}
   */
  requireUsable(context: GpuContext = this.context): void {
    const reason = context.device !== this.context.device
      ? "belongs to another device"
      : !this.context.memory.holds(this.view.buffer)
      ? "was disposed"
      : undefined;
    if (!reason) return;
    throw new TypeError(
      `Cannot use the variable ${this.name} ${show(this.shape)}, which ${reason}: make one of ` +
        "this device with gpu.variable",
    );
  }

  /**
   * Its values, after everything enqueued so far.
   *
   * @throws {TypeError} when it was disposed.
   */
  async read(): Promise<Arrays[D]> {
    this.context.errors.check();
    this.requireUsable();
    const [data] = await readArrays(this.context, [this]);
    return data as Arrays[D];
  }

  /**
   * Overwrites its values, after everything enqueued so far.
   *
   * @throws {TypeError} for a wrong number of values, a value that is no number, or when it was
   *   disposed.
   * @throws {RangeError} for a number that the variable's type does not have.
   */
  write(data: ArrayLike<number>): void {
    this.context.errors.check();
    this.requireUsable();
    this.context.write(this.view, toArray(data, this.shape, this.dtype, this.name));
  }

  /** Frees its buffer with all variables in it. Programs that use one of them cannot run any more. */
  dispose(): void {
    this.context.memory.free(this.view.buffer);
  }
}
