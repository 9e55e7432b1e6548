/** A disk that fails: the calls of this process that write are counted, and chosen ones fail. */

import { basename } from "node:path";

export interface DiskCall {
  readonly name: "mkdir" | "open" | "write" | "sync" | "truncate" | "rename";
  readonly path: string;
}

/** The error of a full disk, as Deno throws it. */
export function full(): Error {
  return Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
}

/** `open out/.a.png.1234abcd.tmp` as `open a.png`: the same in every run. */
export function nameOf({ name, path }: DiskCall): string {
  const file = basename(path)
    .replace(/^\.(.+)\.[0-9a-f]{8}\.tmp$/, "$1")
    .replace(/^events\..*/, "events");
  return `${name} ${file}`;
}

/** Stands between this process and the disk until it is disposed. */
export class BadDisk implements Disposable {
  readonly calls: DiskCall[] = [];
  readonly failed: DiskCall[] = [];
  readonly #mkdir = Deno.mkdir;
  readonly #open = Deno.open;
  readonly #rename = Deno.rename;

  /** @param fails whether a call fails, by its number, which begins at 0, or by what it is */
  constructor(private readonly fails: (index: number, call: DiskCall) => boolean) {
    Deno.mkdir = async (path, options) => {
      this.#pass({ name: "mkdir", path: String(path) });
      await this.#mkdir(path, options);
    };
    Deno.rename = async (from, to) => {
      this.#pass({ name: "rename", path: String(to) });
      await this.#rename(from, to);
    };
    Deno.open = async (path, options) => {
      if (!options?.write) return await this.#open(path, options);
      this.#pass({ name: "open", path: String(path) });
      return this.#watch(await this.#open(path, options), String(path));
    };
  }

  #pass(call: DiskCall): void {
    this.calls.push(call);
    if (!this.fails(this.calls.length - 1, call)) return;
    this.failed.push(call);
    throw full();
  }

  #watch(file: Deno.FsFile, path: string): Deno.FsFile {
    const { write, sync, truncate } = Deno.FsFile.prototype;
    file.write = async (bytes) => {
      try {
        this.#pass({ name: "write", path });
      } catch (error) {
        await write.call(file, bytes.subarray(0, bytes.length >> 1)); // As much as there was room for.
        throw error;
      }
      return await write.call(file, bytes);
    };
    file.sync = async () => {
      this.#pass({ name: "sync", path });
      await sync.call(file);
    };
    file.truncate = async (length) => {
      this.#pass({ name: "truncate", path });
      await truncate.call(file, length);
    };
    return file;
  }

  [Symbol.dispose](): void {
    Deno.mkdir = this.#mkdir;
    Deno.open = this.#open;
    Deno.rename = this.#rename;
  }
}
