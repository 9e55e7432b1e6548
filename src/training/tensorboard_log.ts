/**
 * Event files that TensorBoard shows.
 *
 * A file is a row of records (TFRecord: length, its checksum, bytes, their checksum), each an `Event`
 * message of TensorFlow's `event.proto`.
 */

import { encodeEvent, type EventBody } from "../formats/tfevent.ts";
import { encodeRecord } from "../formats/tfrecord.ts";
import { EntryLog } from "./entry_log.ts";

/** Writes one event file. */
export class TensorBoardLog extends EntryLog {
  /**
   * Begins a new file in a folder, which is made when it is missing. Files of earlier processes are
   * never written to: TensorBoard may have read them.
   *
   * @param options.afterStep the step that a resumed run goes on from: TensorBoard drops what earlier
   *   files say of later steps. Default 0, a new run: earlier event files of ours are removed.
   * @throws {Error} when the file cannot be written, naming the path, the reason and a way out.
   */
  static async open(folder: string, { afterStep = 0 } = {}): Promise<TensorBoardLog> {
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

  /** Logs numbers of a step. Those that are not finite stay as they are: TensorBoard marks them. */
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

  /** Does not wait for the disk: only the metrics log must be whole when a run is resumed. */
  override flush(): Promise<void> {
    return this.file.flush();
  }
}
