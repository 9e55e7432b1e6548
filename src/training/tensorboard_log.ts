/**
 * Event files that TensorBoard shows.
 *
 * A file is a row of records (TFRecord: length, its checksum, bytes, their checksum), each an `Event`
 * message of TensorFlow's `event.proto`.
 *
 * @module
 */

import { encodeEvent, type EventBody } from "../formats/tfevent.ts";
import { encodeRecord } from "../formats/tfrecord.ts";
import type { EntryFile } from "./metrics_log.ts";

/** Options of {@linkcode TensorBoardLog.open}. */
export interface TensorBoardLogOptions {
  /**
   * The step of the checkpoint that a resumed run goes on from: TensorBoard drops what earlier files
   * say of later steps. Default 0, a new run: earlier event files of ours are removed.
   */
  readonly afterStep?: number;
}

/**
 * Writes one event file. Events are held back until {@linkcode TensorBoardLog.flush}, and what a
 * flush could not write, the next one does. While none succeeds, 16 MiB are held; beyond, the oldest
 * events are lost.
 *
 * ```ts
 * import { TensorBoardLog } from "@dcgan/webgpu";
 *
 * await using log = await TensorBoardLog.open("out/tensorboard");
 * log.scalars(1, { "loss/generator": 0.69, "loss/discriminator": 1.39 });
 * ```
 */
export class TensorBoardLog {
  private constructor(private readonly file: EntryFile) {}

  /** The file. */
  get path(): string {
    return this.file.path;
  }

  /** Events that could not be written for so long that they were given up. */
  get lost(): number {
    return this.file.lost;
  }

  /**
   * Begins a new file in a folder, which is made when it is missing. Files of earlier processes are
   * never written to: TensorBoard may have read them.
   *
   * Permissions: read and write for the folder.
   *
   * @throws {Error} when the file cannot be written, naming the path, the reason and a way out.
   */
  static async open(folder: string, options: TensorBoardLogOptions = {}): Promise<TensorBoardLog> {
    const { afterStep = 0 } = options;
    const { openEventFile } = await import("../files/tensorboard.ts");
    const file = await openEventFile(folder, { keep: afterStep > 0 });
    const log = new TensorBoardLog(file);
    log.#add(0, { fileVersion: "brain.Event:2" });
    // TensorBoard keeps what is before the step of this event, so it is the first step to come. The
    // first start of a folder it takes for the run's own and drops nothing, so a new run has one too.
    log.#add(afterStep + 1, { start: true });
    try {
      await log.flush();
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    return log;
  }

  /**
   * Logs numbers of a step, such as `{ "loss/generator": 0.7, "loss/discriminator": 1.4 }`. Not
   * finite ones are kept as they are: TensorBoard marks them.
   */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    const summary = Object.entries(values).map(([tag, scalar]) => ({ tag, scalar }));
    this.#add(step, { summary });
  }

  /**
   * Logs an image of a step.
   *
   * @param png A whole PNG file.
   * @throws {RangeError} when the bytes are not a PNG file.
   */
  image(step: number, tag: string, png: Uint8Array): void {
    this.#add(step, { summary: [{ tag, png }] });
  }

  #add(step: number, body: EventBody): void {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new RangeError(`A step must be a whole number of at least 0, got ${step}`);
    }
    this.file.add(encodeRecord(encodeEvent(Date.now() / 1000, step, body)));
  }

  /** Appends what was logged to the file. */
  flush(): Promise<void> {
    return this.file.flush();
  }

  /** Writes the rest, waits until it is on the disk, and closes the file. */
  close(): Promise<void> {
    return this.file.close();
  }

  /** The same as {@linkcode TensorBoardLog.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
