/**
 * What there is to know of an adapter, before a device is made of it.
 *
 * @module
 */

import { type AdapterInfo, describe, requestAdapter } from "./device.ts";

/** What an adapter says of itself. */
export interface AdapterReport {
  readonly info: AdapterInfo;
  /** By WebGPU's names. */
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  /** Whether it looks like OpenGL's; WebGPU does not say. */
  readonly openGL: boolean;
}

/**
 * Asks the adapter that `Gpu.request` would take.
 *
 * @throws {AdapterError} when there is none; the message says what to install.
 */
export async function probeAdapter(): Promise<AdapterReport> {
  const adapter = await requestAdapter();
  const limits: Record<string, number> = {};
  // They are getters of the prototype: Object.keys finds none.
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") limits[name] = value;
  }
  return {
    info: describe(adapter.info),
    limits,
    features: [...adapter.features].sort(),
    // OpenGL has no descriptor sets, so that wgpu says it takes any number of bindings.
    openGL: Deno.build.os === "linux" && limits.maxBindingsPerBindGroup === 0xffffffff,
  };
}
