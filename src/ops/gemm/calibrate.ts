/** Which kernels compute each GEMM-like op fastest, measured on the adapter at hand. */

import { OutOfMemoryError } from "../../errors.ts";
import type { AdapterKind } from "../../gpu/adapter.ts";
import type { Gpu } from "../../graph/gpu.ts";
import type { GemmUse, GemmVariant } from "../../graph/tuning.ts";
import { sizeOf, type Tensor } from "../../graph/tensor.ts";
import { convOf } from "../conv.ts";
import { resolveVariant } from "./choose.ts";
import { type Geometry, shapesOf } from "./geometry.ts";

/** Variants worth measuring on each kind of adapter; the others are far slower there. */
export const CANDIDATES: Readonly<Record<AdapterKind, readonly GemmVariant[]>> = {
  software: ["winograd", "texture"],
  gpu: ["tiled", "texture", "winograd", "direct"],
};

/** Ops below this many operations keep the default: they hardly count in a step. */
const LEAST_FLOPS = 3e8;

/** A variant replaces the default if it takes at most this part of its time: noise must not decide. */
const MARGIN = 0.8;

/** What was measured of one op. */
export interface CalibrationRow {
  /** The op and its sizes. */
  readonly key: string;
  /** Operations of its dense definition. */
  readonly flops: number;
  /** The variant to use. */
  readonly choice: GemmVariant;
  /** Milliseconds of each variant; the first is the default. Empty if there was no time for all. */
  readonly milliseconds: Readonly<Partial<Record<GemmVariant, number>>>;
}

/** Options of {@linkcode calibrate}. */
export interface CalibrateOptions {
  /** Folder where results are kept, by adapter and version; needs a file system. Default: none. */
  readonly cacheDir?: string;
  /** After so many seconds no further measurement begins. Default 4. */
  readonly seconds?: number;
  /** Measure again what the folder already has. Default false. */
  readonly fresh?: boolean;
  /** Called with what a person should know. */
  readonly onMessage?: (text: string) => void;
}

/**
 * Measures which kernels compute the GEMM-like ops of programs fastest, and makes `gpu` use them
 * for what is compiled from now on. Results change by rounding only: 1e-5 of their norm.
 *
 * ```ts
 * import { calibrate, Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const square = () =>
 *   gpu.compile({ x: [512, 512] }, ({ x }) => ({ y: ops.matmul(x, x) }));
 * await calibrate(gpu, square().gemms);
 * const program = square(); // with the faster kernels
 * ```
 *
 * @param uses the `gemms` of programs
 * @returns one row an op for which there is a choice
 */
export async function calibrate(
  gpu: Gpu,
  uses: readonly GemmUse[],
  { cacheDir, seconds = 4, fresh = false, onMessage = () => {} }: CalibrateOptions = {},
): Promise<CalibrationRow[]> {
  const cache = cacheDir === undefined
    ? undefined
    : await (await import("../../files/kernel_cache.ts")).KernelCache.open(cacheDir, gpu);
  const known = new Map(cache?.rows.map((row) => [row.key, row]));
  const unique = [...new Map(uses.map((use) => [use.key, use])).values()]
    .filter((use) => use.flops >= LEAST_FLOPS && candidatesFor(gpu, use).length > 1)
    .sort((a, b) => b.flops - a.flops);
  const missing = unique.filter(({ key }) => fresh || !known.has(key));
  const end = performance.now() + 1000 * seconds;
  if (missing.length) onMessage(`measuring kernels for ${missing.length} ops`);
  let unmeasured = 0;
  for (const use of missing) {
    const row = await measureUse(gpu, use, end);
    if (!row) unmeasured++;
    // A default that was not measured is kept as well: the next run must choose it too, or its bits
    // would differ.
    const { key, flops } = use;
    known.set(key, row ?? { key, flops, choice: candidatesFor(gpu, use)[0], milliseconds: {} });
  }
  if (unmeasured) onMessage(`no time left for ${unmeasured} of them, which keep the default`);
  if (missing.length) {
    await cache?.write([...known.values()]).catch((error) =>
      onMessage(`the measurements are not kept: ${error.message}`)
    );
  }
  const rows = unique.flatMap(({ key }) => known.get(key) ?? []);
  const choices = Object.fromEntries(rows.map(({ key, choice }) => [key, choice]));
  gpu.tune({ choices: { ...gpu.tuning.choices, ...choices } });
  return rows;
}

/** Variants that compute an op differently, the default first. */
function candidatesFor(gpu: Gpu, { geometry }: GemmUse): GemmVariant[] {
  const all = [gpu.tuning.gemm, ...CANDIDATES[gpu.info.kind]];
  return [...new Set(all.map((variant) => resolveVariant(variant, geometry as Geometry)))];
}

/** Measures every candidate for one op; nothing if the time ran out before. */
async function measureUse(
  gpu: Gpu,
  use: GemmUse,
  end: number,
): Promise<CalibrationRow | undefined> {
  const milliseconds: Partial<Record<GemmVariant, number>> = {};
  let [choice, least]: [GemmVariant, number] = [gpu.tuning.gemm, Infinity];
  for (const variant of candidatesFor(gpu, use)) {
    if (performance.now() > end) return undefined;
    const time = await measure(gpu, use, variant, least).catch((error) => {
      if (error instanceof OutOfMemoryError) return Infinity; // this variant needs too much here
      throw error;
    });
    if (time < Infinity) milliseconds[variant] = time;
    // The default comes first, and any time is below infinity.
    if (time < least * MARGIN) [choice, least] = [variant, time];
  }
  return { key: use.key, flops: use.flops, choice, milliseconds };
}

/** Milliseconds of a run. A variant that is far behind the best so far runs only once. */
async function measure(
  gpu: Gpu,
  { kind, geometry }: GemmUse,
  variant: GemmVariant,
  best: number,
): Promise<number> {
  const g = geometry as Geometry;
  const [a, b] = shapesOf(kind, g);
  using program = gpu.compile(
    { a, b },
    (x: Record<"a" | "b", Tensor>) => ({ y: convOf(kind, x.a, x.b, g) }),
    { label: `calibration of ${kind}`, tuning: { gemm: variant, choices: {} } },
  );
  const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i));
  program.run({ a: wave(sizeOf(a)), b: wave(sizeOf(b)) });
  await gpu.idle(); // compiled
  const time = async (runs: number) => {
    const begun = performance.now();
    for (let i = 0; i < runs; i++) program.run();
    await gpu.idle();
    return (performance.now() - begun) / runs;
  };
  const once = await time(1);
  if (once > 3 * best + 20) return once;
  // A wait takes about 10 ms whatever it waits for: many short runs share one.
  const runs = Math.min(20, Math.ceil(60 / once));
  return Math.min(once, await time(runs));
}
