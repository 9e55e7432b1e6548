/** Files that grow while a run lasts. */

import { concat } from "../formats/bytes.ts";
import { cannotWrite, isStillAt } from "./atomic.ts";
import { ifThere, requireFile } from "./kind.ts";
import { refusal, type SystemFile } from "./file_system.ts";
import { system } from "./system.ts";

/** Most bytes held in memory while a file cannot be written; then the oldest entries are dropped. */
const HELD_BYTES = 2 ** 24;

/**
 * A file that grows by whole entries. They wait in memory until a flush; what one flush cannot write,
 * the next one does. What cannot be opened or written throws as `writeFileAtomic` does.
 */
export class AppendFile {
  #held: Uint8Array[] = [];
  #writing: Promise<void> = Promise.resolve();
  #closed = false;
  /** Whether the file may have bytes after `length`. */
  #torn = false;
  /** Entries that were dropped because the file could not be written for too long. */
  lost = 0;

  private constructor(
    readonly path: string,
    private readonly file: SystemFile,
    private length: number,
  ) {}

  /** Opens a file and cuts it to a length; without one it must be new. */
  static async open(path: string, length?: number): Promise<AppendFile> {
    let file: SystemFile | undefined;
    try {
      // Opening a pipe waits until someone reads it.
      if (length !== undefined) await ifThere(requireFile(path));
      const kind = length === undefined ? { createNew: true } : { create: true };
      file = await system.open(path, { write: true, ...kind });
      const opened = new AppendFile(path, file, length ?? 0);
      if (length !== undefined) await opened.#cut();
      return opened;
    } catch (cause) {
      file?.close();
      throw cannotWrite(path, cause);
    }
  }

  /** Adds an entry, which the next flush writes. @throws {Error} when it is closed */
  add(entry: Uint8Array): void {
    if (this.#closed) throw new Error(`Cannot log to ${this.path}: it is closed`);
    this.#held.push(entry);
  }

  /** Appends what was added, all or nothing; `sync` waits until it is on the disk. */
  flush({ sync = false }: { readonly sync?: boolean } = {}): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const turn = this.#writing.then(() => this.#write(sync));
    this.#writing = turn.catch(() => {}); // A later flush tries again.
    return turn;
  }

  async #write(sync: boolean): Promise<void> {
    let entries = this.#held;
    this.#held = [];
    try {
      if (entries.length) await this.#append(entries);
      entries = [];
      if (sync) await this.file.sync();
    } catch (cause) {
      // Readers would stop at half an entry.
      if (this.#torn) await this.#cut().catch(() => {});
      this.#hold([...entries, ...this.#held]);
      throw cannotWrite(this.path, cause);
    }
  }

  async #append(entries: readonly Uint8Array[]): Promise<void> {
    // Writing to a file that was removed succeeds, and the bytes are lost.
    if (!await isStillAt(this.path, this.file)) {
      throw refusal("NotFound", "ENOENT", "it was removed during the run");
    }
    if (this.#torn) await this.#cut();
    const bytes = concat(entries);
    this.#torn = true;
    for (let at = 0; at < bytes.length;) at += await this.file.write(bytes.subarray(at));
    this.#torn = false;
    this.length += bytes.length;
  }

  async #cut(): Promise<void> {
    await this.file.truncate(this.length);
    await this.file.seek(this.length, 0);
    this.#torn = false;
  }

  /** Holds entries for the next flush, without the oldest ones if they are too many. */
  #hold(entries: Uint8Array[]): void {
    let bytes = entries.reduce((sum, { length }) => sum + length, 0);
    let count = 0;
    while (bytes > HELD_BYTES) bytes -= entries[count++].length;
    this.#held = entries.slice(count);
    this.lost += count;
  }

  /** Writes the rest, waits until it is on the disk, and closes the file, whatever happens. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const last = this.flush({ sync: true });
    this.#closed = true;
    try {
      await last;
    } finally {
      this.file.close();
    }
  }
}
