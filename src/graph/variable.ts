/**
 * Persistent state on the device.
 *
 * @module
 */

import type { GpuContext } from "../gpu/context.ts";
import type { BufferView } from "../gpu/memory.ts";
import { bytesOf, type DType, type Shape, show, sizeOf } from "./tensor.ts";

/** The typed array that holds each element type on the host. */
export interface Arrays {
  /** 32-bit floats. */
  f32: Float32Array<ArrayBuffer>;
  /** 32-bit whole numbers. */
  u32: Uint32Array<ArrayBuffer>;
  /** Bytes. */
  u8: Uint8Array<ArrayBuffer>;
}

/** Host data of any element type. */
export type TypedArray = Arrays[DType];

/** The typed arrays that outputs are read into: Float32Array where no other type is known. */
export type OutputArrays<T extends Readonly<Record<string, { readonly dtype: DType }>>> = {
  [K in keyof T]: DType extends T[K]["dtype"] ? Arrays["f32"] : Arrays[T[K]["dtype"]];
};

/** What helps when a variable is larger than a device allows. */
export const ADVICE_FOR_VARIABLES =
  "A smaller batch does not help: use a narrower network, or fewer images where it holds data";

const ARRAYS = { f32: Float32Array, u32: Uint32Array, u8: Uint8Array };

/** Typed array of `dtype` over bytes read from the device, cut to `size` elements. */
export function fromBytes(bytes: ArrayBuffer, dtype: DType, size: number): TypedArray {
  return new ARRAYS[dtype](bytes, 0, size);
}

/** Host data of the right type and length for a shape. */
export function toArray(
  data: ArrayLike<number>,
  shape: Shape,
  dtype: DType,
  what: string,
): TypedArray {
  if (data.length !== sizeOf(shape)) {
    throw new TypeError(
      `Cannot write ${data.length} values to ${what} ${show(shape)}: it holds ${sizeOf(shape)}`,
    );
  }
  const Array = ARRAYS[dtype];
  // A typed array over shared memory is copied: the queue takes only unshared buffers.
  return data instanceof Array && data.buffer instanceof ArrayBuffer
    ? data as TypedArray
    : new Array(data);
}

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
    /** Where it lives. */
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
   * Refuses to be used on another device, or when it was disposed.
   *
   * @ignore Recordings and its own methods ask.
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
    const bytes = Math.ceil(bytesOf(this.shape, this.dtype) / 4) * 4;
    const [data] = await this.context.read([{ ...this.view, bytes }]);
    return fromBytes(data, this.dtype, this.size) as Arrays[D];
  }

  /**
   * Overwrites its values, after everything enqueued so far.
   *
   * @throws {TypeError} when the number of values is not the variable's, or it was disposed.
   */
  write(data: ArrayLike<number>): void {
    this.context.errors.check();
    this.requireUsable();
    this.context.write(this.view, toArray(data, this.shape, this.dtype, this.name));
  }

  /** Frees its buffer, with all variables that lie in it; programs that use it must not run any more. */
  dispose(): void {
    this.context.memory.free(this.view.buffer);
  }
}
