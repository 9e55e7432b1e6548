/**
 * A fixed list of commands, made once and encoded again for every submit.
 *
 * @module
 */

import type { GpuDevice } from "./device.ts";
import { type Buffer, type BufferView, copyToTexture, type Texture } from "./memory.ts";
import type { Constants } from "./pipelines.ts";
import type { Kernel } from "./shader.ts";

/** What is bound under a name: a range of a buffer, or a texture. */
export type Resource = BufferView | Texture;

/** One dispatch, by names. */
export interface DispatchOptions {
  readonly label: string;
  readonly kernel: Kernel;
  readonly entryPoint: string;
  readonly constants: Constants;
  readonly bindings: Readonly<Record<string, Resource>>;
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations, for the profiler. */
  readonly flops?: number;
  /** Bytes that it reads or writes, for the profiler. */
  readonly bytes?: number;
}

interface Dispatch {
  readonly kind: "dispatch";
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly uses: readonly (Buffer | Texture)[];
  readonly workgroups: readonly [number, number, number];
  readonly flops: number;
  readonly bytes: number;
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
  /** Between the timestamps around it. */
  readonly milliseconds: number;
  /** Floating-point operations of the dense definition; 0 where they are not counted. */
  readonly flops: number;
  /** Bytes of what it binds, each thing once, however often it is read. */
  readonly bytes: number;
}

/** Builds commands once; {@linkcode CommandList.submit} replays them in one submit. */
export class CommandList {
  #commands: (Dispatch | Copy)[] = [];
  #submits = 0;
  #refused: Error | undefined;

  constructor(private readonly gpu: GpuDevice, readonly label: string) {}

  /** Number of dispatches. */
  get dispatches(): number {
    return this.#commands.filter((c) => c.kind === "dispatch").length;
  }

  /** Floating-point operations of all dispatches that count them. */
  get flops(): number {
    return this.#commands.reduce((sum, c) => sum + (c.kind === "dispatch" ? c.flops : 0), 0);
  }

  /** Adds a dispatch; its pipeline and bind group are made here, once. */
  dispatch(options: DispatchOptions): void {
    this.gpu.named(() => `${options.label} (${this.label})`, () => this.#dispatch(options));
  }

  #dispatch(options: DispatchOptions): void {
    const { kernel, entryPoint, bindings, label } = options;
    const pipeline = this.gpu.pipelines.get(kernel, entryPoint, options.constants);
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
    const group = this.gpu.device.createBindGroup({
      label,
      layout: pipeline.getBindGroupLayout(0),
      entries,
    });
    this.#commands.push({
      kind: "dispatch",
      label,
      pipeline,
      group,
      uses: Object.values(bindings).map((r) => "view" in r ? r : r.buffer),
      workgroups: options.workgroups,
      flops: options.flops ?? 0,
      bytes: options.bytes ?? 0,
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
    this.#named(first, () => this.#submit(first));
  }

