/**
 * What the page trains on: MNIST from the page's own folder, or image files of a person.
 *
 * @module
 */

import type { Dataset } from "../mod.ts";
import { concat } from "../src/formats/bytes.ts";
import { decompressIDX, parseIDX } from "../src/data/idx.ts";
import { HEAD, imageSize } from "./image_size.ts";
import type { Questions } from "./protocol.ts";

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

/** Most pixels of an image that is decoded: 50 megapixels are 200 MB in memory. */
const MOST_PIXELS = 50e6;

/** Most bytes of all images together, so that they fit into one binding of any device. */
const MOST_BYTES = 128 * 1024 * 1024;

/**
 * Images of files, each cropped to a square and scaled down. What is no image, or too large, is skipped
 * with a reason.
 *
 * @param canceled asked before each file
 * @returns nothing but the skipped, if no file is an image
 */
export async function readImages(
  { files, size, color }: Questions["images"]["ask"],
  progress: (done: number) => void,
  canceled: () => boolean,
): Promise<{ data?: Data; skipped: { name: string; reason: string }[] }> {
  const channels = color ? 3 : 1;
  const bytes = size * size * channels;
  const most = Math.min(files.length, Math.floor(MOST_BYTES / bytes));
  const images = new Uint8Array(most * bytes);
  const skipped: { name: string; reason: string }[] = [];
  const canvas = new OffscreenCanvas(size, size).getContext("2d", { willReadFrequently: true })!;
  let count = 0;
  for (const [i, file] of files.entries()) {
    if (canceled()) break;
    if (count === most) {
      skipped.push({ name: `${files.length - i} files`, reason: `${most} images are enough` });
      break;
    }
    try {
      const pixels = await readImage(file, canvas);
      for (let p = 0, to = count * bytes; p < pixels.length; p += 4) {
        const [r, g, b] = [pixels[p], pixels[p + 1], pixels[p + 2]];
        if (color) images.set([r, g, b], to);
        // The luma of BT.601, as the library's own image folders.
        else images[to] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
        to += channels;
      }
      count++;
    } catch (error) {
      skipped.push({ name: file.name, reason: (error as Error).message });
    }
    if (i % 20 === 0) progress(i / files.length);
  }
  if (count === 0) return { skipped };
  const name = `your ${count === 1 ? "image" : `${count.toLocaleString("en")} images`}`;
  const all = images.slice(0, count * bytes);
  return { data: { name, images: all, count, height: size, width: size, channels }, skipped };
}

async function readImage(
  file: File,
  canvas: OffscreenCanvasRenderingContext2D,
): Promise<Uint8ClampedArray> {
  const found = imageSize(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  if (!found) throw new Error("not a PNG, JPEG, WebP, GIF or BMP image");
  const [width, height] = found;
  if (width * height > MOST_PIXELS) {
    throw new Error(`${width} × ${height} pixels are too many: make it smaller than 50 megapixels`);
  }
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
