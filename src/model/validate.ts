/** Checks of model options. */

/** Refuses what is not a whole number of at least 1, or more than there may be. */
export function requireCount(name: string, value: number, most = Infinity): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${name} must be a whole number of at least 1, got ${value}`);
  }
  if (value > most) throw new RangeError(`${name} must be at most ${most}, got ${value}`);
}

/** Refuses lists of channels of another length, or with something else than counts. */
export function requireWidths(widths: readonly number[], count: number): void {
  if (widths.length !== count) {
    throw new RangeError(`widths must be ${count} numbers of channels, got ${widths.length}`);
  }
  for (const width of widths) requireCount("a width", width);
}

/** Refuses images that two strides of 2 do not divide. */
export function requireImage(height: number, width: number): void {
  for (const [name, size] of [["height", height], ["width", width]] as const) {
    if (!Number.isSafeInteger(size) || size < 4 || size % 4 !== 0) {
      throw new RangeError(
        `The ${name} of images must be a multiple of 4, got ${size}: ` +
          "the generator doubles its size twice. Pad or crop the images",
      );
    }
  }
}
