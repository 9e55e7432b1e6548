/**
 * What the tests use of npm's `tfrecord`. Its own types bring a version of Node's along whose
 * globals are not Deno's.
 */

export class RecordReader {
  static create(path: string): Promise<RecordReader>;
  /** The bytes are good until the next call; null at the end. */
  readRecord(): Promise<Uint8Array | null>;
}
