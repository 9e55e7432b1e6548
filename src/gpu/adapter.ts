/** Adapters: what they are called, what they can do, and a device of the one WebGPU chooses. */

import { AdapterError } from "../errors.ts";

/** A WebGPU device. This name and the next let other rooms name no GPU type. */
export type Device = GPUDevice;

/** What gives adapters: `navigator.gpu`, or what `create([])` of npm's `webgpu` gives. */
export type WebGPU = Pick<GPU, "requestAdapter">;

/** Which adapter, and of which WebGPU. */
export interface AdapterOptions {
  /** Which adapter, where a machine has two. Default "high-performance". */
  readonly powerPreference?: "low-power" | "high-performance";
  /** Where adapters come from. Default `navigator.gpu`; Node has none, but npm's `webgpu` does. */
  readonly gpu?: WebGPU;
}

/** The name and kind of an adapter. The strings are as WebGPU reports them and may be empty. */
export interface AdapterInfo {
  /** Its maker. */
  readonly vendor: string;
  /** Its family of GPUs. */
  readonly architecture: string;
  /** Its model. */
  readonly device: string;
  /** The driver's own name for it. */
  readonly description: string;
  /** Whether it computes on the CPU; it decides which kernel variants are the default. */
  readonly kind: "software" | "gpu";
}

/** What kind of adapter a device runs on. */
export type AdapterKind = AdapterInfo["kind"];

/** An adapter's name, limits and features, before a device is made of it. */
export interface AdapterReport {
  readonly info: AdapterInfo;
  /** By WebGPU's names. */
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
}

/** Limits that are raised to what the adapter has; the defaults are low. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxTextureDimension2D",
] as const;

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render|warp/i;

/** An adapter's name and kind. */
export function describe(info: GPUAdapterInfo | undefined): AdapterInfo {
  const description = info?.description ?? "";
  const software = info?.isFallbackAdapter || SOFTWARE.test(description);
  return {
    vendor: info?.vendor ?? "",
    architecture: info?.architecture ?? "",
    device: info?.device ?? "",
    description,
    kind: software ? "software" : "gpu",
  };
}

async function requestAdapter(
  { powerPreference = "high-performance", gpu = globalThis.navigator?.gpu }: AdapterOptions = {},
): Promise<GPUAdapter> {
  if (!gpu) {
    throw new AdapterError(
      "This runtime has no WebGPU (navigator.gpu is missing). Use Deno 2.8 or later, or a browser " +
        "that has WebGPU, or npm's webgpu: Gpu.request({ gpu: create([]) })",
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new AdapterError(
      "No WebGPU adapter was found. Install a graphics driver, or a software adapter: " +
        "on Debian or Ubuntu `apt-get install mesa-vulkan-drivers`, on Fedora " +
        "`dnf install mesa-vulkan-drivers`, on Arch `pacman -S vulkan-swrast`; " +
        "macOS and Windows bring theirs",
    );
  }
  return adapter;
}

/** Keeps what gave a device alive: when npm's `webgpu` is collected, its devices crash the process. */
const sources = new WeakMap<GPUDevice, WebGPU>();

/**
 * Requests an adapter and a device with the adapter's limits.
 *
 * @throws {AdapterError} when no adapter is found; the message says what to install.
 */
export async function requestDevice(
  options?: AdapterOptions,
): Promise<{ device: GPUDevice; info: AdapterInfo }> {
  const adapter = await requestAdapter(options);
  const info = describe(adapter.info);
  try {
    const device = await adapter.requestDevice({
      label: "@dcgan/webgpu",
      requiredLimits: Object.fromEntries(RAISED_LIMITS.map((name) => [name, adapter.limits[name]])),
      requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
    });
    if (options?.gpu) sources.set(device, options.gpu);
    return { device, info };
  } catch (cause) {
    throw new AdapterError(
      `The adapter ${info.description} gave no device: ${(cause as Error).message}. Close other ` +
        "programs that use it, or restart its driver",
      { cause },
    );
  }
}

/**
 * Describes the adapter that `Gpu.request` would take.
 *
 * @throws {AdapterError} when no adapter is found; the message says what to install.
 */
export async function probeAdapter(): Promise<AdapterReport> {
  const adapter = await requestAdapter();
  const limits: Record<string, number> = {};
  // They are getters of the prototype: Object.keys finds none.
  for (const name in adapter.limits) {
    const value = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") limits[name] = value;
  }
  return { info: describe(adapter.info), limits, features: [...adapter.features].sort() };
}
