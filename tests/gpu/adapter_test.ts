import assert from "node:assert/strict";
import { AdapterError, Gpu } from "../../mod.ts";
import { describe, probeAdapter } from "../../src/gpu/adapter.ts";
import { refusedAs } from "../support/refused.ts";

/** Runs with another `navigator`. */
async function withNavigator(value: unknown, body: () => Promise<void>): Promise<void> {
  const { navigator } = globalThis;
  const put = (value: unknown) =>
    Object.defineProperty(globalThis, "navigator", { value, configurable: true, writable: true });
  put(value);
  try {
    await body();
  } finally {
    put(navigator);
  }
}

Deno.test("adapter: a runtime without WebGPU, or a machine without adapter, is told what to do", async () => {
  for (
    const [navigator, message] of [
      [undefined, /^This runtime has no WebGPU .* Use Deno 2\.8 or later, or a browser/],
      [{}, /^This runtime has no WebGPU /],
      [{ gpu: { requestAdapter: () => Promise.resolve(null) } }, /^No WebGPU adapter .* Install /],
    ] as const
  ) {
    await withNavigator(navigator, async () => {
      for (const request of [() => Gpu.request(), () => probeAdapter()]) {
        await assert.rejects(request(), refusedAs(AdapterError, message));
      }
    });
  }
});

Deno.test("adapter: a WebGPU that is given takes the place of navigator's", async () => {
  const gpu = { requestAdapter: () => Promise.resolve(null) };
  await assert.rejects(Gpu.request({ gpu }), refusedAs(AdapterError, /^No WebGPU adapter /));
});

Deno.test("adapter: a device that is not given is reported with the adapter's name and the cause", async () => {
  const cause = new Error("it is busy");
  const adapter = {
    info: { description: "a card" },
    limits: {},
    features: new Set(),
    requestDevice: () => Promise.reject(cause),
  };
  await withNavigator({ gpu: { requestAdapter: () => Promise.resolve(adapter) } }, async () => {
    const message = /^The adapter a card gave no device: it is busy\. Close other/;
    await assert.rejects(Gpu.request(), (error: Error) => {
      assert.equal(error.cause, cause);
      return refusedAs(AdapterError, message)(error);
    });
  });
});

Deno.test("adapter: what computes on the CPU is known by its name", () => {
  const kind = (info: Partial<GPUAdapterInfo>) => describe(info as GPUAdapterInfo).kind;
  const software = ["llvmpipe (LLVM 15, 256 bits)", "SwiftShader Device"];
  for (const description of [...software, "Microsoft Basic Render Driver"]) {
    assert.equal(kind({ description }), "software", description);
  }
  assert.equal(kind({ description: "A", isFallbackAdapter: true }), "software");
  assert.equal(kind({ description: "NVIDIA GeForce RTX 4090" }), "gpu");
  assert.equal(describe(undefined).kind, "gpu");
});
