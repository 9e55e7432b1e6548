/** Compute pipelines, specialised by override constants and cached. */

import { once } from "./once.ts";
import type { Kernel } from "./shader.ts";

/** Values of a kernel's `override` constants. */
export type Constants = Readonly<Record<string, number>>;

/** Caches pipelines by (file, entry point, constants). */
export class Pipelines {
  #modules = new Map<Kernel, GPUShaderModule>();
  #pipelines = new Map<string, GPUComputePipeline>();

  /** An empty cache. */
  constructor(private readonly device: GPUDevice) {}

  /** Number of pipelines made so far. */
  get count(): number {
    return this.#pipelines.size;
  }

  /** The pipeline of `kernel` at `entryPoint`, specialised by `constants`. */
  get(kernel: Kernel, entryPoint: string, constants: Constants): GPUComputePipeline {
    for (const name of Object.keys(constants)) {
      if (!kernel.overrides.has(name)) {
        throw new TypeError(`${kernel.name}.wgsl declares no override constant ${name}`);
      }
    }
    const key = `${kernel.name} ${entryPoint} ${JSON.stringify(constants)}`;
    return once(this.#pipelines, key, () => {
      const module = once(
        this.#modules,
        kernel,
        () => this.device.createShaderModule({ label: `${kernel.name}.wgsl`, code: kernel.code }),
      );
      return this.device.createComputePipeline({
        label: `${kernel.name}.${entryPoint}`,
        layout: "auto",
        compute: { module, entryPoint, constants },
      });
    });
  }
}
