/** What the logs of a run have in common. */

/** A file that grows by whole entries; see `AppendFile`. */
export interface EntryFile {
  readonly path: string;
  readonly lost: number;
  /** @throws {Error} when it is closed. */
  add(entry: Uint8Array): void;
  flush(options?: { readonly sync?: boolean }): Promise<void>;
  close(): Promise<void>;
}

/**
 * A log in one file. Entries are held back until {@linkcode EntryLog.flush}, and what a flush could
 * not write, the next one does. While none succeeds, 16 MiB are held; beyond, the oldest entries are
 * lost.
 */
export class EntryLog implements AsyncDisposable {
  constructor(protected readonly file: EntryFile) {}

  get path(): string {
    return this.file.path;
  }

  /** Entries that could not be written for so long that they were given up. */
  get lost(): number {
    return this.file.lost;
  }

  /**
   * Appends what was logged to the file; `sync` waits until it is on the disk.
   *
   * @throws {Error} when it cannot be written; the file then ends with a whole entry, as before.
   */
  flush(options?: { readonly sync?: boolean }): Promise<void> {
    return this.file.flush(options);
  }

  /** Writes the rest, waits until it is on the disk, and closes the file. */
  close(): Promise<void> {
    return this.file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
