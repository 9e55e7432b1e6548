/** Devices and commands that refuse, or are refused. */

import assert from "node:assert/strict";
import type { DispatchOptions } from "../../src/gpu/commands.ts";
import type { Buffer } from "../../src/gpu/memory.ts";
import { kernel } from "../../src/gpu/shader.ts";

/** A device with WebGPU's least limits: 128 MiB a binding, 256 MiB a buffer. No device has less. */
export async function leastDevice(limits: Record<string, number> = {}): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  return await adapter!.requestDevice({ requiredLimits: limits });
}

export async function refusal(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

/** For assert.throws and assert.rejects: an error of a class, whose message has all patterns. */
export const refusedAs = (Kind: new (message: string) => Error, ...patterns: RegExp[]) => {
  return (error: unknown): true => {
    assert.ok(error instanceof Kind, (error as Error).stack);
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  };
};

/** What messages advise where the batch decides about memory, and where it does not. */
export const SMALLER_BATCH = /Use a smaller batch or a narrower network$/;
export const NARROWER = /A smaller batch does not help: use a narrower network/;

const WRITE_ONE = kernel(
  "write_one",
  `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
   @compute @workgroup_size(64) fn main() { y[0] = 1.0; }`,
);

/** A dispatch like another, with a name of its own. */
export function writeOne(label: string, buffer: Buffer, groups = 1): DispatchOptions {
  return {
    label,
    kernel: WRITE_ONE,
    entryPoint: "main",
    constants: {},
    bindings: { y: { buffer, offset: 0, bytes: 256 } },
    workgroups: [groups, 1, 1],
  };
}
