/** Compares the programs' numbers in another runtime with Deno's. */

import { deepEqual } from "node:assert/strict";
import { assertClose } from "../close.ts";
import type { ProgramName } from "./programs.ts";

/**
 * How far they may be apart. WGSL lets sine and cosine be wrong by 2^-11, and SwiftShader's are by
 * 2e-4; the other numbers follow: 6e-6 and 1.5e-5 were measured.
 */
const TOLERANCE: Readonly<Record<ProgramName, object>> = {
  bits: {}, // none
  normals: { atol: 2e-3 },
  samples: { atol: 5e-5 },
  losses: { rtol: 1e-4 },
};

/** What Random123 publishes for threefry2x32 of zeros. */
const KNOWN = [0x6b200159, 0x99ba4efe];

export function assertSame(name: ProgramName, actual: number[], expected: number[]): void {
  assertClose(actual, expected, { ...TOLERANCE[name], what: name });
  if (name === "bits") deepEqual(actual.slice(0, 2), KNOWN);
}
