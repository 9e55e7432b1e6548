/** Programs for as many images at once as fit into the device's memory. */

import { OutOfMemoryError } from "../errors.ts";

/**
 * Compiles a program for a batch of `most`; where that does not fit into the device's memory, of half
 * as many, a quarter, and so on.
 *
 * @throws {OutOfMemoryError} when not even a batch of one fits.
 */
export function compileFitting<P>(
  most: number,
  compile: (batch: number) => P,
): { readonly program: P; readonly batch: number } {
  for (let batch = most;; batch = Math.ceil(batch / 2)) {
    try {
      return { program: compile(batch), batch };
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || batch === 1) throw error;
    }
  }
}
