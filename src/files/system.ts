/**
 * The file system under the files of a run: Deno's, Node's, or a folder that a browser gave.
 *
 * Deno's own functions are the interface, so that in Deno nothing lies between. A path that begins
 * with a folder of {@linkcode mount} leads into a browser's folder; any other path to the disk.
 *
 * @module
 */

import { mounted } from "./handles.ts";

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
  /** Makes the file if there is none. */
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
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  stat(path: string): Promise<FileInfo>;
  /** As `stat`, but of a link itself. */
  lstat(path: string): Promise<FileInfo>;
  mkdir(path: string, options: { readonly recursive: true }): Promise<void>;
  readDir(path: string): AsyncIterable<Entry>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

const NO_DISK =
  "This runtime has no file system: give a FileSystemDirectoryHandle as the folder, " +
  "and a URL, a Blob or bytes as a file";

/** The system of a path. */
async function of(path: string): Promise<FileSystem> {
  const folder = mounted(path);
  if (folder) return folder;
  if ("Deno" in globalThis) return Deno;
  if ("process" in globalThis) return (await import("./node.ts")).NODE;
  throw new TypeError(NO_DISK);
}

/** The system under the files of this library; both paths of a `rename` are of the same one. */
export const system: FileSystem = {
  open: async (path, options) => await (await of(path)).open(path, options),
  readFile: async (path) => await (await of(path)).readFile(path),
  stat: async (path) => await (await of(path)).stat(path),
  lstat: async (path) => await (await of(path)).lstat(path),
  mkdir: async (path, options) => await (await of(path)).mkdir(path, options),
  async *readDir(path) {
    yield* (await of(path)).readDir(path);
  },
  rename: async (from, to) => await (await of(from)).rename(from, to),
  remove: async (path) => await (await of(path)).remove(path),
};

/** Whether a system refused something for this reason, by Deno's name of it. */
export function isReason(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/** What is known of the process, for records and locks. */
interface Runtime {
  readonly pid?: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly os: string;
  readonly arch: string;
}

/** Of the process; in a browser little. */
export const runtime: Runtime = "Deno" in globalThis
  ? { pid: Deno.pid, versions: { ...Deno.version }, os: Deno.build.os, arch: Deno.build.arch }
  : ofNode() ?? { versions: {}, os: "browser", arch: "unknown" };

function ofNode(): Runtime | undefined {
  const { process } = globalThis as { process?: typeof import("node:process") };
  if (!process) return undefined;
  const { pid, platform, arch, versions: { node, v8 } } = process;
  return { pid, versions: { node, v8 }, os: platform === "win32" ? "windows" : platform, arch };
}

/** The value of an environment variable; in a browser there are none. */
export function env(name: string): string | undefined {
  if ("Deno" in globalThis) return Deno.env.get(name);
  return (globalThis as { process?: typeof import("node:process") }).process?.env[name];
}
