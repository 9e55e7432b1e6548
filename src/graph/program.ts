/** A compiled program: memory, pipelines, and one command list that every run replays. */

import { CommandList, type Timing } from "../gpu/commands.ts";
import type { GpuContext } from "../gpu/context.ts";
import { type Buffer, roundUp } from "../gpu/memory.ts";
import { Allocation } from "./allocate.ts";
import { type Port, readArrays, toArray, type TypedArray } from "./arrays.ts";
import type { Lowered } from "./compile.ts";
import type { Recording } from "./graph.ts";
import { accesses } from "./invariant.ts";
import { needsOf, type ProgramNeeds } from "./limits.ts";
import { type Step, Storage, storageOf } from "./lower.ts";
import type { GemmUse } from "./tuning.ts";
import { FiniteFlags } from "./non_finite.ts";

/** What a program costs. */
export interface ProgramStats {
  /** Kernel dispatches a run. */
  readonly dispatches: number;
  /** Floating-point operations of all GEMM-like ops by their dense definition. */
  readonly flops: number;
  /** Bytes of buffers and textures that the plan allocated for tensors of the step. */
  readonly plannedBytes: number;
  /** Bytes that the same tensors would hold without sharing. */
  readonly tensorBytes: number;
}

/**
 * A compiled recording with inputs I and outputs O, which are read as the arrays A: Float32Array
 * where the tensors' types do not say otherwise.
 *
 * ```ts
 * import { Gpu, ops } from "@dcgan/webgpu";
 *
 * using gpu = await Gpu.request();
 * using program = gpu.compile({ x: [2], y: [2] }, ({ x, y }) => ({
 *   sum: ops.add(x, y),
 *   product: ops.mul(x, y),
 * }));
 * program.run({ x: [1, 2], y: [3, 4] });
 * program.run({ x: [5, 6] }); // y stays
 * const { product } = await program.read("product");
 * console.log(product); // Float32Array(2) [ 15, 24 ]
 * ```
 */
export class Program<
  I extends string = string,
  O extends string = string,
  A extends Readonly<Record<O, TypedArray>> = Record<O, Float32Array<ArrayBuffer>>,
