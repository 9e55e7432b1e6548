import { deno, type Ended } from "../process.ts";

/** Runs a file of this folder with so many megabytes of the engine's own heap. */
export function runWithHeap(
  megabytes: number,
  file: string,
  args: readonly string[],
  permissions: readonly string[],
): Promise<Ended> {
  return deno([
    ...["run", "--lock=tests/deno.lock", "--frozen", "--no-check", ...permissions],
    ...[`--v8-flags=--max-old-space-size=${megabytes}`, `tests/support/fuzz/${file}`, ...args],
  ]);
}
