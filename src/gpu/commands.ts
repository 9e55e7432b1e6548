/** A fixed list of commands, made once and encoded again for every submit. */

import type { GpuContext } from "./context.ts";
import { type BufferView, encodeCopy, type Texture } from "./memory.ts";
import type { Constants } from "./pipelines.ts";
import type { Kernel } from "./shader.ts";
import { Timestamps } from "./timestamps.ts";

/** What is bound under a name: a range of a buffer, or a texture. */
export type Resource = BufferView | Texture;

/** One dispatch, with bindings and constants by name. */
export interface DispatchOptions {
  readonly label: string;
  readonly kernel: Kernel;
  readonly entryPoint: string;
  readonly constants: Constants;
  readonly bindings: Readonly<Record<string, Resource>>;
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations of the dense definition, for the profiler. Default 0: not counted. */
  readonly flops?: number;
  /** Bytes that it reads or writes, for the profiler. */
  readonly bytes?: number;
}

interface Dispatch extends DispatchOptions {
  readonly kind: "dispatch";
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

interface Copy {
  readonly kind: "copy";
  readonly label: string;
  readonly from: BufferView;
  readonly to: BufferView | Texture;
}

/** Milliseconds that one command took on the device. */
export interface Timing {
  /** The op and its shape. */
  readonly label: string;
  /** The kernel and its entry point. */
  readonly kernel: string;
  /** When it began, in milliseconds after the first dispatch of the run. */
  readonly start: number;
  /** Its duration, from the timestamps before and after it. */
  readonly milliseconds: number;
  /** Floating-point operations of the dense definition; 0 where they are not counted. */
  readonly flops: number;
  /** Bytes of all its bindings, each counted once. */
  readonly bytes: number;
}

/** Commands made once, which {@linkcode CommandList.submit} replays in one submit. */
export class CommandList {
  #commands: (Dispatch | Copy)[] = [];
  #submits = 0;
  #refused: Error | undefined;

  constructor(private readonly context: GpuContext, readonly label: string) {}

  /** Number of dispatches. */
  get dispatches(): number {
    return this.#commands.filter((c) => c.kind === "dispatch").length;
  }

  /** Floating-point operations of all dispatches that count them. */
  get flops(): number {
    return this.#commands.reduce((sum, c) => sum + (c.kind === "dispatch" ? c.flops ?? 0 : 0), 0);
  }

  /** Adds a dispatch; its pipeline and bind group are made here, once. */
  dispatch(options: DispatchOptions): void {
    const { kernel, entryPoint, constants, bindings, label } = options;
    const { device, errors, pipelines } = this.context;
    errors.named(() => `${label} (${this.label})`, () => {
      const pipeline = pipelines.get(kernel, entryPoint, constants);
      const entries = Object.entries(bindings).map(([name, resource]): GPUBindGroupEntry => {
        const binding = kernel.bindings.get(name);
        if (!binding) throw new TypeError(`${kernel.name}.wgsl declares no binding ${name}`);
        return {
          binding: binding.index,
          resource: "view" in resource
            ? resource.view
            : { buffer: resource.buffer.raw, offset: resource.offset, size: resource.bytes },
        };
      });
      const layout = pipeline.getBindGroupLayout(0);
      const group = device.createBindGroup({ label, layout, entries });
      this.#commands.push({ ...options, kind: "dispatch", pipeline, group });
    });
  }

  /** Adds a copy of `from`, whole, to a buffer range or a texture. */
  copy(from: BufferView, to: BufferView | Texture, label: string): void {
    this.#commands.push({ kind: "copy", label, from, to });
  }

  /**
   * Encodes everything from command `first` on, consecutive dispatches in one pass, and submits once.
   * Does not wait.
   */
  submit(first = 0): void {
    this.#named(first, () => {
      const encoder = this.context.device.createCommandEncoder({ label: this.label });
      let pass: GPUComputePassEncoder | undefined;
      let bound: GPUComputePipeline | undefined;
      for (const command of this.#commands.slice(first)) {
        if (command.kind === "copy") {
          pass?.end();
          pass = bound = undefined;
          encodeCopy(encoder, command.from, command.to);
          continue;
        }
        pass ??= encoder.beginComputePass({ label: this.label });
        if (bound !== command.pipeline) pass.setPipeline(bound = command.pipeline);
        pass.setBindGroup(0, command.group);
        pass.dispatchWorkgroups(...command.workgroups);
      }
      pass?.end();
      this.context.device.queue.submit([encoder.finish({ label: this.label })]);
    });
  }

  /** If the device refuses a command, keeps an error that names its op; `check` throws it until the next submit. */
  #named(first: number, submit: () => void): void {
    const turn = ++this.#submits;
    this.#refused = undefined;
    this.context.errors.named(() => this.#culprit(first), submit, (error) => {
      if (turn === this.#submits) this.#refused = error;
    });
  }

  /**
   * Throws if the device reported that it refused the last submit: then it computed nothing.
   *
   * @throws {GpuValidationError}
   */
  check(): void {
    if (this.#refused) throw this.#refused;
  }

  /** The first command that the device refuses. Encodes each on its own and submits none. */
  async #culprit(first: number): Promise<string> {
    const { device, memory } = this.context;
    for (const command of this.#commands.slice(first)) {
      const { label } = command;
      const named = `${label} (${this.label})`;
      const used = command.kind === "dispatch"
        ? Object.values(command.bindings)
        : [command.from, command.to];
      // The device checks only at a submit whether buffers still exist.
      if (used.some((r) => !memory.holds("view" in r ? r : r.buffer))) return named;
      device.pushErrorScope("validation");
      const encoder = device.createCommandEncoder({ label });
      encode(encoder, command);
      encoder.finish();
      if (await device.popErrorScope()) return named;
    }
    return this.label;
  }

  /**
   * Runs everything once and times each dispatch.
   *
   * @throws {TypeError} when the device has no `timestamp-query`.
   */
  async profile(): Promise<Timing[]> {
    const { device } = this.context;
    if (!device.features.has("timestamp-query")) {
      throw new TypeError("Cannot profile: the device was made without timestamp-query");
    }
    return await this.context.errors.settle(async () => {
      using stamps = new Timestamps(device, this.dispatches);
      const timed: Dispatch[] = [];
      this.#named(0, () => {
        const encoder = device.createCommandEncoder({ label: `${this.label} (profiled)` });
        for (const command of this.#commands) {
          const isTimed = command.kind === "dispatch";
          encode(encoder, command, isTimed ? stamps.writes(timed.push(command) - 1) : undefined);
        }
        stamps.resolve(encoder);
        device.queue.submit([encoder.finish()]);
      });
      const times = await stamps.read();
      return timed.map(({ label, pipeline, flops = 0, bytes = 0 }, i) => ({
        label,
        kernel: pipeline.label,
        flops,
        bytes,
        start: times[2 * i] - times[0],
        milliseconds: times[2 * i + 1] - times[2 * i],
      }));
    });
  }
}

/** Encodes a command, a dispatch in a pass of its own. */
function encode(
  encoder: GPUCommandEncoder,
  command: Dispatch | Copy,
  timestampWrites?: GPUComputePassTimestampWrites,
): void {
  if (command.kind === "copy") return encodeCopy(encoder, command.from, command.to);
  const pass = encoder.beginComputePass({ label: command.label, timestampWrites });
  pass.setPipeline(command.pipeline);
  pass.setBindGroup(0, command.group);
  pass.dispatchWorkgroups(...command.workgroups);
  pass.end();
}
