/**
 * How far the queue of a training runs ahead of its host.
 *
 * @module
 */

/** How often losses are read: about twice a second, since a wait costs 10 ms whatever its size. */
export class Pace {
  #interval = 1;
  #since = performance.now();

  /** Steps to enqueue before the next read. It bounds how far the queue runs ahead, too. */
  get interval(): number {
    return this.#interval;
  }

  /** Says that a read is done. */
  tick(): void {
    const milliseconds = performance.now() - this.#since;
    // After the first step, which a person waits for, no step waits for its own losses.
    if (milliseconds < 300 || this.#interval === 1) {
      this.#interval = Math.min(64, this.#interval * 2);
    }
    if (milliseconds > 1200) this.#interval = Math.max(2, this.#interval >> 1);
    this.#since = performance.now();
  }
}
