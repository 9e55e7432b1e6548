/** The public `Gpu`: a device that holds variables and compiles recordings. */

import {
  type AdapterInfo,
  type AdapterOptions,
  type Device,
  requestDevice,
} from "../gpu/adapter.ts";
import { GpuContext } from "../gpu/context.ts";
import type { CompileProgress } from "../gpu/pipelines.ts";
import { ALIGNMENT, type Buffer, roundUp } from "../gpu/memory.ts";
import { describe, type OutputArrays, toArray } from "./arrays.ts";
import { lower, type Lowered } from "./compile.ts";
import {
  type InputSpec,
  type InputTensors,
  record,
  type Recording,
  type TensorLike,
} from "./graph.ts";
import { requireLimits } from "./limits.ts";
import { requireTuning, TUNING, type Tuning } from "./tuning.ts";
import { Program } from "./program.ts";
import { bytesOf, type DType, requireDType, type Shape, show, validateShape } from "./tensor.ts";
import { ADVICE_FOR_VARIABLES, Variable } from "./variable.ts";

/** Options of {@linkcode Gpu.request} and {@linkcode Gpu.from}. */
export interface GpuOptions extends AdapterOptions {
  /** Overrides the kernel choices that the kind of adapter suggests. */
  readonly tuning?: Partial<Tuning>;
}

/** Options of {@linkcode Gpu.variable}. */
export interface VariableOptions<D extends DType = DType> {
  /** Name in summaries, checkpoints and messages. Default "variable". */
  readonly name?: string;
  /** Whether an optimizer may change it. Default true. */
  readonly trainable?: boolean;
  /** Default "f32". */
  readonly dtype?: D;
}

/** One of the variables that {@linkcode Gpu.variables} lays side by side. */
export interface VariableSpec {
  /** Name in summaries, checkpoints and messages. */
  readonly name: string;
  /** Sizes of its axes. */
  readonly shape: Shape;
  /** Whether an optimizer may change it. */
  readonly trainable: boolean;
  /** First values, row-major, or a function that makes them. Default zeros. */
  readonly data?: ArrayLike<number> | (() => ArrayLike<number>);
}

/** Options of {@linkcode Gpu.compile}. */
export interface CompileOptions {
  /** Name of the program in messages. Default "program". */
  readonly label?: string;
  /** Overrides kernel choices of the device. */
  readonly tuning?: Partial<Tuning>;
  /**
   * Test every result for NaN and infinities, for {@linkcode Program.firstNonFinite}; it costs a
   * dispatch each. Default false.
   */
  readonly checkFinite?: boolean;
  /** @deprecated The former name of `checkFinite`. */
  readonly watch?: boolean;
}

/**
 * A WebGPU device.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * const program = gpu.compile({ x: [2, 2] }, ({ x }) => ({ y: ops.matmul(x, x) }));
 * program.run({ x: [1, 2, 3, 4] });
 * console.log(await program.read("y"));
 * ```
 */
export class Gpu {
  /** @ignore Memory, pipelines and errors of the device, for the rest of this library. */
  readonly context: GpuContext;
  #tuning: Tuning;

  private constructor(context: GpuContext, tuning: Partial<Tuning> = {}) {
    this.context = context;
    this.#tuning = { ...TUNING[context.info.kind], ...requireTuning(tuning) };
  }

  /**
   * Requests a device with the adapter's own limits.
   *
   * @throws {AdapterError} when there is no adapter; the message says what to install.
   */
  static async request(options: GpuOptions = {}): Promise<Gpu> {
    requireTuning(options.tuning ?? {}); // before there is a device to free
    const { device, info } = await requestDevice(options);
    return new Gpu(new GpuContext(device, true, info), options.tuning);
  }

