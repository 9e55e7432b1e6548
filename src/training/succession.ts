/**
 * Work on a device that may be lost, and the next device in its place.
 *
 * @module
 */

import { DeviceLostError, GpuValidationError } from "../errors.ts";
import type { DeviceErrors } from "../gpu/errors.ts";

/** Whose work it is. */
export interface Heir {
  /** Where it works now. */
  readonly device: () => DeviceErrors;
  /** Whether a call is under way that only one may make at a time, such as training. */
  readonly isBusy: () => boolean;
  /** @throws when nothing may be done any more. */
  readonly requireUsable: (cause?: unknown) => void;
  /** Takes another device and brings it to where the lost one was, or throws. */
  readonly replace: (lost: DeviceLostError) => Promise<void>;
}

/**
 * Does work again on another device when its own is lost meanwhile. However many calls a loss breaks
 * off, the device is replaced once, and by the call that trains if there is one: the steps under way
 * are its own, and have to be given up before they are trained again. Until the new device stands
 * where the old one was, nothing else is begun on it.
 */
export class Succession {
  #replacing: Promise<void> | undefined;
  /** Ends when the device was replaced, or a call that only one may make is over. */
  #turn = Promise.withResolvers<void>();

  constructor(private readonly heir: Heir) {}

  /**
   * Does something, as often as it takes.
   *
   * @param guest whether it may run beside a call that only one may make
   */
  async survive<T>(body: () => Promise<T>, guest = false): Promise<T> {
    const { heir } = this;
    for (;;) {
      await this.#replacing;
      heir.requireUsable();
      const device = heir.device();
      try {
        return await body();
      } catch (failed) {
        heir.requireUsable(failed);
        const error = failed instanceof GpuValidationError ? await device.explain(failed) : failed;
        if (!(error instanceof DeviceLostError)) throw error;
        if (heir.device() !== device || this.#replacing) continue;
        if (guest && heir.isBusy()) {
          await this.#turn.promise;
          continue;
        }
        this.#replacing = heir.replace(error).finally(() => {
          this.#replacing = undefined;
          this.next();
        });
        await this.#replacing;
      }
    }
  }

  /** Says that a call that only one may make is over. */
  next(): void {
    this.#turn.resolve();
    this.#turn = Promise.withResolvers();
  }
}
