/**
 * The number that an option gives.
 *
 * @throws {RangeError} when the text is not a number of at least 1; "Infinity" is one.
 */
export function howMany(option: string, text: string): number {
  const value = Number(text);
  if (value >= 1) return value;
  throw new RangeError(`--${option} must be a number of at least 1, got ${text}`);
}