  /**
   * Uses the caller's device. Disposing frees what was allocated here and leaves the device alone.
   *
   * ```ts
   * import { Gpu } from "@dcgan/webgpu";
   *
   * const adapter = await navigator.gpu.requestAdapter();
   * const device = await adapter!.requestDevice();
   * using gpu = Gpu.from(device);
   * console.log(gpu.info.description);
   * ```
   *
   * @throws {TypeError} when it is no GPUDevice.
   */
  static from(device: Device, options: GpuOptions = {}): Gpu {
    // By its methods: where WebGPU comes from a package, the class is not a global.
    if (typeof device?.createBuffer !== "function") {
      throw new TypeError(
        `Gpu.from expects a GPUDevice, got ${describe(device)}: request one from an adapter, or ` +
          "use Gpu.request()",
      );
    }
    return new Gpu(new GpuContext(device, false), options.tuning);
  }

  /** The WebGPU device itself. */
  get device(): Device {
    return this.context.device;
  }

  /** The adapter's name and kind. */
  get info(): AdapterInfo {
    return this.context.info;
  }

  /** How GEMM-like ops are computed here. */
  get tuning(): Tuning {
    return this.#tuning;
  }

  /**
   * Changes kernel choices for programs that are compiled from now on.
   *
   * @throws {RangeError} for an unknown choice.
   */
  tune(tuning: Partial<Tuning>): void {
    this.#tuning = { ...this.#tuning, ...requireTuning(tuning) };
  }

  /**
   * Persistent state on the device; zeros without data.
   *
   * ```ts
   * import { Gpu } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const kernel = gpu.variable([2, 2], [1, 2, 3, 4], { name: "kernel" });
   * const zeros = gpu.variable([8]);
   * console.log(await kernel.read()); // Float32Array(4) [ 1, 2, 3, 4 ]
   * ```
   *
   * @throws {TypeError} for an invalid shape or type, or data of another number of values.
   * @throws {RangeError} for data that the type does not have.
   */
  variable<D extends DType = "f32">(
    shape: Shape,
    data?: ArrayLike<number>,
    options: VariableOptions<D> = {},
  ): Variable<D> {
    const { name = "variable", trainable = true, dtype = "f32" as D } = options;
    validateShape(shape, `Variable ${name}`);
    requireDType(dtype, `Variable ${name}`);
    const sizes = [...shape]; // the caller's array may change
    this.context.errors.check();
    const values = data !== undefined && toArray(data, shape, dtype, name);
    const label = `${name} ${show(shape)}`;
    const buffer = this.context.memory.buffer(bytesOf(shape, dtype), label, ADVICE_FOR_VARIABLES);
    const view = { buffer, offset: 0, bytes: buffer.bytes };
    if (values) this.context.write(view, values);
    return new Variable(this.context, view, sizes, dtype, name, trainable);
  }

  /**
   * Several variables in one buffer, so that an optimizer updates a whole network in one dispatch.
   * Trainable variables and others have a buffer each.
   *
   * @throws {TypeError} for an invalid shape, or data of another number of values.
   * @throws {OutOfMemoryError} when they are larger than the device allows; functions that make data
   *   are not called then.
   */
  variables(specs: readonly VariableSpec[]): Variable<"f32">[] {
    const { errors, memory } = this.context;
    errors.check();
    for (const { name, shape } of specs) validateShape(shape, `Variable ${name}`);
    const made = new Map<VariableSpec, Variable<"f32">>();
    const groups = [true, false].map((trainable) => specs.filter((s) => s.trainable === trainable))
      .filter((group) => group.length)
      .map((group) => {
        const sizes = group.map(({ shape }) => roundUp(bytesOf(shape, "f32"), ALIGNMENT));
        const bytes = sizes.reduce((a, b) => a + b, 0);
        const most = Math.max(...sizes);
        const { name, shape, trainable } = group[sizes.indexOf(most)];
        const label = `${trainable ? "parameters" : "statistics"} (the largest is ${name} ` +
          `${show(shape)} with ${most} bytes)`;
        memory.requireSize(bytes, label, ADVICE_FOR_VARIABLES);
        return { group, sizes, bytes, label };
      });
    const buffers: Buffer[] = [];
    try {
      for (const { group, sizes, bytes, label } of groups) {
        const buffer = memory.buffer(bytes, label, ADVICE_FOR_VARIABLES);
        buffers.push(buffer);
        let offset = 0;
        group.forEach((spec, i) => {
          const { name, shape, data: given, trainable } = spec;
          const data = typeof given === "function" ? given() : given;
          const view = { buffer, offset, bytes: sizes[i] };
          offset += sizes[i];
          if (data) this.context.write(view, toArray(data, shape, "f32", name));
          made.set(spec, new Variable(this.context, view, shape, "f32", name, trainable));
        });
      }
    } catch (error) { // Data was refused.
      for (const buffer of buffers) memory.free(buffer);
      throw error;
    }
    return specs.map((spec) => made.get(spec)!);
  }

