/** What tests in a browser take of `node:assert/strict`, where there is none. */

export class AssertionError extends Error {
  constructor({ message }: { readonly message: string }) {
    super(message);
  }
}

export function deepStrictEqual(
  actual: ArrayLike<unknown>,
  expected: ArrayLike<unknown>,
  message: string,
): void {
  const alike = actual.length === expected.length &&
    Array.from(actual).every((value, i) => Object.is(value, expected[i]));
  if (!alike) throw new AssertionError({ message: `${message}: ${actual} instead of ${expected}` });
}
