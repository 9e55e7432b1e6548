/**
 * The worker's GPU, and another one in its place whenever the browser takes it away.
 *
 * @module
 */

import { DeviceLostError, Gpu } from "../mod.ts";

/** How often a GPU is replaced within so many milliseconds. */
const MOST_LOSSES = 3;
const WITHIN = 10 * 60_000;

/** Requests of a new GPU, and milliseconds between two: a driver takes a while to restart. */
const TRIES = 5;
const PAUSE = 1000;

const RELOAD = "Reload the page to go on: your run is kept";

/** A GPU that may be lost. */
export class Device {
  #losses: number[] = [];
  #replacement: Promise<void> | undefined;

  private constructor(private gpu: Gpu) {}

  /** @throws {AdapterError} when the browser finds no GPU. */
  static async request(): Promise<Device> {
    return new Device(await Gpu.request());
  }

  /** Its name for people. */
  get name(): string {
    const { vendor, architecture, description } = this.gpu.info;
    return description || `${vendor} ${architecture}`.trim() || "unknown";
  }

  /**
   * Does something on the GPU. If it is lost meanwhile, the same is done on another one, which all who
   * wait share.
   *
   * @throws {DeviceLostError} with a sentence for people, when GPUs are lost too often.
   */
  async use<T>(body: (gpu: Gpu) => Promise<T>): Promise<T> {
    for (;;) {
      const { gpu } = this;
      try {
        return await body(gpu);
      } catch (thrown) {
        const error = await gpu.context.errors.explain(thrown);
        if (gpu !== this.gpu) continue; // It was replaced, so all that was begun on it failed.
        if (!(error instanceof DeviceLostError)) throw error;
        await (this.#replacement ??= this.#replace().finally(() => this.#replacement = undefined));
      }
    }
  }

  async #replace(): Promise<void> {
    const now = performance.now();
    this.#losses = this.#losses.filter((time) => now - time < WITHIN);
    const { length } = this.#losses;
    if (length === MOST_LOSSES) {
      throw new DeviceLostError(`The browser took the GPU away ${length + 1} times. ${RELOAD}`);
    }
    this.#losses.push(now);
    for (let tries = 1;; tries++) {
      try {
        const gpu = await Gpu.request();
        this.gpu[Symbol.dispose]();
        this.gpu = gpu;
        return;
      } catch (cause) {
        if (tries < TRIES) await new Promise((resolve) => setTimeout(resolve, PAUSE));
        else {
          throw new DeviceLostError(
            `The browser took the GPU away, and has no other at present. ${RELOAD}`,
            { cause },
          );
        }
      }
    }
  }
}