> {
  /** What it costs. */
  readonly stats: ProgramStats;
  /** @ignore Limits of a device that it needs. */
  readonly needs: ProgramNeeds;
  /** Its GEMM-like ops, for `calibrate`. */
  readonly gemms: readonly GemmUse[];
  readonly #inputs: ReadonlyMap<string, Port>;
  readonly #outputs: ReadonlyMap<string, Port>;
  /** Inputs that have no data yet. */
  readonly #missing: Set<string>;
  readonly #memory: Allocation;
  readonly #commands: CommandList;
  /** Commands that are the same in every run, and the versions of what they read when they last ran. */
  readonly #invariant: number;
  readonly #sources: readonly Buffer[];
  #versions: readonly number[] = [];
  /** Errors of the device before the last run; -1 before the first. */
  #errors = -1;
  /** Variables' buffers that a run writes. */
  readonly #written: ReadonlySet<Buffer>;
  readonly #finite: FiniteFlags | undefined;
  #hasRun = false;
  #disposed = false;

  /** @ignore Programs are made by `gpu.compile`. */
  constructor(
    private readonly context: GpuContext,
    recording: Recording,
    lowered: Lowered,
    readonly label: string,
  ) {
    const { steps, finite } = lowered;
    this.needs = needsOf(steps);
    this.gemms = lowered.gemms;
    this.#invariant = lowered.invariant;
    this.#sources = lowered.sources;
    this.#written = new Set(
      steps.flatMap((step) => accesses(step).writes)
        .flatMap((w) => w instanceof Storage ? w.root.fixed?.buffer ?? [] : []),
    );
    this.#commands = new CommandList(context, label);
    const memory = this.#memory = new Allocation(context, lowered, label);
    try {
      for (const step of steps) emit(step, memory, this.#commands);
      this.#finite = finite &&
        new FiniteFlags(context, memory.resolve(finite.flags), finite.labels);
      const ports = (of: Lowered["outputs"], tensors: Recording["outputs"]) =>
        new Map([...of].map(([name, storage]): [string, Port] => {
          const { shape, dtype } = tensors[name];
          return [name, { shape, dtype, view: memory.resolve(storage) }];
        }));
      this.#inputs = ports(lowered.inputs, recording.inputs);
      this.#outputs = ports(lowered.outputs, recording.outputs);
      this.#missing = new Set(this.#inputs.keys());
      const { dispatches, flops } = this.#commands;
      const { plannedBytes, tensorBytes } = memory;
      this.stats = { dispatches, flops, plannedBytes, tensorBytes };
    } catch (error) {
      memory[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Enqueues one run and returns at once. Inputs keep their last data; those given are replaced.
   *
   * @throws {TypeError} for an unknown input, a wrong number of values, a value that is no number, or
   *   an input that the first run misses.
   * @throws {RangeError} for a number that the input's type does not have.
   * @throws the device's pending error, if there is one.
   */
  run(inputs: Partial<Readonly<Record<I, ArrayLike<number>>>> = {}): void {
    this.#requireUsable();
    const given = (Object.entries(inputs) as [string, ArrayLike<number> | undefined][])
      .filter((entry): entry is [string, ArrayLike<number>] => entry[1] !== undefined);
    const writes = given.map(([name, data]) => {
      const { view, shape, dtype } = this.#port(name, this.#inputs, "input");
      return { view, data: toArray(data, shape, dtype, `input ${name}`) };
    });
    this.#requireInputs(given.map(([name]) => name));
    // Nothing is written before everything is checked.
    for (const { view, data } of writes) this.context.write(view, data);
    this.#finite?.clear();
    this.#missing.clear();
    const versions = this.#sources.map(({ version }) => version);
    const same = this.#versions.length === versions.length &&
      versions.every((version, i) => version === this.#versions[i]);
    // An error may have dropped a submit: after one, the invariant commands run again.
    const { count } = this.context.errors;
    this.#commands.submit(same && this.#errors === count ? this.#invariant : 0);
    this.#errors = count;
    this.#hasRun = true;
    this.#versions = versions;
    for (const buffer of this.#written) buffer.version++;
  }

  /**
   * Outputs of the last run, all with one wait: those named, or every one. f32 outputs are
   * Float32Array, u32 ones Uint32Array, in row-major order. An output that is a variable is the
   * value that it had in that run, whatever was written since.
   *
   * @throws {TypeError} for an unknown output, or before the first run.
   * @throws {GpuValidationError} naming the op, when the device refused the run: until the next one.
   */
  async read<N extends O = O>(...names: N[]): Promise<Pick<A, N>> {
    this.#requireUsable();
    const wanted = names.length ? names : [...this.#outputs.keys()] as N[];
    const ports = wanted.map((name) => this.#port(name, this.#outputs, "output"));
    this.#requireRun();
    const data = await readArrays(this.context, ports);
    this.#commands.check();
    return Object.fromEntries(wanted.map((name, i) => [name, data[i]])) as Pick<A, N>;
  }

  /**
   * Names what held or computed the first number of the last run that is NaN or infinite: an input,
   * a variable, or an op with its shape. Undefined if all numbers are finite. The program must have
   * been compiled with `checkFinite`. Fused ops count as one. The check covers what variables hold
   * after the run, too.
   *
   * ```ts
   * import { Gpu, ops } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const program = gpu.compile(
   *   { x: [2] },
   *   ({ x }) => ({ y: ops.sum(ops.log(x)) }),
   *   { checkFinite: true },
   * );
   * program.run({ x: [1, 0] });
   * console.log(await program.firstNonFinite()); // log [2]
   * ```
   *
   * @throws {TypeError} when the program was compiled without `checkFinite`, or before the first run.
   */
  async firstNonFinite(): Promise<string | undefined> {
    this.#requireUsable();
    if (!this.#finite) {
      throw new TypeError(`Cannot look into ${this.label}: compile it with { checkFinite: true }`);
    }
    this.#requireRun();
    return await this.#finite.first();
  }

  /**
   * Runs once with the last inputs and measures each dispatch with timestamps.
   *
   * @throws {TypeError} when the device has no `timestamp-query`, or an input has no data yet.
   */
  async profile(): Promise<Timing[]> {
    this.#requireUsable();
    this.#requireInputs([]);
    const profile = this.#commands.profile();
    for (const buffer of this.#written) buffer.version++;
    const timings = await profile;
    this.#hasRun = true;
    return timings;
  }

  /** Frees the program's memory. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#memory[Symbol.dispose]();
  }

  #requireUsable(): void {
    this.context.errors.check();
    if (this.#disposed) throw new TypeError(`The program ${this.label} was disposed`);
  }

  #requireRun(): void {
    if (!this.#hasRun) throw new TypeError(`Cannot read from ${this.label}, which has not run yet`);
  }

  #port(name: string, ports: ReadonlyMap<string, Port>, kind: "input" | "output"): Port {
    const port = ports.get(name);
    if (port) return port;
    const names = [...ports.keys()].join(", ") || "none";
    throw new TypeError(`This program has no ${kind} ${name}; it has ${names}`);
  }

  #requireInputs(given: readonly string[]): void {
    const missing = [...this.#missing].filter((name) => !given.includes(name));
    if (missing.length) {
      throw new TypeError(
        `The first run of ${this.label} needs a value for ${missing.join(", ")}; ` +
          "later runs keep what they had",
      );
    }
  }
}

/** Adds a step to the commands. */
function emit(step: Step, memory: Allocation, commands: CommandList): void {
  if (step.kind === "copy") {
    // Whole 16-byte texels; every buffer is padded far enough.
    const bytes = roundUp(step.bytes, 16);
    const from = { ...memory.resolve(step.from), bytes };
    const to = memory.resolve(step.to);
    return commands.copy(from, "view" in to ? to : { ...to, bytes }, step.label);
  }
  const bindings = Object.fromEntries(
    Object.entries(step.bindings).map(([name, operand]) => [name, memory.resolve(operand)]),
  );
  // What is bound twice is counted once, and a texture by what it holds, not by its slot.
  const bytes = [...new Set(Object.values(step.bindings))].reduce(
    (sum, place) => sum + storageOf(place).bytes,
    0,
  );
  commands.dispatch({ ...step, bindings, bytes });
}
