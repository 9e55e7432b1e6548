/**
 * Folders of a browser as a file system: the origin's private one, or one that the user picked.
 *
 * @module
 */

import type { FileChange, FileHandle, FolderHandle } from "../formats/folder_handle.ts";
import {
  type Entry,
  type FileInfo,
  type FileSystem,
  type OpenOptions,
  refusal,
  type SystemFile,
} from "./file_system.ts";

/** Folders by the path that they have here. */
const folders = new Map<string, HandleSystem>();

/** What paths into a browser's folder begin with. */
const PREFIX = "browser:/";

/**
 * The path of a folder that a browser gave; the same folder has the same path each time.
 *
 * @throws {TypeError} when it is no folder.
 */
export async function mount(folder: FolderHandle): Promise<string> {
  if (folder?.kind !== "directory") {
    throw new TypeError(`A folder must be a path or a FileSystemDirectoryHandle, got ${folder}`);
  }
  for (let number = 1;; number++) {
    const path = `${PREFIX}${folder.name}${number > 1 ? `-${number}` : ""}`;
    const there = folders.get(path);
    if (!there) folders.set(path, new HandleSystem(path, folder));
    if (!there || await there.root.isSameEntry(folder)) return path;
  }
}

/** The system of the browser's folder that a path leads into. */
export function mounted(path: string): HandleSystem | undefined {
  if (!path.startsWith(PREFIX)) return undefined;
  const [name] = path.slice(PREFIX.length).split("/");
  return folders.get(PREFIX + name);
}

/** Deno's names and the system's codes for what a browser refuses. */
const REASONS: Readonly<Record<string, readonly [name: string, code: string]>> = {
  NotFoundError: ["NotFound", "ENOENT"],
  TypeMismatchError: ["NotADirectory", "ENOTDIR"],
  QuotaExceededError: ["QuotaExceededError", "ENOSPC"],
  NotAllowedError: ["PermissionDenied", "EACCES"],
  InvalidModificationError: ["DirectoryNotEmpty", "ENOTEMPTY"],
};

/** Names the error of a call as Deno does. */
async function named<T>(call: Promise<T>, path: string): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    const { name, message } = cause as DOMException;
    const [reason, code] = REASONS[name] ?? [name, name];
    throw refusal(reason, code, `${message}: ${path}`, cause);
  }
}

const FOLDER: FileInfo = {
  isFile: false,
  isDirectory: true,
  isSymlink: false,
  size: 0,
  mtime: null,
  ino: null,
};

async function infoOf(handle: FileHandle): Promise<FileInfo> {
  const { size, lastModified } = await handle.getFile();
  return { ...FOLDER, isFile: true, isDirectory: false, size, mtime: new Date(lastModified) };
}

/** What is used of a `LockManager`, which Deno's types do not have. */
interface Locks {
  request(
    name: string,
    options: { readonly ifAvailable: true },
    holding: (lock: unknown) => Promise<void>,
  ): Promise<void>;
}

/**
 * When the last lock of a path that was given back here is free: the browser takes a moment, in which
 * the same page could not take it again.
 */
const releases = new Map<string, Promise<void>>();

/** A file of a browser's folder. Each write is whole: the browser writes a copy, and then replaces it. */
class HandleFile implements SystemFile {
  #position = 0;
  #held: Promise<void> | undefined;
  #release = () => {};

  constructor(private readonly path: string, private readonly file: FileHandle) {}

  async read(to: Uint8Array): Promise<number | null> {
    const file = await named(this.file.getFile(), this.path);
    const part = file.slice(this.#position, this.#position + to.length);
    to.set(new Uint8Array(await part.arrayBuffer()));
    this.#position += part.size;
    return part.size || null;
  }

  async #change(change: FileChange): Promise<void> {
    const stream = await this.file.createWritable({ keepExistingData: true });
    await stream.write(change);
    await stream.close();
  }

  async write(bytes: Uint8Array): Promise<number> {
    const data = bytes as Uint8Array<ArrayBuffer>;
    await named(this.#change({ type: "write", position: this.#position, data }), this.path);
    this.#position += bytes.length;
    return bytes.length;
  }

  async truncate(size = 0): Promise<void> {
    await named(this.#change({ type: "truncate", size }), this.path);
  }

  seek(offset: number): Promise<number> {
    return Promise.resolve(this.#position = offset);
  }

  sync(): Promise<void> {
    return Promise.resolve(); // A write that has ended is on the disk.
  }

  stat(): Promise<FileInfo> {
    return named(infoOf(this.file), this.path);
  }

  /** The lock holds among all pages and workers of the origin. */
  async tryLock(): Promise<boolean> {
    await releases.get(this.path);
    const { locks } = navigator as unknown as { readonly locks: Locks };
    return await new Promise((resolve, reject) => {
      this.#held = locks.request(this.path, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return new Promise<void>((release) => lock ? this.#release = release : release());
      });
      this.#held.catch(reject);
    });
  }

  close(): void {
    this.#release();
    if (this.#held) releases.set(this.path, this.#held);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Splits a path: the folder that holds it, and its name there. */
function split(path: string): [folder: string, name: string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, at), path.slice(at + 1)];
}

/** A browser's folder under a path. */
export class HandleSystem implements FileSystem {
  constructor(private readonly path: string, readonly root: FolderHandle) {}

  async #folder(path: string, create = false): Promise<FolderHandle> {
    let folder = this.root;
    for (const name of path.slice(this.path.length).split("/").filter(Boolean)) {
      folder = await folder.getDirectoryHandle(name, { create });
    }
    return folder;
  }

  async #file(path: string, create = false): Promise<FileHandle> {
    const [folder, name] = split(path);
    return await (await this.#folder(folder)).getFileHandle(name, { create });
  }

  async open(path: string, { create, createNew }: OpenOptions = {}): Promise<SystemFile> {
    const there = await this.#file(path).catch(() => undefined);
    if (there && createNew) throw refusal("AlreadyExists", "EEXIST", `File exists: '${path}'`);
    return new HandleFile(path, there ?? await named(this.#file(path, create || createNew), path));
  }

  async readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const file = await named(this.#file(path).then((file) => file.getFile()), path);
    return new Uint8Array(await file.arrayBuffer());
  }

  async stat(path: string): Promise<FileInfo> {
    const folder = await this.#folder(path).catch(() => undefined);
    return folder ? FOLDER : await named(this.#file(path).then(infoOf), path);
  }

  lstat(path: string): Promise<FileInfo> {
    return this.stat(path); // There are no links.
  }

  async mkdir(path: string): Promise<void> {
    await named(this.#folder(path, true), path);
  }

  async *readDir(path: string): AsyncIterable<Entry> {
    const folder = await named(this.#folder(path), path);
    for await (const { name, kind } of folder.values()) {
      yield { name, isFile: kind === "file", isDirectory: kind === "directory", isSymlink: false };
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await named(this.#rename(from, to), from);
  }

  async #rename(from: string, to: string): Promise<void> {
    // Browsers can move files, but not all of them, and the standard has no such method yet.
    const file: FileHandle & { move?(folder: FolderHandle, name: string): Promise<void> } =
      await this.#file(from);
    const [folder, name] = split(to);
    if (file.move) return await file.move(await this.#folder(folder), name);
    // Whole or not at all: a stream replaces the file when it is closed.
    const stream = await (await this.#file(to, true)).createWritable();
    await stream.write(await file.getFile());
    await stream.close();
    await this.remove(from);
  }

  async remove(path: string): Promise<void> {
    const [folder, name] = split(path);
    await named(this.#folder(folder).then((folder) => folder.removeEntry(name)), path);
  }
}
