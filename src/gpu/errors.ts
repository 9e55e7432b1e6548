/**
 * The errors of a device. WebGPU reports them late: a call that the device refuses returns like any
 * other. Each error is kept here, and the next run or read throws it.
 */

import { DeviceLostError, GpuValidationError, OutOfMemoryError } from "../errors.ts";
import { once } from "./once.ts";

/** How long a device may take to report that it is lost, after commands failed because it is. */
const LOST_MILLISECONDS = 100;

/**
 * Whether each device is lost. `device.lost` holds all its reactions for as long as the device lives,
 * so this adds a single one, however many `Gpu`s share the device.
 */
const losses = new WeakMap<GPUDevice, { info?: GPUDeviceLostInfo }>();

function lossOf(device: GPUDevice): { readonly info?: GPUDeviceLostInfo } {
  return once(losses, device, () => {
    const loss: { info?: GPUDeviceLostInfo } = {};
    device.lost.then((info) => void (loss.info = info));
    return loss;
  });
}

/** Keeps the errors of a device until they are thrown. */
export class DeviceErrors {
  /** Number of errors so far; a mark for {@linkcode DeviceErrors.check}. */
  count = 0;
  /** The first error that no caller has received yet. */
  #pending: Error | undefined;
  #latest: Error | undefined;
  /** Error scopes whose answer has not arrived. */
  readonly #scopes = new Set<Promise<void>>();
  readonly #loss: { readonly info?: GPUDeviceLostInfo };
  #disposed = false;
  readonly #onError = (event: Event) => {
    const { error } = event as GPUUncapturedErrorEvent;
    // By its name: where WebGPU comes from a package, the class is no global.
    const outOfMemory = error.constructor.name === "GPUOutOfMemoryError";
    const Class = outOfMemory ? OutOfMemoryError : GpuValidationError;
    this.#keep(new Class(error.message));
  };

  /** Begins to listen. */
  constructor(private readonly device: GPUDevice) {
    this.#loss = lossOf(device);
    device.addEventListener("uncapturederror", this.#onError);
  }

  #keep(error: Error): void {
    this.count++;
    this.#latest = error;
    this.#pending ??= error;
  }

  get #lost(): DeviceLostError | undefined {
    const { info } = this.#loss;
    return info && new DeviceLostError(
      `The device was lost (${info.reason || "unknown reason"}): ${info.message}. ` +
        "Request a new one and restore the last checkpoint",
    );
  }

  /**
   * Throws the error that was kept, once; that the device is lost, always.
   *
   * @param since a former `count`: an error after it is thrown even if another caller got it
   * @throws {GpuValidationError | OutOfMemoryError | DeviceLostError}
   */
  check(since = this.count): void {
    if (this.#disposed) {
      throw new DeviceLostError("This Gpu was disposed. Request a new one with Gpu.request()");
    }
    const error = this.#lost ?? this.#pending ?? (this.count > since ? this.#latest : undefined);
    this.#pending = undefined;
    if (error) throw error;
  }

  /**
   * Runs what the device may refuse in an error scope.
   *
   * @param toError makes the error that is kept
   */
  scope<T>(
    filter: GPUErrorFilter,
    body: () => T,
    toError: (error: GPUError) => Error | Promise<Error>,
  ): T {
    this.device.pushErrorScope(filter);
    try {
      return body();
    } finally {
      const answer = this.device.popErrorScope().then(async (error) => {
        if (error && !this.#disposed) this.#keep(await toError(error));
      }).catch(() => {}) // The device is lost, which `check` reports.
        .finally(() => this.#scopes.delete(answer));
      this.#scopes.add(answer);
    }
  }

  /**
   * Runs what the device may refuse. Its messages speak of buffers and layouts, so the error begins
   * with what was tried.
   *
   * @param what called only when it is refused
   * @param onError receives the error as well
   */
  named<T>(
    what: () => string | Promise<string>,
    body: () => T,
    onError?: (error: Error) => void,
  ): T {
    return this.scope("validation", body, async ({ message }) => {
      const error = new GpuValidationError(`${await what()}: ${message}`);
      onError?.(error);
      return error;
    });
  }

  /**
   * Awaits work of the device, which begins at once, and then every error scope opened so far.
   *
   * @throws the cause of a failure: an error of the device before what the work itself throws, and the
   *   loss of the device before both.
   */
  async settle<T>(work: () => Promise<T>): Promise<T> {
    try {
      this.check();
      const since = this.count;
      const [result] = await Promise.allSettled([work()]);
      await Promise.all(this.#scopes);
      this.check(since);
      if (result.status === "rejected") throw result.reason;
      return result.value;
    } catch (error) {
      throw await this.explain(error);
    }
  }

  /**
   * The cause of an error. A lost device makes commands fail before it reports that it is lost, so
   * this waits a little for that report.
   */
  async explain(error: unknown): Promise<unknown> {
    if (error instanceof DeviceLostError) return error;
    for (let waited = 0; waited < LOST_MILLISECONDS && !this.#lost; waited += 10) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#lost ?? error;
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.device.removeEventListener("uncapturederror", this.#onError);
  }
}
