/**
 * A WebGPU device, its limits, its memory and its errors.
 *
 * @module
 */

import { AdapterError, DeviceLostError, GpuValidationError, OutOfMemoryError } from "../errors.ts";
import { type BufferView, Memory } from "./memory.ts";
import { Pipelines } from "./pipelines.ts";

/** A WebGPU device, under the name by which the other rooms know it. */
export type Device = GPUDevice;

/** What kind of adapter a device runs on; it decides which kernel variants are the default. */
export type AdapterKind = "software" | "gpu";

/** The name and kind of an adapter. */
export interface AdapterInfo {
  /** As WebGPU reports it; may be empty. */
  readonly vendor: string;
  /** As WebGPU reports it; may be empty. */
  readonly architecture: string;
  /** As WebGPU reports it; may be empty. */
  readonly device: string;
  /** The driver's own name of the adapter; may be empty. */
  readonly description: string;
  /** Whether it computes on the CPU. */
  readonly kind: AdapterKind;
}

/** Limits that are raised to what the adapter has; the defaults are low. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxTextureDimension2D",
] as const;

/** Options of {@linkcode requestDevice}. */
export interface RequestOptions {
  /** Which adapter, where a machine has two. */
  readonly powerPreference?: "low-power" | "high-performance";
}

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render|warp/i;

/** An adapter's name and kind. */
export function describe(info: GPUAdapterInfo | undefined): AdapterInfo {
  const description = info?.description ?? "";
  const software = info?.isFallbackAdapter || SOFTWARE.test(description);
  return {
    vendor: info?.vendor ?? "",
    architecture: info?.architecture ?? "",
    device: info?.device ?? "",
    description,
    kind: software ? "software" : "gpu",
  };
}

/**
 * Requests an adapter.
 *
 * @throws {AdapterError} when there is none; the message says what to install.
 */
export async function requestAdapter(options: RequestOptions = {}): Promise<GPUAdapter> {
  if (!("gpu" in navigator)) {
    throw new AdapterError("This runtime has no WebGPU. Use Deno 2.8 or later");
  }
  const adapter = await navigator.gpu.requestAdapter({
    powerPreference: options.powerPreference ?? "high-performance",
  });
  if (!adapter) {
    throw new AdapterError(
      "No WebGPU adapter was found. Install a graphics driver, or a software adapter: " +
        "on Debian or Ubuntu `apt-get install mesa-vulkan-drivers`, on Fedora " +
        "`dnf install mesa-vulkan-drivers`, on Arch `pacman -S vulkan-swrast`; " +
        "macOS and Windows bring theirs",
    );
  }
  return adapter;
}

/**
 * Requests an adapter and a device with the adapter's limits.
 *
 * @throws {AdapterError} when there is none; the message says what to install.
 */
export async function requestDevice(
  options: RequestOptions = {},
): Promise<{ device: GPUDevice; info: AdapterInfo }> {
  const adapter = await requestAdapter(options);
  const requiredLimits: Record<string, number> = {};
  for (const limit of RAISED_LIMITS) requiredLimits[limit] = adapter.limits[limit];
  const requiredFeatures: GPUFeatureName[] = adapter.features.has("timestamp-query")
    ? ["timestamp-query"]
    : [];
  const device = await adapter.requestDevice({
    label: "@dcgan/webgpu",
    requiredLimits,
    requiredFeatures,
  }).catch((cause) => {
    throw new AdapterError(
      `The adapter ${
        adapter.info?.description ?? ""
      } gave no device: ${cause.message}. Close other ` +
        "programs that use it, or restart its driver",
      { cause },
    );
  });
  return { device, info: describe(adapter.info) };
}

/** How long a device may take to say that it is lost after commands have failed by that. */
const LOST_MILLISECONDS = 100;

type Hearer = (lost: GPUDeviceLostInfo) => void;

/** Who is told when a device is lost; nobody any more once it is. */
const hearers = new WeakMap<GPUDevice, Set<Hearer>>();

/**
 * Calls `hear` when the device is lost. A promise keeps its reactions for as long as it is pending, and
 * a device is pending for good: so it has a single one, and whoever stops listening is gone.
 *
 * @returns stops listening
 */
function onLost(device: GPUDevice, hear: Hearer): () => void {
  let all = hearers.get(device);
  if (!all) {
    const told = all = new Set<Hearer>();
    hearers.set(device, told);
    device.lost.then((lost) => {
      hearers.delete(device);
      for (const hear of told) hear(lost);
    });
  }
  all.add(hear);
  return () => all.delete(hear);
}

