/** How often a run reads its losses. */

/**
 * How many steps are enqueued before their losses are read: about twice a second, since a read waits
 * 10 ms however little it reads. This also limits how far the device's queue runs ahead of the host.
 */
export class ReadInterval {
  #steps = 1;
  #since = performance.now();

  get steps(): number {
    return this.#steps;
  }

  /** Call this after each read: it adapts the interval to the time that has passed. */
  adapt(): void {
    const milliseconds = performance.now() - this.#since;
    // A person waits for the first step. From then on no step waits for its own losses alone.
    if (milliseconds < 300 || this.#steps === 1) this.#steps = Math.min(64, this.#steps * 2);
    if (milliseconds > 1200) this.#steps = Math.max(2, this.#steps >> 1);
    this.#since = performance.now();
  }
}
