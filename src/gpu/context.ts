/** A device and what this library keeps for it: memory, pipelines, errors. */

import { GpuValidationError } from "../errors.ts";
import { type AdapterInfo, describe } from "./adapter.ts";
import { DeviceErrors } from "./errors.ts";
import { GPUBufferUsage, GPUMapMode } from "./flags.ts";
import { type BufferView, encodeCopy, Memory } from "./memory.ts";
import { Pipelines } from "./pipelines.ts";

/** The device of a `Gpu`; other rooms reach it as `gpu.context`. */
export class GpuContext {
  /** What went wrong on the device. */
  readonly errors: DeviceErrors;
  /** Live buffers and textures. */
  readonly memory: Memory;
  /** Pipelines made so far. */
  readonly pipelines: Pipelines;
  #disposed = false;

  /**
   * Wraps a device.
   *
   * @param owned whether disposing destroys it
   */
  constructor(
    readonly device: GPUDevice,
    private readonly owned: boolean,
    /** The adapter's name and kind. */
    readonly info: AdapterInfo = describe(device.adapterInfo),
  ) {
    this.errors = new DeviceErrors(device);
    this.memory = new Memory(device, this.errors);
    this.pipelines = new Pipelines(device);
  }

  /** Writes bytes into a buffer view, in queue order. */
  write(to: BufferView, data: ArrayBufferView<ArrayBuffer>): void {
    let bytes = data;
    if (data.byteLength % 4 !== 0) {
      const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
      padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      bytes = padded;
    }
    to.buffer.version++;
    this.device.queue.writeBuffer(
      to.buffer.raw,
      to.offset,
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
  }

  /** Copies buffer views onto others of their size, in queue order, with one submit. */
  copy(pairs: readonly (readonly [from: BufferView, to: BufferView])[], label: string): void {
    this.errors.named(() => label, () => {
      const encoder = this.device.createCommandEncoder({ label });
      for (const [from, to] of pairs) {
        encodeCopy(encoder, from, to);
        to.buffer.version++;
      }
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /** Reads buffer views in queue order; all of them share one wait. */
  read(views: readonly BufferView[]): Promise<ArrayBuffer[]> {
    return this.errors.settle(() => this.#read(views));
  }

  async #read(views: readonly BufferView[]): Promise<ArrayBuffer[]> {
    const total = views.reduce((sum, view) => sum + view.bytes, 0);
    const staging = this.device.createBuffer({
      label: "read",
      size: Math.max(4, total),
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    try {
      const encoder = this.device.createCommandEncoder({ label: "read" });
      let offset = 0;
      for (const { buffer, offset: from, bytes } of views) {
        encoder.copyBufferToBuffer(buffer.raw, from, staging, offset, bytes);
        offset += bytes;
      }
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ).catch((cause) => {
        throw new GpuValidationError(`Cannot read ${total} bytes back: ${cause}`, { cause });
      });
      const all = staging.getMappedRange();
      offset = 0;
      return views.map(({ bytes }) => all.slice(offset, offset += bytes));
    } finally {
      staging.destroy();
    }
  }

  /** Resolves when everything submitted so far is done. */
  idle(): Promise<void> {
    return this.errors.settle(() => this.device.queue.onSubmittedWorkDone());
  }

  /** Frees everything that was allocated through this object, and the device if it is ours. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.errors[Symbol.dispose]();
    this.memory.freeAll();
    if (this.owned) this.device.destroy();
  }
}
