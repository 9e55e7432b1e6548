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
  readonly kind: "file";
  readonly name: string;
  getFile(): Promise<Blob & { readonly lastModified: number }>;
  createWritable(options?: { readonly keepExistingData?: boolean }): Promise<{
    write(data: FileChange | Blob): Promise<void>;
    close(): Promise<void>;
  }>;
}

/** What is used of a `FileSystemDirectoryHandle`: a folder that a browser gave. */
export interface FolderHandle {
  readonly kind: "directory";
  readonly name: string;
  getDirectoryHandle(name: string, options?: { readonly create?: boolean }): Promise<FolderHandle>;
  getFileHandle(name: string, options?: { readonly create?: boolean }): Promise<FileHandle>;
  removeEntry(name: string): Promise<void>;
  values(): AsyncIterable<FolderHandle | FileHandle>;
  isSameEntry(other: FolderHandle): Promise<boolean>;
}
