/** An 8-bit image: what is written to and read from image files. */
export interface Image {
  /** Pixels from left to right. */
  readonly width: number;
  /** Pixels from top to bottom. */
  readonly height: number;
  /** Bytes a pixel: 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  /** [height, width, channels], rows from the top. */
  readonly data: Uint8Array;
}

/** Size and channels, as messages and comparisons have them. */
export function describeImage({ width, height, channels }: Image): string {
  return `${width} x ${height} with ${channels} channels`;
}

/** Refuses sizes of `what`, such as "an image", that are not whole numbers of at least `least`. */
export function requireSizes(
  what: string,
  sizes: Record<string, number>,
  { least = 1, error = RangeError }: { least?: number; error?: new (text: string) => Error } = {},
): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new error(
      `The ${name} of ${what} must be a whole number of at least ${least}, got ${value}`,
    );
  }
}

/**
 * Refuses an image whose sizes contradict its bytes.
 *
 * @throws {RangeError} when width or height is not a whole number of at least 1, or `allowed` does
 * not have its number of channels.
 * @throws {TypeError} when there are more or fewer bytes than the sizes say.
 */
export function requireImage(image: Image, allowed: readonly number[]): void {
  const { width, height, channels, data } = image;
  requireSizes("an image", { width, height });
  if (!allowed.includes(channels)) {
    throw new RangeError(`An image here has ${allowed.join(" or ")} channels, got ${channels}`);
  }
  const size = width * height * channels;
  if (data.length !== size) {
    const needed = `${width} x ${height} pixels with ${channels} channels needs ${size} bytes`;
    throw new TypeError(`An image of ${needed}, got ${data.length}`);
  }
}
