/**
 * A browser's folder as a type, so that it exists where the DOM's types do not: what this library
 * uses of the File System standard (https://fs.spec.whatwg.org).
 *
 * @module
 */

/** A change of a file: of its bytes from a position on, or of its size. */
export type FileChange =
  | { readonly type: "write"; readonly position: number; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly type: "truncate"; readonly size: number };

/** What is used of a `FileSystemFileHandle`. */
export interface FileHandle {
  /** Distinguishes it from a folder. */
  readonly kind: "file";
  /** Without its folder. */
  readonly name: string;
  /** What it holds now. */
  getFile(): Promise<Blob & { readonly lastModified: number }>;
  /** Writes changes to a copy, which replaces the file when the stream is closed. */
  createWritable(options?: { readonly keepExistingData?: boolean }): Promise<{
    write(data: FileChange | Blob): Promise<void>;
    close(): Promise<void>;
  }>;
}

/** What is used of a `FileSystemDirectoryHandle`: a folder that a browser gave. */
export interface FolderHandle {
  /** Distinguishes it from a file. */
  readonly kind: "directory";
  /** Without the folder above it; empty for the root of the origin's private file system. */
  readonly name: string;
  /** A folder in it. */
  getDirectoryHandle(name: string, options?: { readonly create?: boolean }): Promise<FolderHandle>;
  /** A file in it. */
  getFileHandle(name: string, options?: { readonly create?: boolean }): Promise<FileHandle>;
  /** Removes a file, or a folder that is empty. */
  removeEntry(name: string): Promise<void>;
  /** What is in it. */
  values(): AsyncIterable<FolderHandle | FileHandle>;
  /** Whether both are the same folder. */
  isSameEntry(other: FolderHandle): Promise<boolean>;
}
