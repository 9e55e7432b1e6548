/** Compute pipelines, specialised by override constants and cached. */

import { GpuValidationError } from "../errors.ts";
import { once } from "./once.ts";
import type { Kernel } from "./shader.ts";

/** Values of a kernel's `override` constants. */
export type Constants = Readonly<Record<string, number>>;

/** What a pipeline is made of. */
export interface PipelineSpec {
  readonly kernel: Kernel;
  readonly entryPoint: string;
  readonly constants: Constants;
}

/** How many pipelines of a program are compiled. */
export interface CompileProgress {
  /** Compiled so far. */
  readonly done: number;
  /** To compile; those that another program has used are not counted. */
  readonly total: number;
}

/** How many pipelines are compiled at a time; a device has no more compilers than this. */
const SIDE_BY_SIDE = 8;

const keyOf = (kernel: Kernel, entryPoint: string, constants: Constants) =>
  `${kernel.name} ${entryPoint} ${JSON.stringify(constants)}`;

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
    const key = keyOf(kernel, entryPoint, constants);
    return once(
      this.#pipelines,
      key,
      () => this.device.createComputePipeline(this.#describe(kernel, entryPoint, constants)),
    );
  }

  /**
   * Compiles those that are missing, several at a time where the runtime can; `get` finds them then.
   *
   * @throws {GpuValidationError} when the device refuses one, naming it.
   */
  async prepare(specs: Iterable<PipelineSpec>, onCompile: (progress: CompileProgress) => void) {
    const missing = [...specs].map((spec) => {
      const { kernel, entryPoint, constants } = spec;
      return [keyOf(kernel, entryPoint, constants), spec] as const;
    }).filter(([key]) => !this.#pipelines.has(key));
    const queue = new Map(missing);
    const total = queue.size;
    let done = 0;
    const compile = async () => {
      for (const [key, { kernel, entryPoint, constants }] of queue) {
        queue.delete(key);
        const description = this.#describe(kernel, entryPoint, constants);
        const pipeline = await this.device.createComputePipelineAsync(description)
          .catch((cause) => {
            throw new GpuValidationError(`${description.label}: ${cause.message}`, { cause });
          });
        this.#pipelines.set(key, pipeline);
        onCompile({ done: ++done, total });
      }
    };
    // Not all at once: a runtime that compiles one after the other reports them one after the other.
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, compile));
  }

  #describe(kernel: Kernel, entryPoint: string, constants: Constants) {
    for (const name of Object.keys(constants)) {
      if (!kernel.overrides.has(name)) {
        throw new TypeError(`${kernel.name}.wgsl declares no override constant ${name}`);
      }
    }
    const module = once(
      this.#modules,
      kernel,
      () => this.device.createShaderModule({ label: `${kernel.name}.wgsl`, code: kernel.code }),
    );
    const label = `${kernel.name}.${entryPoint}`;
    return { label, layout: "auto" as const, compute: { module, entryPoint, constants } };
  }
}
