/**
 * What a planted fault is.
 *
 * @module
 */

/** A small change of one file that makes it wrong, and the tests that should notice. */
export interface Fault {
  /** What is wrong then. */
  readonly what: string;
  /** Path of the file, from the root. */
  readonly file: string;
  /** A part of its text that is there once. */
  readonly from: string;
  /** What stands there instead. */
  readonly to: string;
  /**
   * Files of `tests/`, without `_test.ts`, in the order in which they are run. Behind a space, what is
   * in the names of the tests that are to be run: `ops (tiled)`.
   */
  readonly tests: readonly string[];
}

/** Faults of one file for the same tests: what is wrong, the text, and what replaces it. */
export function faultsOf(
  file: string,
  tests: readonly string[],
  faults: Readonly<Record<string, readonly [from: string, to: string]>>,
): Fault[] {
  return Object.entries(faults).map(([what, [from, to]]) => ({ what, file, from, to, tests }));
}
