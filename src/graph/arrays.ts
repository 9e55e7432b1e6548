/** Element types on the host: which typed array holds each, and what may be written to a tensor. */

import type { GpuContext } from "../gpu/context.ts";
import { type BufferView, roundUp } from "../gpu/memory.ts";
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

const ARRAYS = { f32: Float32Array, u32: Uint32Array, u8: Uint8Array };

/** The largest number of each type of whole numbers. */
const LARGEST = { u32: 2 ** 32 - 1, u8: 255 };

/** How messages name a value of the wrong kind. */
export function describe(x: unknown): string {
  if (x === undefined) return "undefined";
  if (typeof x === "object") return x?.constructor?.name ?? "null";
  if (typeof x === "function") return `function ${x.name}`.trim();
  return `${typeof x} ${typeof x === "string" ? JSON.stringify(x.slice(0, 40)) : String(x)}`;
}

/** Where a tensor's elements are on the device. */
export interface Port {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly view: BufferView;
}

/** Reads elements back, all with one wait. */
export async function readArrays(
  context: GpuContext,
  ports: readonly Port[],
): Promise<TypedArray[]> {
  const data = await context.read(ports.map(({ view, shape, dtype }) => ({
    ...view,
    bytes: roundUp(bytesOf(shape, dtype), 4),
  })));
  return ports.map(({ shape, dtype }, i) => new ARRAYS[dtype](data[i], 0, sizeOf(shape)));
}

/**
 * Host data of the right type and length for a shape. A typed array of the right type is returned as
 * it is; of any other array each value is checked.
 *
 * @throws {TypeError} for a wrong number of values, or a value that is no number.
 * @throws {RangeError} for a number that the type does not have: whole numbers have a range, floats
 *   may be NaN and infinite.
 */
export function toArray(
  data: ArrayLike<number>,
  shape: Shape,
  dtype: DType,
  what: string,
): TypedArray {
  const target = `${what} ${show(shape)}`;
  if (typeof data !== "object" || data === null || typeof data.length !== "number") {
    throw new TypeError(`Cannot write ${describe(data)} to ${target}: use an array of numbers`);
  }
  if (data.length !== sizeOf(shape)) {
    throw new TypeError(
      `Cannot write ${data.length} values to ${target}: it holds ${sizeOf(shape)}`,
    );
  }
  const Array = ARRAYS[dtype];
  // A typed array over shared memory is copied: the queue takes only unshared buffers.
  if (data instanceof Array && data.buffer instanceof ArrayBuffer) return data as TypedArray;
  const most = dtype === "f32" ? undefined : LARGEST[dtype];
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (typeof value !== "number") {
      throw new TypeError(`Cannot write ${describe(value)} to ${target}, at ${i}: use a number`);
    }
    if (most !== undefined && !(Number.isInteger(value) && value >= 0 && value <= most)) {
      throw new RangeError(
        `Cannot write ${value} to ${target}, at ${i}: ${dtype} holds whole numbers from 0 to ${most}`,
      );
    }
  }
  return new Array(data);
}
