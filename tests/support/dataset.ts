/** A small data set that is the same everywhere: blobs whose place depends on the index. */

import type { Dataset } from "../../mod.ts";

/** `count` gray images of 28 x 28 with a soft blob each. */
export function blobs(count: number): Dataset & { readonly labels: Uint8Array } {
  const images = new Uint8Array(count * 784);
  for (let i = 0; i < count; i++) {
    const [cy, cx] = [8 + (i * 5) % 13, 8 + (i * 7) % 11];
    for (let y = 0; y < 28; y++) {
      for (let x = 0; x < 28; x++) {
        const distance = (y - cy) ** 2 + (x - cx) ** 2;
        images[i * 784 + y * 28 + x] = Math.max(0, 255 - 6 * distance);
      }
    }
  }
  return { images, labels: new Uint8Array(count), count, height: 28, width: 28, channels: 1 };
}

/** Options of a run whose generator cannot keep up: it has next to no channels. */
export const OVERPOWERED = {
  generatorWidths: [1, 1, 1],
  discriminatorWidths: [16, 32],
  dropout: 0,
  learningRate: 2e-3,
  epochs: 60,
} as const;

/** A run of five steps an epoch (four full batches and one of six) that takes a second or two. */
export const SMALL = {
  dataset: blobs(70),
  batchSize: 16,
  noiseDim: 10,
  generatorWidths: [16, 8, 8],
  discriminatorWidths: [8, 8],
  seed: 3,
} as const;
