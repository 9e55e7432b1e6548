/** Checks of model options. */

/** Refuses what is not a whole number of at least 1, or more than there may be. */
export function requireCount(name: string, value: number, most = Infinity): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${name} must be a whole number of at least 1, got ${value}`);
  }
  if (value > most) throw new RangeError(`${name} must be at most ${most}, got ${value}`);
}

/** Refuses what is not a whole number of at least 0. */
export function requireWhole(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new RangeError(`${name} must be a whole number, got ${value}`);
}

/** Refuses values that are not one of the words. */
export function requireOneOf(name: string, value: unknown, words: readonly string[]): void {
  if (words.includes(value as string)) return;
  const known = words.map((word) => `"${word}"`).join(", ");
  throw new RangeError(`${name} must be one of ${known}, got ${JSON.stringify(value)}`);
}
