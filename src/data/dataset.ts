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
 * The labels of a data set, and how many classes there are: those with names, or one more than the
 * largest label.
 *
 * @throws {DataError} when it has no labels.
 */
export function labelsOf({ count, labels, classes = [] }: Dataset) {
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
export function validateDataset(dataset: Dataset): void {
  if (typeof dataset !== "object" || dataset === null) {
    throw new DataError(
      `A data set must be an object with images and their sizes, got ${dataset}: use loadMNIST or ` +
        "loadImages, or make one of this shape",
    );
  }
  const { images, labels = new Uint8Array(), count, height, width, channels } = dataset;
  const { classes = [] } = dataset;
  requireSizes("a data set", { count, height, width, channels }, { error: DataError });
  for (const [name, array] of Object.entries({ images, labels })) {
    if (!(array instanceof Uint8Array)) {
      const got = (array as unknown)?.constructor?.name ?? typeof array;
      throw new DataError(
        `The ${name} of a data set must be a Uint8Array, got ${got}: ` +
          "images are bytes from 0 to 255 (scaled to [-1, 1] on the device)",
      );
    }
  }
  const size = count * height * width * channels;
  if (images.length !== size) {
    throw new DataError(
      `A data set of shape [${count}, ${height}, ${width}, ${channels}] needs ${size} bytes of ` +
        `images, got ${images.length}: correct the shape or the array`,
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
