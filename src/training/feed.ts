/** Brings the images of a batch to where a step finds them. */

import { type Dataset, imagesAt, isStreamed, type StreamedDataset } from "../data/dataset.ts";
import { DataError } from "../errors.ts";
import type { Gpu } from "../graph/gpu.ts";
import type { Variable } from "../graph/variable.ts";

/** A batch that is read while the one before it is trained. */
interface Ahead {
  readonly batch: Uint32Array;
  readonly images: Promise<Uint8Array>;
}

/**
 * The device holds all images of a data set in memory, and a step finds those of its batch by their
 * places. Of a data set that is streamed, the device holds one batch at a time.
 */
export class Feed {
  /** Bytes [count or batch size, height, width, channels]. */
  readonly images: Variable<"u8">;
  /** [count or batch size], if the networks are conditional. */
  readonly labels?: Variable<"u32">;
  readonly #labels?: Uint8Array;
  readonly #streamed?: StreamedDataset;
  #ahead?: Ahead;

  /** @param labels for conditional networks */
  constructor(
    private readonly gpu: Gpu,
    dataset: Dataset | StreamedDataset,
    batchSize: number,
    labels?: Uint8Array,
  ) {
    const { count, height, width, channels } = dataset;
    this.#labels = labels;
    if (isStreamed(dataset)) this.#streamed = dataset;
    const rows = this.#streamed ? Math.min(batchSize, count) : count;
    const shape = [rows, height, width, channels];
    const options = { name: "images", dtype: "u8", trainable: false } as const;
    const images = isStreamed(dataset)
      ? new Uint8Array(shape.reduce((a, b) => a * b))
      : dataset.images;
    this.images = gpu.variable(shape, images, options);
    if (!labels) return;
    try {
      const words = { name: "labels", dtype: "u32", trainable: false } as const;
      this.labels = gpu.variable([rows], labels.subarray(0, rows), words);
    } catch (error) {
      this.images.dispose();
      throw error;
    }
  }

  /**
   * Brings a batch to the device, after all steps enqueued so far.
   *
   * @param batch its places in the data set
   * @param next of the batch after it, which is read from now on
   * @returns the places where a step finds it
   * @throws {DataError} when its images cannot be read. Another call tries again.
   */
  async load(batch: Uint32Array, next?: Uint32Array): Promise<Uint32Array> {
    if (!this.#streamed) return batch;
    const images = await this.#read(batch);
    if (next) this.#readAhead(next);
    this.#write(this.images, images);
    const labels = this.#labels;
    if (this.labels && labels) this.#write(this.labels, Uint32Array.from(batch, (i) => labels[i]));
    return Uint32Array.from(batch, (_, i) => i);
  }

  async #read(batch: Uint32Array): Promise<Uint8Array> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const isAhead = ahead?.batch.length === batch.length &&
      ahead.batch.every((at, i) => at === batch[i]);
    try {
      return await (isAhead ? ahead.images : imagesAt(this.#streamed!, batch));
    } catch (cause) {
      if (cause instanceof DataError) throw cause;
      const { message } = cause as Error;
      throw new DataError(`Cannot read ${batch.length} images of the data set: ${message}`, {
        cause,
      });
    }
  }

  #readAhead(batch: Uint32Array): void {
    const images = imagesAt(this.#streamed!, batch);
    images.catch(() => {}); // The load of this batch throws the error.
    this.#ahead = { batch, images };
  }

  /** Overwrites the first rows. */
  #write({ view }: Variable, rows: Uint8Array | Uint32Array): void {
    this.gpu.context.write(view, rows as Uint8Array<ArrayBuffer>);
  }

  dispose(): void {
    this.images.dispose();
    this.labels?.dispose();
  }
}
