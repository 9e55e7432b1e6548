/**
 * The run that this browser keeps, in the private file system of the page's origin: a checkpoint, its
 * losses, and the images that it was trained on unless those are MNIST.
 *
 * @module
 */

import { type Data, MNIST } from "./data.ts";
import type { LossesSoFar } from "./protocol.ts";

const RUN = "run.safetensors";
const LOSSES = "losses.json";
const IMAGES = "images.bin";
const SIZES = "images.json";

/** Keeps one run. */
export class Store {
  /** The data whose images are kept already. */
  #kept: Data | undefined;
  #mayWrite = false;

  private constructor(private readonly folder: FileSystemDirectoryHandle) {
    // Two pages must not write in turns: the second waits until the first is closed.
    navigator.locks.request("run", () => {
      this.#mayWrite = true;
      return new Promise(() => {});
    });
  }

  /** Opens it; nothing where a browser has no private file system, as in some private windows. */
  static async open(): Promise<Store | undefined> {
    try {
      return new Store(await navigator.storage.getDirectory());
    } catch {
      return undefined;
    }
  }

  /** The checkpoint that is kept. */
  async run(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await this.#read(RUN);
  }

  /** Its losses. */
  async losses(): Promise<LossesSoFar | undefined> {
    return await this.#readJSON(LOSSES) as LossesSoFar | undefined;
  }

  /** The images that are kept beside it; nothing if they are MNIST. */
  async images(): Promise<Data | undefined> {
    const [sizes, images] = [await this.#readJSON(SIZES), await this.#read(IMAGES)];
    if (!sizes || !images) return undefined;
    return this.#kept = { ...sizes as Omit<Data, "images">, images };
  }

  /** Keeps a run in place of the one before; gives whether it did. */
  async keep(
    run: Uint8Array<ArrayBuffer>,
    losses: LossesSoFar,
    data: Data,
  ): Promise<boolean> {
    if (!this.#mayWrite) return false;
    if (this.#kept !== data) {
      const { images, labels: _, ...sizes } = data;
      const own = data.name !== MNIST;
      await this.#write(IMAGES, own ? images as Uint8Array<ArrayBuffer> : new Uint8Array());
      await this.#writeJSON(SIZES, own ? sizes : undefined);
      this.#kept = data;
    }
    await this.#writeJSON(LOSSES, losses);
    await this.#write(RUN, run);
    return true;
  }

  async #read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const file = await (await this.folder.getFileHandle(name)).getFile();
      return new Uint8Array(await file.arrayBuffer());
    } catch {
      return undefined; // It is not there.
    }
  }

  async #readJSON(name: string): Promise<unknown> {
    const bytes = await this.#read(name);
    return bytes?.length ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
  }

  async #writeJSON(name: string, value: unknown): Promise<void> {
    await this.#write(name, new TextEncoder().encode(JSON.stringify(value) ?? ""));
  }

  /** A writable stream writes to another file, which takes the place of this one when it is closed. */
  async #write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const handle = await this.folder.getFileHandle(name, { create: true });
    const stream = await handle.createWritable();
    await stream.write(bytes);
    await stream.close();
  }
}
