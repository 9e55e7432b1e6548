/**
 * What the page trains on: MNIST from the page's own folder, or image files of a person.
 *
 * @module
 */

import type { Dataset } from "../mod.ts";
import { concat } from "../src/formats/bytes.ts";
import { decompressIDX, parseIDX } from "../src/data/idx.ts";
import { requireImage } from "./image_size.ts";
import type { Skipped } from "./protocol.ts";

/** A data set with a name for people. */
export interface Data extends Dataset {
  readonly name: string;
}

/** The name of MNIST here; runs on it need no images of their own kept. */
export const MNIST = "MNIST, handwritten digits";

const MNIST_FILE = "data/train-images-idx3-ubyte.gz";

/**
 * Fetches MNIST.
 *
 * @param progress called with the share that has arrived
 */
export async function fetchMNIST(progress: (done: number) => void): Promise<Data> {
  const response = await fetch(MNIST_FILE);
  if (!response.ok || !response.body) {
    throw new Error(`The digits could not be fetched (${response.status}): reload the page`);
  }
  const total = Number(response.headers.get("content-length")) || 10e6;
  const parts: Uint8Array[] = [];
  let arrived = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    parts.push(part);
    progress(Math.min(1, (arrived += part.length) / total));
  }
  const { dims, data } = parseIDX(await decompressIDX(concat(parts), MNIST_FILE), MNIST_FILE);
  const [count, height, width] = dims;
  return { name: MNIST, images: data, count, height, width, channels: 1 };
}

/** Most bytes of all images together, so that they fit into one binding of any device. */
const MOST_BYTES = 128 * 1024 * 1024;

/** Images of files, each cropped to a square and scaled down. */
export class ImageReader {
  readonly #channels: number;
  readonly #canvas: OffscreenCanvasRenderingContext2D;
  readonly #most: number;
  readonly #images: Uint8Array[] = [];

  constructor(private readonly size: number, color: boolean) {
    this.#channels = color ? 3 : 1;
    this.#canvas = new OffscreenCanvas(size, size).getContext("2d", { willReadFrequently: true })!;
    this.#most = Math.floor(MOST_BYTES / (size * size * this.#channels));
  }

  /** Reads more files; gives those that are skipped, as what is no image or too large. */
  async add(files: readonly File[]): Promise<Skipped[]> {
    const skipped: Skipped[] = [];
    for (const file of files) {
      if (this.full) {
        skipped.push({ name: file.name, reason: `${this.#most} images are enough` });
        continue;
      }
      try {
        this.#images.push(this.#toBytes(await readImage(file, this.#canvas)));
      } catch (error) {
        skipped.push({ name: file.name, reason: (error as Error).message });
      }
    }
    return skipped;
  }

  #toBytes(pixels: Uint8ClampedArray): Uint8Array {
    if (this.#channels === 3) return Uint8Array.from(pixels.filter((_, i) => i % 4 !== 3));
    // The luma of BT.601, as the library's own image folders.
    return Uint8Array.from(
      { length: pixels.length / 4 },
      (_, i) =>
        Math.round(0.299 * pixels[4 * i] + 0.587 * pixels[4 * i + 1] + 0.114 * pixels[4 * i + 2]),
    );
  }

  get count(): number {
    return this.#images.length;
  }

  /** Whether there is no room for more. */
  get full(): boolean {
    return this.count === this.#most;
  }

  /** What was read. */
  get data(): Data {
    const { count, size } = this;
    return {
      name: `your ${count === 1 ? "image" : `${count.toLocaleString("en")} images`}`,
      images: concat(this.#images),
      ...{ count, height: size, width: size, channels: this.#channels },
    };
  }
}

async function readImage(
  file: File,
  canvas: OffscreenCanvasRenderingContext2D,
): Promise<Uint8ClampedArray> {
  const [width, height] = await requireImage(file);
  const side = Math.min(width, height);
  const size = canvas.canvas.width;
  const bitmap = await createImageBitmap(
    file,
    ...[(width - side) >> 1, (height - side) >> 1, side, side] as const,
    { resizeWidth: size, resizeHeight: size, resizeQuality: "high" },
  ).catch(() => {
    throw new Error("damaged: it cannot be decoded");
  });
  canvas.fillStyle = "#fff"; // behind what is transparent
  canvas.fillRect(0, 0, size, size);
  canvas.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.getImageData(0, 0, size, size).data;
}
