import { DataError } from "../errors.ts";
import { requireSizes } from "../formats/image.ts";

/** Images of one size, with or without labels. Any object of this shape is a data set. */
export interface Dataset {
  /** [count, height, width, channels], rows from the top, 0 to 255. */
  readonly images: Uint8Array;
  /** [count]; absent or empty for images without labels, which training needs none of. */
  readonly labels?: Uint8Array;
  /** Names of the labels 0, 1 ..., if there are any. */
  readonly classes?: readonly string[];
  /** Number of images. */
  readonly count: number;
  /** Pixels from top to bottom. */
  readonly height: number;
  /** Pixels from left to right. */
  readonly width: number;
  /** Bytes a pixel: 1 gray, 3 RGB. */
  readonly channels: number;
}

/**
 * A data set whose images are read when a step needs them, so that it may be larger than memory.
 *
 * ```ts
 * import { type StreamedDataset, trainDCGAN } from "@dcgan/webgpu";
 *
 * const size = 64 * 64 * 3;
 * using file = await Deno.open("images.bin");
 * const dataset: StreamedDataset = {
 *   ...{ count: 1_000_000, height: 64, width: 64, channels: 3 },
 *   id: "images.bin of June",
 *   async read(places) {
 *     const images = new Uint8Array(places.length * size);
 *     for (const [i, place] of places.entries()) {
 *       await file.seek(place * size, Deno.SeekMode.Start);
 *       await file.read(images.subarray(i * size, (i + 1) * size));
 *     }
 *     return images;
 *   },
 * };
 * using run = await trainDCGAN({ dataset, epochs: 1 });
 * ```
 */
export interface StreamedDataset extends Omit<Dataset, "images"> {
  /**
   * Reads the images of some places, [places.length, height, width, channels]. It is called for a batch
   * while the one before is trained, one call at a time.
   */
  readonly read: (places: Uint32Array) => Promise<Uint8Array>;
  /** A text that other images do not have: a run is resumed with the same images only. */
  readonly id: string;
}

/** Whether images are read when they are needed. */
export const isStreamed = (dataset: Dataset | StreamedDataset): dataset is StreamedDataset =>
  "read" in dataset;

/** The same data set, whose `read` is called again only after the call before has ended. */
export function readInTurn(dataset: StreamedDataset): StreamedDataset {
  const { labels, classes, count, height, width, channels, id } = dataset;
  let last: Promise<unknown> = Promise.resolve();
  const read = (places: Uint32Array) => {
    const images = last.then(() => dataset.read(places));
    last = images.catch(() => {});
    return images;
  };
  return { labels, classes, count, height, width, channels, id, read };
}

/** The images of some places of a data set, [places.length, height, width, channels]. */
export async function imagesAt(
  dataset: Dataset | StreamedDataset,
  places: Uint32Array,
): Promise<Uint8Array> {
  const { height, width, channels } = dataset;
  const size = height * width * channels;
  if (isStreamed(dataset)) {
    const images = await dataset.read(places);
    if (images instanceof Uint8Array && images.length === places.length * size) return images;
    throw new DataError(
      `A data set's read must give a Uint8Array of ${places.length * size} bytes for ` +
        `${places.length} images, got ${images?.length ?? images}`,
    );
  }
  const images = new Uint8Array(places.length * size);
  places.forEach((place, i) =>
    images.set(dataset.images.subarray(place * size, (place + 1) * size), i * size)
  );
  return images;
}

/** So many places of a data set, evenly over the whole of it, which may be sorted. */
export function evenly(count: number, of: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(i * of / count));
}

/** A data set in memory as it is; of one that is streamed so many images, evenly over all of it. */
export async function inMemory(
  dataset: Dataset | StreamedDataset,
  most: number,
): Promise<Dataset> {
  if (!isStreamed(dataset)) return dataset;
  const { labels, classes, height, width, channels } = dataset;
  const count = Math.min(most, dataset.count);
  const places = Uint32Array.from(evenly(count, dataset.count));
  return {
    images: await imagesAt(dataset, places),
    labels: labels?.length ? Uint8Array.from(places, (place) => labels[place]) : labels,
    ...{ classes, count, height, width, channels },
  };
}

/**
 * The labels of a data set, and how many classes there are: those with names, or one more than the
 * largest label.
 *
 * @throws {DataError} when it has no labels.
 */
export function labelsOf({ count, labels, classes = [] }: Omit<Dataset, "images">) {
  if (!labels?.length) {
    throw new DataError(
      `Conditional networks need the label of each image, and this data set of ${count} images has ` +
        "none: add labels, or train without conditional (--conditional)",
    );
  }
  const found = labels.reduce((most, label) => Math.max(most, label), 0) + 1;
  return { labels, classes: classes.length || found };
}

/**
 * Refuses an object whose numbers contradict its arrays.
 *
 * @throws {DataError} when it is no object, a size is not a whole number of at least 1, an array is
 * not bytes or has another length than the sizes say, or a label has no name among those there are.
 */
export function validateDataset(dataset: Dataset | StreamedDataset): void {
  if (typeof dataset !== "object" || dataset === null) {
    throw new DataError(
      `A data set must be an object with images and their sizes, got ${dataset}: use loadMNIST or ` +
        "loadImages, or make one of this shape",
    );
  }
  const { labels = new Uint8Array(), classes = [], count, height, width, channels } = dataset;
  const streamed = isStreamed(dataset);
  requireSizes("a data set", { count, height, width, channels }, { error: DataError });
  for (
    const [name, array] of Object.entries(
      streamed ? { labels } : { images: dataset.images, labels },
    )
  ) {
    if (!(array instanceof Uint8Array)) {
      const got = (array as unknown)?.constructor?.name ?? typeof array;
      throw new DataError(
        `The ${name} of a data set must be a Uint8Array, got ${got}: ` +
          "images are bytes from 0 to 255 (scaled to [-1, 1] on the device)",
      );
    }
  }
  const size = count * height * width * channels;
  if (streamed && (typeof dataset.read !== "function" || typeof dataset.id !== "string")) {
    throw new DataError("A data set that is streamed needs a function `read` and a text `id`");
  }
  if (!streamed && dataset.images.length !== size) {
    throw new DataError(
      `A data set of shape [${count}, ${height}, ${width}, ${channels}] needs ${size} bytes of ` +
        `images, got ${dataset.images.length}: correct the shape or the array`,
    );
  }
  if (labels.length !== 0 && labels.length !== count) {
    throw new DataError(
      `A data set of ${count} images needs ${count} labels or none, got ${labels.length}`,
    );
  }
  const unnamed = classes.length ? labels.findIndex((label) => label >= classes.length) : -1;
  if (unnamed >= 0) {
    throw new DataError(
      `Label ${labels[unnamed]} of image ${unnamed} is out of range: a data set of ` +
        `${classes.length} classes has labels from 0 to ${classes.length - 1}`,
    );
  }
}
