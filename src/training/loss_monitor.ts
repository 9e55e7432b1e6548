/**
 * Warnings about the losses of a run.
 *
 * @module
 */

import { Balance } from "./balance.ts";

/** Warns when one network overpowers the other, and once when numbers are not finite. */
export class LossMonitor {
  readonly #balance = new Balance();
  #diverged = false;

  constructor(private readonly warn: (text: string) => void) {}

  /** Whether numbers were not finite. */
  get diverged(): boolean {
    return this.#diverged;
  }

  /** Takes the losses of a step. */
  add(step: number, generatorLoss: number, discriminatorLoss: number): void {
    if (!Number.isFinite(generatorLoss + discriminatorLoss)) {
      return this.diverge("the losses are no longer finite", step);
    }
    const warning = this.#balance.add(step, generatorLoss, discriminatorLoss);
    if (warning) this.warn(warning);
  }

  /** Warns that something is not finite. */
  diverge(what: string, step: number): void {
    if (!this.#diverged) this.warn(`${what} at step ${step}: try a lower learning rate`);
    this.#diverged = true;
  }
}
