/**
 * The file in which `calibrate` keeps what it measured on one adapter.
 *
 * @module
 */

import { dirname, join } from "node:path";
import type { AdapterKind } from "../gpu/adapter.ts";
import type { Gpu } from "../graph/gpu.ts";
import { type CalibrationRow, CANDIDATES } from "../ops/gemm/calibrate.ts";
import { VERSION } from "../version.ts";
import { writeFileAtomic } from "./atomic.ts";
import { readTextFile } from "./kind.ts";

/** Measurements by adapter, driver, Deno, version and default variant: a file for each. */
export class KernelCache {
  private constructor(
    private readonly path: string,
    private readonly identity: string,
    readonly rows: readonly CalibrationRow[],
  ) {}

  /** Reads the file for this adapter; where it is missing or damaged, the cache has no rows. */
  static async open(dir: string, gpu: Gpu): Promise<KernelCache> {
    const { vendor, architecture, device, description } = gpu.info;
    const adapter = [vendor, architecture, device, description];
    const identity = [...adapter, `Deno ${Deno.version.deno}`, VERSION, gpu.tuning.gemm].join(
      " | ",
    );
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(identity));
    const name = `kernels-${new Uint8Array(digest).toHex().slice(0, 16)}.json`;
    const path = join(dir, name);
    const text = await readTextFile(path).catch(() => "");
    return new KernelCache(path, identity, cachedRows(text, identity, gpu.info.kind));
  }

  /** Replaces the file. */
  async write(rows: readonly CalibrationRow[]): Promise<void> {
    const text = JSON.stringify({ identity: this.identity, rows }, null, 2) + "\n";
    await Deno.mkdir(dirname(this.path), { recursive: true });
    await writeFileAtomic(this.path, new TextEncoder().encode(text));
  }
}

/**
 * The valid rows in the text of a cache file. A text that is damaged or belongs to another adapter
 * has none: the kernels are measured again.
 *
 * Allocates no array buffers; on the heap, what `JSON.parse` makes of the text, and its rows again.
 */
export function cachedRows(text: string, identity: string, kind: AdapterKind): CalibrationRow[] {
  let file: { identity?: unknown; rows?: unknown } | null;
  try {
    file = JSON.parse(text);
  } catch {
    return [];
  }
  if (file?.identity !== identity || !Array.isArray(file.rows)) return [];
  return file.rows.flatMap((row) => cachedRow(row, kind) ?? []);
}

/** A row with its own fields only: whatever else the file has must not be written again. */
function cachedRow(row: unknown, kind: AdapterKind): CalibrationRow | undefined {
  const { key, flops, choice, milliseconds } = (row ?? {}) as Partial<CalibrationRow>;
  const valid = typeof key === "string" && Number.isFinite(flops) &&
    typeof milliseconds === "object" && milliseconds !== null && !Array.isArray(milliseconds) &&
    Object.values(milliseconds).every(Number.isFinite) &&
    CANDIDATES[kind].some((candidate) => candidate === choice);
  return valid ? { key, flops: flops!, choice: choice!, milliseconds } : undefined;
}
