import assert from "node:assert/strict";
import { AdapterError, Gpu } from "../../mod.ts";
import { describe, probeAdapter } from "../../src/gpu/adapter.ts";

/** Requests with another `navigator` must be refused. */
async function refused(
  navigator: unknown,
  error: { message: RegExp; cause?: Error },
  ...requests: (() => Promise<unknown>)[]
): Promise<void> {
  const own = globalThis.navigator;
  const put = (value: unknown) =>
    Object.defineProperty(globalThis, "navigator", { value, configurable: true, writable: true });
  put(navigator);
  try {
    for (const request of requests) {
      await assert.rejects(request(), { constructor: AdapterError, ...error });
    }
  } finally {
    put(own);
  }
}

const gpuOf = (adapter: unknown) => ({ gpu: { requestAdapter: () => Promise.resolve(adapter) } });

Deno.test("adapter: a runtime without WebGPU, or a machine without adapter, is told what to do", async () => {
  for (
    const [navigator, message] of [
      [undefined, /^This runtime has no WebGPU .* Use Deno 2\.8 or later, or a browser/],
      [{}, /^This runtime has no WebGPU /],
      [gpuOf(null), /^No WebGPU adapter .* Install /],
    ] as const
  ) await refused(navigator, { message }, () => Gpu.request(), probeAdapter);
});

Deno.test("adapter: a WebGPU that is given takes the place of navigator's", async () => {
  await assert.rejects(Gpu.request({ gpu: { requestAdapter: () => Promise.resolve(null) } }), {
    name: "AdapterError",
    message: /^No WebGPU adapter /,
  });
});

Deno.test("adapter: a device that is not given is reported with the adapter's name and the cause", () => {
  const cause = new Error("it is busy");
  const adapter = {
    info: { description: "a card" },
    limits: {},
    features: new Set(),
    requestDevice: () => Promise.reject(cause),
  };
  const message = /^The adapter a card gave no device: it is busy\. Close other/;
  return refused(gpuOf(adapter), { message, cause }, () => Gpu.request());
});

Deno.test("adapter: what computes on the CPU is known by its name", () => {
  const kind = (info?: Partial<GPUAdapterInfo>) => describe(info as GPUAdapterInfo).kind;
  const software = ["llvmpipe (LLVM 15, 256 bits)", "SwiftShader Device"];
  for (const description of [...software, "Microsoft Basic Render Driver"]) {
    assert.equal(kind({ description }), "software", description);
  }
  assert.equal(kind({ description: "A", isFallbackAdapter: true }), "software");
  assert.equal(kind({ description: "NVIDIA GeForce RTX 4090" }), "gpu");
  assert.equal(kind(), "gpu");
});
