/** What this library needs of a file system, and the errors of one. */

/** An open file. */
export interface SystemFile extends Disposable {
  /** Reads on into `to`; gives how many bytes, null at the end. */
  read(to: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes at the file's position; gives how many. */
  write(bytes: Uint8Array): Promise<number>;
  truncate(length?: number): Promise<void>;
  /** Moves the position to an offset from the start (0). */
  seek(offset: number, whence: 0): Promise<number>;
  /** Waits until what was written is on the disk. */
  sync(): Promise<void>;
  stat(): Promise<FileInfo>;
  /** Takes the file for this process alone, until it is closed; gives whether that worked. */
  tryLock(exclusive: boolean): Promise<boolean>;
  close(): void;
}

/** What is at a path. */
export interface FileInfo {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
  /** Bytes. */
  readonly size: number;
  /** When it was last changed. */
  readonly mtime: Date | null;
  /** The same number as long as it is the same file; null where files have none. */
  readonly ino: number | null;
}

/** Something in a folder. */
export type Entry =
  & Pick<FileInfo, "isFile" | "isDirectory" | "isSymlink">
  & { readonly name: string };

/** How a file is opened; without `write` to read. */
export interface OpenOptions {
  readonly read?: boolean;
  readonly write?: boolean;
  /** Makes the file if it does not exist. */
  readonly create?: boolean;
  /** Makes the file, which must not be there. */
  readonly createNew?: boolean;
}

/**
 * Files and folders by path. Errors have Deno's names where a caller asks for one (`NotFound`,
 * `NotADirectory`, `FilesystemLoop`), and the system's `code` (`ENOSPC`).
 */
export interface FileSystem {
  open(path: string, options?: OpenOptions): Promise<SystemFile>;
  /** Also of a file of the disk by its URL. */
  readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  stat(path: string): Promise<FileInfo>;
  /** As `stat`, but of a link itself. */
  lstat(path: string): Promise<FileInfo>;
  mkdir(path: string, options: { readonly recursive: true }): Promise<void>;
  readDir(path: string): AsyncIterable<Entry>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** What a system refuses, as Deno would throw it. */
export function refusal(name: string, code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { name, code });
}

/** Whether an error is the operating system's, such as that a disk is full. */
export function isOfSystem(error: Error): boolean {
  // Deno has classes for some of the system's errors, and codes for others; Node has codes.
  return "code" in error || ("Deno" in globalThis && Object.hasOwn(Deno.errors, error.name));
}

/** Whether a system refused something for this reason, by Deno's name of it. */
export function isReason(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}