  /** What is refused of a submit is named by its op, and `check` throws it until the next one. */
  #named(first: number, submit: () => void): void {
    const turn = ++this.#submits;
    this.#refused = undefined;
    this.gpu.named(() => this.#culprit(first), submit, (error) => {
      if (turn === this.#submits) this.#refused = error;
    });
  }

  /**
   * Throws if the device refused the last submit, as far as it has said so yet: nothing was computed.
   *
   * @throws {GpuValidationError}
   */
  check(): void {
    if (this.#refused) throw this.#refused;
  }

  /** The first command that the device refuses: each is encoded on its own, and none submitted. */
  async #culprit(first: number): Promise<string> {
    const { device, memory } = this.gpu;
    for (const command of this.#commands.slice(first)) {
      const { label } = command;
      const named = `${label} (${this.label})`;
      const uses = command.kind === "dispatch"
        ? command.uses
        : [command.from.buffer, "view" in command.to ? command.to : command.to.buffer];
      // Whether they live is only looked at when commands are submitted.
      if (uses.some((resource) => !memory.holds(resource))) return named;
      device.pushErrorScope("validation");
      const encoder = device.createCommandEncoder({ label });
      if (command.kind === "copy") encodeCopy(encoder, command);
      else encodeDispatch(encoder.beginComputePass({ label }), command);
      encoder.finish();
      if (await device.popErrorScope()) return named;
    }
    return this.label;
  }

  #submit(first: number): void {
    const encoder = this.gpu.device.createCommandEncoder({ label: this.label });
    let pass: GPUComputePassEncoder | undefined;
    let bound: GPUComputePipeline | undefined;
    for (let i = first; i < this.#commands.length; i++) {
      const command = this.#commands[i];
      if (command.kind === "copy") {
        pass?.end();
        pass = bound = undefined;
        encodeCopy(encoder, command);
        continue;
      }
      pass ??= encoder.beginComputePass({ label: this.label });
      if (bound !== command.pipeline) pass.setPipeline(bound = command.pipeline);
      pass.setBindGroup(0, command.group);
      pass.dispatchWorkgroups(...command.workgroups);
    }
    pass?.end();
    this.gpu.device.queue.submit([encoder.finish({ label: this.label })]);
  }

  /**
   * Runs everything once with a pass and two timestamps a dispatch.
   *
   * @throws {TypeError} when the device has no `timestamp-query`.
   */
  async profile(): Promise<Timing[]> {
    this.gpu.check();
    try {
      return await this.#profile();
    } catch (error) {
      this.gpu.check();
      throw await this.gpu.explain(error);
    }
  }

  async #profile(): Promise<Timing[]> {
    const { device } = this.gpu;
    if (!device.features.has("timestamp-query")) {
      throw new TypeError("Cannot profile: the device was made without timestamp-query");
    }
    const count = this.dispatches * 2;
    const querySet = device.createQuerySet({ type: "timestamp", count });
    const resolved = device.createBuffer({
      size: count * 8,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const staging = device.createBuffer({
      size: count * 8,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    const timed: Dispatch[] = [];
    this.#named(0, () => {
      const encoder = device.createCommandEncoder({ label: `${this.label} (profiled)` });
      this.#encodeTimed(encoder, querySet, timed);
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
      device.queue.submit([encoder.finish()]);
    });
    await staging.mapAsync(GPUMapMode.READ);
    await this.gpu.idle(); // which throws what was refused
    const times = new BigUint64Array(staging.getMappedRange().slice(0));
    for (const resource of [staging, resolved, querySet]) resource.destroy();
    return timed.map(({ label, pipeline, flops, bytes }, i) => ({
      label,
      kernel: pipeline.label,
      flops,
      bytes,
      start: Number(times[2 * i] - times[0]) / 1e6,
      milliseconds: Number(times[2 * i + 1] - times[2 * i]) / 1e6,
    }));
  }

  /** Every dispatch in a pass of its own, with the time at its beginning and end. */
  #encodeTimed(encoder: GPUCommandEncoder, querySet: GPUQuerySet, timed: Dispatch[]): void {
    for (const command of this.#commands) {
      if (command.kind === "copy") {
        encodeCopy(encoder, command);
        continue;
      }
      const pass = encoder.beginComputePass({
        label: command.label,
        timestampWrites: {
          querySet,
          beginningOfPassWriteIndex: 2 * timed.length,
          endOfPassWriteIndex: 2 * timed.length + 1,
        },
      });
      timed.push(command);
      encodeDispatch(pass, command);
    }
  }
}

function encodeDispatch(
  pass: GPUComputePassEncoder,
  { pipeline, group, workgroups }: Dispatch,
): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...workgroups);
  pass.end();
}

function encodeCopy(encoder: GPUCommandEncoder, { from, to }: Copy): void {
  if ("view" in to) return copyToTexture(encoder, from, to, from.bytes);
  encoder.copyBufferToBuffer(from.buffer.raw, from.offset, to.buffer.raw, to.offset, from.bytes);
}
