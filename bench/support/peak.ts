/**
 * The arithmetic peak of an adapter, for fractions of it.
 *
 * @module
 */

import code from "./peak.wgsl" with { type: "text" };
import type { Gpu } from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import { kernel } from "../../src/gpu/shader.ts";

const peakKernel = kernel("peak", code);

const INVOCATIONS = 16384;
const ROUNDS = 400;
const FLOP_A_ROUND = 384;

/** GFLOP/s of unrolled multiply-adds: the best of a few runs. */
export async function measurePeak(gpu: Gpu): Promise<number> {
  const buffer = gpu.memory.buffer(INVOCATIONS * 4, "peak");
  const commands = new CommandList(gpu, "peak");
  commands.dispatch({
    label: "peak",
    kernel: peakKernel,
    entryPoint: "main",
    constants: { ROUNDS },
    bindings: { y: { buffer, offset: 0, bytes: buffer.bytes } },
    workgroups: [INVOCATIONS / 64, 1, 1],
  });
  let best = Infinity;
  for (let i = 0; i < 7; i++) {
    const begun = performance.now();
    commands.submit();
    await gpu.idle();
    if (i > 0) best = Math.min(best, performance.now() - begun);
  }
  gpu.memory.free(buffer);
  return INVOCATIONS * ROUNDS * FLOP_A_ROUND / best / 1e6;
}
