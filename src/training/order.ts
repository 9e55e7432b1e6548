/** In which order a run trains the images. */

import { permutation, RandomSequence, STREAM } from "../model/threefry.ts";

/** Every image once an epoch, in an order that depends on the seed and the epoch only. */
export class Order {
  #epoch = 0;
  #indices = new Uint32Array();

  constructor(
    private readonly seed: number,
    private readonly count: number,
    private readonly batchSize: number,
  ) {}

  /**
   * Indices of the images that are trained together; the last batch of an epoch may have fewer.
   *
   * @param at how many images of the epoch come before
   */
  batch(epoch: number, at: number): Uint32Array<ArrayBuffer> {
    if (this.#epoch !== epoch) {
      this.#indices = permutation(this.count, new RandomSequence(this.seed, STREAM.order + epoch));
      this.#epoch = epoch;
    }
    return this.#indices.subarray(at, at + this.batchSize);
  }
}
