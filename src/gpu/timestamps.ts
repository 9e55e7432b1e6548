/** Two timestamps for each dispatch of a profiled run. */

import { GPUBufferUsage, GPUMapMode } from "./flags.ts";

/** Queries and the buffers through which they are read. */
export class Timestamps {
  readonly #count: number;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  /** Room for a number of dispatches. */
  constructor(device: GPUDevice, dispatches: number) {
    const count = this.#count = 2 * dispatches;
    const buffer = (usage: number) => device.createBuffer({ size: 8 * count, usage });
    this.#queries = device.createQuerySet({ type: "timestamp", count });
    this.#resolved = buffer(GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
    this.#staging = buffer(GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
  }

  /** Where the pass of dispatch `i` writes its begin and end. */
  writes(i: number): GPUComputePassTimestampWrites {
    return {
      querySet: this.#queries,
      beginningOfPassWriteIndex: 2 * i,
      endOfPassWriteIndex: 2 * i + 1,
    };
  }

  /** Encodes what makes the timestamps readable, after all passes. */
  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, this.#count, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 8 * this.#count);
  }

  /** All timestamps in milliseconds: begin and end of each dispatch. */
  async read(): Promise<number[]> {
    await this.#staging.mapAsync(GPUMapMode.READ);
    const times = new BigUint64Array(this.#staging.getMappedRange());
    // Relative to the first: nanoseconds since some epoch are more than a float64 holds exactly.
    return [...times].map((time) => Number(time - times[0]) / 1e6);
  }

  /** Frees everything. */
  [Symbol.dispose](): void {
    for (const resource of [this.#staging, this.#resolved, this.#queries]) resource.destroy();
  }
}
