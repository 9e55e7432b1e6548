/**
 * Node's file system in the form of Deno's.
 *
 * @module
 */

import * as fs from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { Stats } from "node:fs";
import type { FileInfo, FileSystem, OpenOptions, SystemFile } from "./file_system.ts";

/** Deno's names for errors that callers ask for. */
const NAMES: Readonly<Record<string, string>> = {
  ENOENT: "NotFound",
  ENOTDIR: "NotADirectory",
  EEXIST: "AlreadyExists",
  ELOOP: "FilesystemLoop",
};

/** Names the error of a call as Deno does. */
async function named<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const { code } = error as { code?: string };
    throw Object.assign(error as Error, { name: NAMES[code ?? ""] ?? (error as Error).name });
  }
}

function infoOf(stats: Stats): FileInfo {
  const { size, mtime, ino } = stats;
  return {
    ...{ size, mtime, ino },
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymlink: stats.isSymbolicLink(),
  };
}

/** Files that this process has locked, by number. */
const locked = new Set<number>();

/** Whether a process is there; one of another user counts. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

class NodeFile implements SystemFile {
  #position = 0;
  #lock: number | undefined;

  constructor(private readonly file: FileHandle) {}

  async read(to: Uint8Array): Promise<number | null> {
    const { bytesRead } = await this.file.read(to, 0, to.length, this.#position);
    this.#position += bytesRead;
    return bytesRead || null;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const { bytesWritten } = await this.file.write(bytes, 0, bytes.length, this.#position);
    this.#position += bytesWritten;
    return bytesWritten;
  }

  async truncate(length = 0): Promise<void> {
    await this.file.truncate(length);
  }

  seek(offset: number): Promise<number> {
    return Promise.resolve(this.#position = offset);
  }

  async sync(): Promise<void> {
    await this.file.sync();
  }

  async stat(): Promise<FileInfo> {
    return infoOf(await this.file.stat());
  }

  /**
   * Node has no locks of the system. The holder writes the number of its process into the file, so the
   * file is free if that process has ended.
   */
  async tryLock(): Promise<boolean> {
    const { ino } = await this.file.stat();
    if (locked.has(ino)) return false;
    const { buffer, bytesRead } = await this.file.read(new Uint8Array(32), 0, 32, 0);
    const pid = Number.parseInt(new TextDecoder().decode(buffer.subarray(0, bytesRead)));
    if (pid > 0 && pid !== process.pid && isAlive(pid)) return false;
    locked.add(this.#lock = ino);
    return true;
  }

  close(): void {
    if (this.#lock !== undefined) locked.delete(this.#lock);
    this.file.close().catch(() => {}); // What was written was written before.
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Node's flags of how a file is opened. */
function flagsOf({ write, create, createNew }: OpenOptions): number {
  const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants;
  if (createNew) return O_RDWR | O_CREAT | O_EXCL;
  return (write ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0);
}

/** Node's. */
export const NODE: FileSystem = {
  open: async (path, options = {}) => new NodeFile(await named(fs.open(path, flagsOf(options)))),
  readFile: async (path) => new Uint8Array(await named(fs.readFile(path))),
  stat: async (path) => infoOf(await named(fs.stat(path))),
  lstat: async (path) => infoOf(await named(fs.lstat(path))),
  mkdir: async (path, options) => void await named(fs.mkdir(path, options)),
  async *readDir(path) {
    for (const entry of await named(fs.readdir(path, { withFileTypes: true }))) {
      yield {
        name: entry.name,
        isFile: entry.isFile(),
        isDirectory: entry.isDirectory(),
        isSymlink: entry.isSymbolicLink(),
      };
    }
  },
  rename: (from, to) => named(fs.rename(from, to)),
  // As Deno, this also removes an empty folder.
  remove: (path) =>
    named(fs.lstat(path).then((info) => info.isDirectory() ? fs.rmdir(path) : fs.unlink(path))),
};
