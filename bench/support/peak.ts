/**
 * What an adapter can do at most, for fractions of it: arithmetic and memory traffic.
 *
 * @module
 */

import code from "./peak.wgsl" with { type: "text" };
import type { Gpu } from "../../mod.ts";
import { CommandList } from "../../src/gpu/commands.ts";
import { kernel } from "../../src/gpu/shader.ts";
import { hasTimestamps, secondsOf } from "./time.ts";

const peakKernel = kernel("peak", code);

/** Rounds of the kernel's loop: below the number at which some software adapters stop. */
const ROUNDS = 4000;
const FLOP_A_ROUND = 384;
const WORKGROUP = 64;

/** Seconds that the work must take at least, so that starting and waiting do not matter. */
const LONG_ENOUGH = 0.1;

/** Work for about {@linkcode LONG_ENOUGH} seconds: doubled from 16 on. */
async function grow(most: number, seconds: (size: number) => Promise<number>): Promise<number> {
  let size = 16;
  while (size < most && await seconds(size) < LONG_ENOUGH) size *= 2;
  return Math.min(size, most);
}

/** GFLOP/s of unrolled multiply-adds on registers: the best of a few runs. */
export async function measurePeak(gpu: Gpu): Promise<number> {
  const most = 32768;
  const buffer = gpu.context.memory.buffer(most * WORKGROUP * 4, "peak");
  const make = (workgroups: number) => {
    const commands = new CommandList(gpu.context, "peak");
    commands.dispatch({
      label: "peak",
      kernel: peakKernel,
      entryPoint: "main",
      constants: { ROUNDS },
      bindings: { y: { buffer, offset: 0, bytes: buffer.bytes } },
      workgroups: [workgroups, 1, 1],
    });
    return commands;
  };
  const seconds = async (commands: CommandList) => {
    if (hasTimestamps(gpu)) return (await commands.profile())[0].milliseconds / 1000;
    commands.submit();
    return (await secondsOf(1, () => gpu.idle()))[0];
  };
  await seconds(make(1)); // compiled
  const workgroups = await grow(most, (size) => seconds(make(size)));
  const commands = make(workgroups);
  let best = Infinity;
  for (let i = 0; i < 5; i++) best = Math.min(best, await seconds(commands));
  gpu.context.memory.free(buffer);
  return workgroups * WORKGROUP * ROUNDS * FLOP_A_ROUND / best / 1e9;
}

/** GB/s, read and written together, of the device's own copies between large buffers. */
export async function measureBandwidth(gpu: Gpu): Promise<number> {
  const bytes = 64 * 2 ** 20;
  const [from, to] = ["from", "to"].map((name) => {
    const buffer = gpu.context.memory.buffer(bytes, `bandwidth ${name}`);
    return { buffer, offset: 0, bytes };
  });
  const seconds = (copies: number) => {
    const commands = new CommandList(gpu.context, "bandwidth");
    for (let i = 0; i < copies; i++) commands.copy(from, to, "bandwidth");
    return secondsOf(1, () => {
      commands.submit();
      return gpu.idle();
    }).then(([time]) => time);
  };
  await seconds(1); // both buffers are really there
  const copies = await grow(4096, seconds);
  let best = Infinity;
  for (let i = 0; i < 3; i++) best = Math.min(best, await seconds(copies));
  for (const { buffer } of [from, to]) gpu.context.memory.free(buffer);
  return copies * 2 * bytes / best / 1e9;
}
