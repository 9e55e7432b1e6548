/** The file in which `calibrate` keeps what it measured on one adapter. */

import { dirname, join } from "npm:pathe@2.0.3";
import { isObject } from "../formats/json.ts";
import { sha256 } from "../formats/sha256.ts";
import type { AdapterKind } from "../gpu/adapter.ts";
import type { Gpu } from "../graph/gpu.ts";
import { type CalibrationRow, CANDIDATES } from "../ops/gemm/calibrate.ts";
import { VERSION } from "../version.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import { readTextFile } from "./kind.ts";
import { runtime } from "./system.ts";

/** Measurements by adapter, driver, Deno, version and default variant: a file for each. */
export class KernelCache {
  private constructor(
    private readonly path: string,
    private readonly identity: string,
    readonly rows: readonly CalibrationRow[],
  ) {}

  /** Reads the file for this adapter; where it is missing or damaged, the cache has no rows. */
  static async open(dir: string, gpu: Gpu): Promise<KernelCache> {
    const { vendor, architecture, device, description, kind } = gpu.info;
    const adapter = [vendor, architecture, device, description];
    const { deno, node } = runtime.versions;
    const versions = [deno ? `Deno ${deno}` : `Node ${node}`, VERSION];
    const identity = [...adapter, ...versions, gpu.tuning.gemm].join(" | ");
    const digest = await sha256(new TextEncoder().encode(identity));
    const path = join(dir, `kernels-${digest.slice(0, 16)}.json`);
    const text = await readTextFile(path).catch(() => "");
    return new KernelCache(path, identity, cachedRows(text, identity, kind));
  }

  /** Replaces the file. */
  async write(rows: readonly CalibrationRow[]): Promise<void> {
    const text = JSON.stringify({ identity: this.identity, rows }, null, 2) + "\n";
    await makeFolder(dirname(this.path));
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
  return file.rows.flatMap((row) => {
    const { key, flops, choice, milliseconds } = (row ?? {}) as CalibrationRow;
    const valid = typeof key === "string" && Number.isFinite(flops) && isObject(milliseconds) &&
      Object.values(milliseconds).every(Number.isFinite) && CANDIDATES[kind].includes(choice);
    // Its own fields only: whatever else the file has must not be written again.
    return valid ? [{ key, flops, choice, milliseconds }] : [];
  });
}