/** A device with what this library keeps beside it. Base of the public `Gpu`. */
export class GpuDevice {
  /** Live buffers and textures. */
  readonly memory: Memory;
  /** Pipelines made so far. */
  readonly pipelines: Pipelines;
  /** The adapter's name and kind. */
  readonly info: AdapterInfo;
  /** Errors that the device reported so far. */
  failures = 0;
  /** The one that nobody was told of yet. */
  #error: Error | undefined;
  /** The last one, whether it was told or not. */
  #latest: Error | undefined;
  /** Answers of the device that are not there yet. */
  readonly #asked = new Set<Promise<void>>();
  #disposed = false;
  readonly #onError = (event: Event) => {
    const { error } = event as GPUUncapturedErrorEvent;
    const Class = error instanceof GPUOutOfMemoryError ? OutOfMemoryError : GpuValidationError;
    this.#report(new Class(error.message));
  };
  readonly #stopHearing: () => void;

  /** Wraps a device. `owned` says whether disposing destroys it. */
  constructor(readonly device: GPUDevice, info?: AdapterInfo, private readonly owned = true) {
    this.info = info ?? describe(device.adapterInfo);
    this.memory = new Memory(device, (scope, body, onError) => this.#ask(scope, body, onError));
    this.pipelines = new Pipelines(device);
    device.addEventListener("uncapturederror", this.#onError);
    this.#stopHearing = onLost(device, (lost) => {
      this.#error = new DeviceLostError(
        `The device was lost (${lost.reason || "unknown reason"}): ${lost.message}. ` +
          "Request a new one and restore the last checkpoint",
      );
    });
  }

  /** "software" where the adapter computes on the CPU, else "gpu". */
  get kind(): AdapterKind {
    return this.info.kind;
  }

  /**
   * Throws what went wrong since the last call, if anything did.
   *
   * @throws {GpuValidationError | OutOfMemoryError | DeviceLostError}
   */
  check(): void {
    if (this.#disposed) {
      throw new DeviceLostError("This Gpu was disposed. Request a new one with Gpu.request()");
    }
    const error = this.#error;
    if (!error) return;
    if (!(error instanceof DeviceLostError)) this.#error = undefined;
    throw error;
  }

  /**
   * Throws what went wrong since there were so many `failures`, whether somebody was told of it or not:
   * for those whose own work it may have been.
   *
   * @throws {GpuValidationError | OutOfMemoryError | DeviceLostError}
   */
  checkSince(failures: number): void {
    this.check();
    if (this.failures !== failures) throw this.#latest;
  }

  /**
   * Does what the device may refuse. It refuses later, and speaks of buffers and layouts: the error
   * begins with what was done.
   *
   * @param what found out only if it is refused
   * @param onRefused hears of the error before anyone else
   */
  named<T>(
    what: () => string | Promise<string>,
    body: () => T,
    onRefused?: (error: Error) => void,
  ): T {
    return this.#ask("validation", body, async ({ message }) => {
      const error = new GpuValidationError(`${await what()}: ${message}`);
      onRefused?.(error);
      return error;
    });
  }

  #report(error: Error): void {
    this.failures++;
    this.#latest = error;
    this.#error ??= error;
  }

  /** Does something in an error scope. What it catches becomes an error, if `onError` says which. */
  #ask<T>(
    scope: GPUErrorFilter,
    body: () => T,
    onError: (error: GPUError) => Error | Promise<Error>,
  ): T {
    this.device.pushErrorScope(scope);
    try {
      return body();
    } finally {
      const answer = this.device.popErrorScope().then(async (error) => {
        if (error && !this.#disposed) this.#report(await onError(error));
      }).catch(() => {}) // A device that is lost, which is said elsewhere.
        .finally(() => this.#asked.delete(answer));
      this.#asked.add(answer);
    }
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
    this.named(() => label, () => {
      const encoder = this.device.createCommandEncoder({ label });
      for (const [from, to] of pairs) {
        encoder.copyBufferToBuffer(
          from.buffer.raw,
          from.offset,
          to.buffer.raw,
          to.offset,
          from.bytes,
        );
        to.buffer.version++;
      }
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /**
   * What stands behind an error: a device that is lost makes commands fail before it says that it is
   * lost.
   */
  async explain(error: unknown): Promise<unknown> {
    if (error instanceof DeviceLostError) return error;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stop: () => void;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOST_MILLISECONDS);
      stop = onLost(this.device, () => resolve());
    });
    clearTimeout(timer);
    stop!();
    return this.#error instanceof DeviceLostError ? this.#error : error;
  }

  /** Reads buffer views in queue order; all of them share one wait. */
  async read(views: readonly BufferView[]): Promise<ArrayBuffer[]> {
    try {
      return await this.#read(views);
    } catch (error) {
      throw await this.explain(error);
    }
  }

  async #read(views: readonly BufferView[]): Promise<ArrayBuffer[]> {
    this.check();
    const { failures } = this;
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
      try {
        await staging.mapAsync(GPUMapMode.READ);
      } catch (cause) {
        await this.#answered();
        this.checkSince(failures);
        throw new GpuValidationError(`Cannot read ${total} bytes back: ${cause}`, { cause });
      }
      await this.#answered();
      // What was refused meanwhile may have been what this waited for.
      this.checkSince(failures);
      const all = staging.getMappedRange();
      offset = 0;
      return views.map(({ bytes }) => all.slice(offset, offset += bytes));
    } finally {
      staging.destroy();
    }
  }

  /** Resolves when everything submitted so far is done. */
  async idle(): Promise<void> {
    try {
      this.check();
      const { failures } = this;
      await this.device.queue.onSubmittedWorkDone();
      await this.#answered();
      this.checkSince(failures);
    } catch (error) {
      throw await this.explain(error);
    }
  }

  /** Resolves when the device has said of everything up to here whether it refuses it. */
  async #answered(): Promise<void> {
    await Promise.all(this.#asked);
  }

  /** Frees everything that was allocated through this object, and the device if it is ours. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#stopHearing();
    this.device.removeEventListener("uncapturederror", this.#onError);
    this.memory.freeAll();
    if (this.owned) this.device.destroy();
  }
}
