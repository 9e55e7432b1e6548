/**
 * The run that this browser keeps, in the private file system of the page's origin: a checkpoint, and
 * the images that it was trained on unless those are MNIST.
 *
 * @module
 */

import { type Data, MNIST } from "./data.ts";

const RUN = "run.safetensors";
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

  /** The images that are kept beside it; nothing if they are MNIST. */
  async images(): Promise<Data | undefined> {
    const [sizes, images] = [await this.#read(SIZES), await this.#read(IMAGES)];
    if (!sizes?.length || !images) return undefined;
    return this.#kept = { ...JSON.parse(new TextDecoder().decode(sizes)), images };
  }

  /** Keeps a run in place of the one before; gives whether it did. */
  async keep(run: Uint8Array<ArrayBuffer>, data: Data): Promise<boolean> {
    if (!this.#mayWrite) return false;
    if (this.#kept !== data) {
      const { images, labels: _, ...sizes } = data;
      const own = data.name !== MNIST;
      await this.#write(IMAGES, own ? images as Uint8Array<ArrayBuffer> : new Uint8Array());
      await this.#write(SIZES, new TextEncoder().encode(own ? JSON.stringify(sizes) : ""));
      this.#kept = data;
    }
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

  /** A writable stream writes to another file, which takes the place of this one when it is closed. */
  async #write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const handle = await this.folder.getFileHandle(name, { create: true });
    const stream = await handle.createWritable();
    await stream.write(bytes);
    await stream.close();
  }
}