  /**
   * Records `body` once and compiles it: drops dead nodes, fuses elementwise chains, plans memory by
   * liveness, and makes every pipeline and bind group.
   *
   * @throws {TypeError} when a shape is wrong; the message names the op and both shapes.
   * @throws {OutOfMemoryError} when a tensor is larger than the device allows.
   */
  compile<
    const S extends Readonly<Record<string, InputSpec>>,
    T extends Readonly<Record<string, TensorLike>>,
  >(
    inputs: S,
    body: (inputs: InputTensors<S>) => T,
    options: CompileOptions = {},
  ): Program<Extract<keyof S, string>, Extract<keyof T, string>, OutputArrays<T>> {
    return new Program(this.context, ...this.#lower(inputs, body, options));
  }

  /**
   * As {@linkcode Gpu.compile}, but pipelines are compiled beside other work, and several at a time
   * where the runtime can: in a browser they take seconds, and a page should say how far they are.
   *
   * ```ts
   * import { Gpu, ops } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * using program = await gpu.compileAsync({ x: [2] }, ({ x }) => ({ y: ops.exp(x) }), {
   *   onCompile: ({ done, total }) => console.log(`${done} of ${total} kernels`), // 1 of 1 kernels
   * });
   * ```
   *
   * @param options.onCompile called after each pipeline
   * @throws as {@linkcode Gpu.compile}, and {GpuValidationError} when the device refuses a pipeline.
   */
  async compileAsync<
    const S extends Readonly<Record<string, InputSpec>>,
    T extends Readonly<Record<string, TensorLike>>,
  >(
    inputs: S,
    body: (inputs: InputTensors<S>) => T,
    options: CompileOptions & { readonly onCompile?: (progress: CompileProgress) => void } = {},
  ): Promise<Program<Extract<keyof S, string>, Extract<keyof T, string>, OutputArrays<T>>> {
    const [recording, lowered, label] = this.#lower(inputs, body, options);
    const dispatches = lowered.steps.filter((step) => step.kind === "dispatch");
    const { errors, pipelines } = this.context;
    await errors.settle(() => pipelines.prepare(dispatches, options.onCompile ?? (() => {})));
    // Meanwhile the caller may have disposed one.
    for (const variable of recording.graph.versions.keys()) variable.requireUsable(this.context);
    return new Program(this.context, recording, lowered, label);
  }

  #lower<S extends Readonly<Record<string, InputSpec>>>(
    inputs: S,
    body: (inputs: InputTensors<S>) => Readonly<Record<string, TensorLike>>,
    options: CompileOptions,
  ): [recording: Recording, lowered: Lowered, label: string] {
    this.context.errors.check();
    const { label = "program", checkFinite = options.watch } = options;
    const tuning = { ...this.tuning, ...requireTuning(options.tuning ?? {}) };
    const recording = record(inputs, body, this.context);
    const lowered = lower(recording, tuning, checkFinite);
    requireLimits(lowered.steps, this.device.limits);
    return [recording, lowered, label];
  }

  /** Resolves when everything enqueued so far is done. Throws what the device refused of it. */
  idle(): Promise<void> {
    return this.context.idle();
  }

  /** Frees everything that was allocated here, and the device unless it is the caller's. */
  [Symbol.dispose](): void {
    this.context[Symbol.dispose]();
  }
}
