/**
 * Rows of a printed table: times, rates, and how near to the peak.
 *
 * @module
 */

import type { Sum } from "./time.ts";

/** What rates are fractions of. */
export interface Peaks {
  /** GFLOP/s. */
  readonly arithmetic: number;
  /** GB/s. */
  readonly bandwidth: number;
}

/**
 * Head of the columns that {@linkcode row} makes. "of peak" is of the arithmetic peak where
 * operations are counted, of the bandwidth of a plain copy where not.
 */
export const HEAD = "       ms   GFLOP/s     GB/s  of peak  ";

/** One row under {@linkcode HEAD}. */
export function row(name: string, { milliseconds, flops, bytes }: Sum, peaks: Peaks): string {
  const gflops = flops / milliseconds / 1e6;
  const gbytes = bytes / milliseconds / 1e6;
  const fraction = flops ? gflops / peaks.arithmetic : gbytes / peaks.bandwidth;
  return [
    milliseconds.toFixed(3).padStart(9),
    (flops ? gflops.toFixed(1) : "").padStart(9),
    gbytes.toFixed(1).padStart(8),
    `${(100 * fraction).toFixed(0)}%`.padStart(8),
    ` ${name}`,
  ].join(" ");
}

/** Columns of text two spaces apart; right-aligned but for those whose number is in `left`. */
export function columns(
  rows: readonly (readonly string[])[],
  left: readonly number[] = [],
): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((cells) => cells[i].length)));
  const pad = (cell: string, i: number) =>
    left.includes(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]);
  return rows.map((cells) => cells.map(pad).join("  ").trimEnd()).join("\n");
}

/** Bytes in MiB. */
export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
