/**
 * The public `Gpu`: a device that holds variables and compiles recordings.
 *
 * @module
 */

import { type Device, GpuDevice, requestDevice, type RequestOptions } from "../gpu/device.ts";
import { ALIGNMENT, roundUp } from "../gpu/memory.ts";
import { lower } from "./compile.ts";
import { type InputSpec, type InputTensors, record, type TensorLike } from "./graph.ts";
import { requireTuning, TUNING, type Tuning } from "./tuning.ts";
import { Program } from "./program.ts";
import { bytesOf, type DType, type Shape, show, validateShape } from "./tensor.ts";
import { ADVICE_FOR_VARIABLES, type OutputArrays, toArray, Variable } from "./variable.ts";

/** Options of {@linkcode Gpu.request} and {@linkcode Gpu.from}. */
export interface GpuOptions extends RequestOptions {
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
  /** First values, row-major, or what makes them. Default zeros. */
  readonly data?: ArrayLike<number> | (() => ArrayLike<number>);
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
export class Gpu extends GpuDevice {
  #tuning: Tuning;

  private constructor(
    device: Device,
    info: GpuDevice["info"] | undefined,
    owned: boolean,
    tuning: Partial<Tuning> = {},
  ) {
    super(device, info, owned);
    this.#tuning = { ...TUNING[this.kind], ...requireTuning(tuning) };
  }

  /** How GEMM-like ops are computed here. */
  get tuning(): Tuning {
    return this.#tuning;
  }

  /**
   * Changes kernel choices for programs that are compiled from now on.
   *
   * @throws {RangeError} when one is none.
   */
  tune(tuning: Partial<Tuning>): void {
    this.#tuning = { ...this.#tuning, ...requireTuning(tuning) };
  }

  /**
   * Requests a device with the adapter's own limits.
   *
   * @throws {AdapterError} when there is no adapter; the message says what to install.
   */
  static async request(options: GpuOptions = {}): Promise<Gpu> {
    const { device, info } = await requestDevice(options);
    return new Gpu(device, info, true, options.tuning);
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
   */
  static from(device: Device, options: GpuOptions = {}): Gpu {
    return new Gpu(device, undefined, false, options.tuning);
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
   * @throws {TypeError} when the shape is not one, or data has another number of values.
   */
  variable<D extends DType = "f32">(
    shape: Shape,
    data?: ArrayLike<number>,
    options: VariableOptions<D> = {},
  ): Variable<D> {
    const { name = "variable", trainable = true, dtype = "f32" as D } = options;
    validateShape(shape, `Variable ${name}`);
    const sizes = [...shape]; // the caller's array may change
    this.check();
    const values = data && toArray(data, shape, dtype, name);
    const label = `${name} ${show(shape)}`;
    const buffer = this.memory.buffer(bytesOf(shape, dtype), label, ADVICE_FOR_VARIABLES);
    const view = { buffer, offset: 0, bytes: buffer.bytes };
    if (values) this.write(view, values);
    return new Variable(this, view, sizes, dtype, name, trainable);
  }

  /**
   * Several variables side by side in one buffer (trainable and other ones apart), so that an
   * optimizer updates a whole network in one dispatch.
   *
   * @throws {OutOfMemoryError} when they are larger than the device allows; no data is asked for then.
   */
  variables(specs: readonly VariableSpec[]): Variable<"f32">[] {
    this.check();
    const made = new Map<VariableSpec, Variable<"f32">>();
    const groups = [true, false].map((trainable) => {
      const group = specs.filter((s) => s.trainable === trainable);
      const sizes = group.map(({ shape }) => roundUp(bytesOf(shape, "f32"), ALIGNMENT));
      const bytes = sizes.reduce((a, b) => a + b, 0);
      const most = Math.max(...sizes);
      const largest = group[sizes.indexOf(most)];
      const label = largest && `${trainable ? "parameters" : "statistics"} (the largest is ` +
          `${largest.name} ${show(largest.shape)} with ${most} bytes)`;
      return { group, sizes, bytes, label };
    }).filter(({ group }) => group.length);
    for (const { bytes, label } of groups) {
      this.memory.requireSize(bytes, label, ADVICE_FOR_VARIABLES);
    }
    using buffers = new DisposableStack();
    for (const { group, sizes, bytes, label } of groups) {
      const buffer = this.memory.buffer(bytes, label, ADVICE_FOR_VARIABLES);
      buffers.defer(() => this.memory.free(buffer));
      let offset = 0;
      group.forEach((spec, i) => {
        const { name, shape, data: given, trainable } = spec;
        const data = typeof given === "function" ? given() : given;
        const view = { buffer, offset, bytes: sizes[i] };
        offset += sizes[i];
        if (data) this.write(view, toArray(data, shape, "f32", name));
        made.set(spec, new Variable(this, view, shape, "f32", name, trainable));
      });
    }
    buffers.move(); // kept, since no data was refused
    return specs.map((spec) => made.get(spec)!);
  }

  /**
   * Records `body` once and compiles it: dead nodes dropped, elementwise chains fused, memory
   * planned by liveness, every pipeline and bind group made.
   *
   * @param options.watch test every result for numbers that are not finite, for
   *   {@linkcode Program.firstNonFinite}; it costs a dispatch each. Default false.
   * @throws {TypeError} when a shape is wrong; the message names the op and both shapes.
   * @throws {OutOfMemoryError} when a tensor is larger than the device allows.
   */
  compile<
    const S extends Readonly<Record<string, InputSpec>>,
    T extends Readonly<Record<string, TensorLike>>,
  >(
    inputs: S,
    body: (inputs: InputTensors<S>) => T,
    options: {
      readonly label?: string;
      readonly tuning?: Partial<Tuning>;
      readonly watch?: boolean;
    } = {},
  ): Program<Extract<keyof S, string>, Extract<keyof T, string>, OutputArrays<T>> {
    this.check();
    const recording = record(inputs, body, this);
    const tuning = { ...this.tuning, ...requireTuning(options.tuning ?? {}) };
    return new Program(
      this,
      recording,
      lower(recording, tuning, options.watch),
      options.label ?? "program",
    );
  }
}
