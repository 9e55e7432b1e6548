/** One thing at a time: calls that must not overlap, and what may follow an error. */

import { DeviceLostError, GpuValidationError } from "../errors.ts";
import type { Gpu } from "../graph/gpu.ts";

/** Gives the calls of a trainer their turns. */
export class Turns {
  /** The call under way. */
  #busy: string | undefined;
  /** The error after which it is unknown what state the trainer is in. */
  #broken: Error | undefined;
  #over = false;

  /**
   * @param isOpen whether an error now leaves a state that is unknown: steps are counted that may not
   *   have been trained
   */
  constructor(private readonly gpu: Gpu, private readonly isOpen: () => boolean) {}

  /** Ends all turns. */
  end(): void {
    this.#over = true;
  }

  /** @throws {TypeError} when they have ended. */
  requireUsable(cause?: unknown): void {
    if (this.#over) throw new TypeError("The trainer was disposed", { cause });
  }

  /**
   * Takes a turn.
   *
   * @param what for messages: "a step"
   * @param repairs whether it makes the state known again
   * @throws {Error} when another one is under way, or after an error that only a restore repairs.
   */
  async take<T>(
    what: string,
    body: () => Promise<T>,
    { repairs = false }: { readonly repairs?: boolean } = {},
  ): Promise<T> {
    this.requireUsable();
    if (this.#busy) {
      throw new Error(`Cannot begin ${what} while ${this.#busy} is under way: await it first`);
    }
    if (this.#broken instanceof DeviceLostError) throw this.#broken;
    if (this.#broken && !repairs) {
      throw new Error(
        `Cannot begin ${what}: the steps before may not have been trained ` +
          `(${this.#broken.message}). Restore a snapshot or checkpoint first`,
        { cause: this.#broken },
      );
    }
    this.#busy = what;
    try {
      const value = await this.share(body);
      if (repairs) this.#broken = undefined;
      return value;
    } catch (error) {
      if (this.isOpen() && !this.#over) this.#broken = error as Error;
      throw error;
    } finally {
      this.#busy = undefined;
    }
  }

  /** Runs beside whatever is under way. The error says why it failed: disposed, or the device lost. */
  async share<T>(body: () => Promise<T>): Promise<T> {
    this.requireUsable();
    try {
      return await body();
    } catch (error) {
      this.requireUsable(error);
      const { errors } = this.gpu.context;
      throw error instanceof GpuValidationError ? await errors.explain(error) : error;
    }
  }
}
