/** Buffers and textures of a device, counted: what is alive and how many bytes it holds. */

import { OutOfMemoryError } from "../errors.ts";
import type { DeviceErrors } from "./errors.ts";
import { GPUBufferUsage, GPUTextureUsage } from "./flags.ts";

/** The size of each buffer is a multiple of this, so that vec4f views and copies always fit. */
export const ALIGNMENT = 256;

/** Width in texels (four floats each) of every texture copy of a buffer. */
export const TEXTURE_WIDTH = 4096;

const TEXEL_BYTES = 16;
const ROW_BYTES = TEXTURE_WIDTH * TEXEL_BYTES;

/** Rounds `value` up to a multiple of `to`. */
export function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** A storage buffer. */
export interface Buffer {
  /** The WebGPU object. */
  readonly raw: GPUBuffer;
  /** Size in bytes, a multiple of {@linkcode ALIGNMENT}. */
  readonly bytes: number;
  /** How often it was written by the host or by a program's run; counted for variables only. */
  version: number;
}

/** A range of a buffer; the form in which kernels receive it. */
export interface BufferView {
  /** The buffer that it is part of. */
  readonly buffer: Buffer;
  /** First byte, a multiple of {@linkcode ALIGNMENT}. */
  readonly offset: number;
  /** Its length in bytes. */
  readonly bytes: number;
}

/** An rgba32float storage texture, {@linkcode TEXTURE_WIDTH} texels wide, read as flat memory. */
export interface Texture {
  /** The WebGPU object. */
  readonly raw: GPUTexture;
  /** The view that kernels bind; buffers have none. */
  readonly view: GPUTextureView;
  /** Size in bytes. */
  readonly bytes: number;
}

/** Rows that a texture needs to hold `bytes` bytes. */
export function textureRows(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / ROW_BYTES));
}

/** Bytes of those rows. */
export function textureBytes(bytes: number): number {
  return textureRows(bytes) * ROW_BYTES;
}

/** What to do about too little memory where results take most of it. */
export const ADVICE = "Use a smaller batch or a narrower network";

/** Allocates and frees, and keeps count. */
export class Memory {
  #live = new Set<Buffer | Texture>();
  #bytes = 0;

  /** Counts what is allocated on a device through it. */
  constructor(private readonly device: GPUDevice, private readonly errors: DeviceErrors) {}

  /** Number of live buffers and textures. */
  get count(): number {
    return this.#live.size;
  }

  /** Bytes that they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the largest live buffer. */
  get largestBuffer(): number {
    return Math.max(0, ...[...this.#live].map((r) => "view" in r ? 0 : r.bytes));
  }

  /** Whether it was allocated here and not freed yet. */
  holds(resource: Buffer | Texture): boolean {
    return this.#live.has(resource);
  }

  /**
   * Refuses a buffer that is larger than the device allows.
   *
   * @param advice what to change
   * @throws {OutOfMemoryError} naming the bytes, what they are for, and the limit.
   */
  requireSize(bytes: number, label: string, advice: string = ADVICE): void {
    const most = this.device.limits.maxBufferSize;
    if (bytes <= most) return;
    throw new OutOfMemoryError(
      `Cannot allocate ${bytes} bytes for ${label}: the device's maxBufferSize is ${most}. ` +
        advice,
    );
  }

  /**
   * A zeroed storage buffer. When the driver has no memory left, the next run or read throws that.
   *
   * @param advice what to change if there is no room
   * @throws {OutOfMemoryError} when it is larger than the device's `maxBufferSize`.
   */
  buffer(bytes: number, label: string, advice: string = ADVICE): Buffer {
    const size = Math.max(ALIGNMENT, roundUp(bytes, ALIGNMENT));
    this.requireSize(size, label, advice);
    const raw = this.#allocate(size, label, advice, () =>
      this.device.createBuffer({
        label,
        size,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_SRC |
          GPUBufferUsage.COPY_DST,
      }));
    return this.#keep({ raw, bytes: size, version: 0 });
  }

  /** A storage texture of `rows` rows. COPY_DST is always there: without it some drivers' timestamps are wrong. */
  texture(rows: number, label: string): Texture {
    const bytes = rows * ROW_BYTES;
    const raw = this.#allocate(bytes, label, ADVICE, () =>
      this.device.createTexture({
        label,
        size: [TEXTURE_WIDTH, rows],
        format: "rgba32float",
        usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
      }));
    return this.#keep({ raw, view: raw.createView(), bytes });
  }

  /** Frees at once; waiting for the garbage collector lets memory grow without bound. */
  free(resource: Buffer | Texture): void {
    if (!this.#live.delete(resource)) return;
    this.#bytes -= resource.bytes;
    resource.raw.destroy();
  }

  /** Frees everything. */
  freeAll(): void {
    for (const resource of [...this.#live]) this.free(resource);
  }

  #allocate<T>(bytes: number, label: string, advice: string, make: () => T): T {
    const used = this.#bytes;
    return this.errors.scope("out-of-memory", make, ({ message }) =>
      new OutOfMemoryError(
        `Cannot allocate ${bytes} bytes for ${label} beside the ${used} in use: ${message}. ` +
          advice,
      ));
  }

  #keep<T extends Buffer | Texture>(resource: T): T {
    this.#live.add(resource);
    this.#bytes += resource.bytes;
    return resource;
  }
}

/** Encodes a copy of a buffer view, whole, to another or into a texture. */
export function encodeCopy(
  encoder: GPUCommandEncoder,
  { buffer: { raw }, offset, bytes }: BufferView,
  to: BufferView | Texture,
): void {
  if (!("view" in to)) {
    encoder.copyBufferToBuffer(raw, offset, to.buffer.raw, to.offset, bytes);
    return;
  }
  const texels = Math.ceil(bytes / TEXEL_BYTES);
  const rows = Math.floor(texels / TEXTURE_WIDTH);
  const copy = (row: number, width: number, height: number) => {
    if (width === 0 || height === 0) return;
    encoder.copyBufferToTexture(
      { buffer: raw, offset: offset + row * ROW_BYTES, bytesPerRow: ROW_BYTES },
      { texture: to.raw, origin: [0, row] },
      [width, height],
    );
  };
  copy(0, TEXTURE_WIDTH, rows);
  copy(rows, texels % TEXTURE_WIDTH, 1); // what the last row holds
}
