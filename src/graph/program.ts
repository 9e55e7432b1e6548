/**
 * A compiled program: memory with addresses, pipelines, and one command list that is replayed.
 *
 * @module
 */

import { CommandList, type Resource, type Timing } from "../gpu/commands.ts";
import type { GpuDevice } from "../gpu/device.ts";
import {
  ADVICE,
  ALIGNMENT,
  type Buffer,
  type BufferView,
  roundUp,
  type Texture,
  TEXTURE_WIDTH,
  textureRows,
} from "../gpu/memory.ts";
import { OutOfMemoryError } from "../errors.ts";
import type { Lowered } from "./compile.ts";
import type { Recording } from "./graph.ts";
import { accesses } from "./invariant.ts";
import { type Step, Storage, TextureCopy } from "./lower.ts";
import { needsOf, type ProgramNeeds } from "./needs.ts";
import { type Block, plan } from "./plan.ts";
import { type DType, type Shape, sizeOf } from "./tensor.ts";
import { bytesOf } from "./tensor.ts";
import type { GemmUse } from "./tuning.ts";
import { ADVICE_FOR_VARIABLES, fromBytes, toArray, type TypedArray } from "./variable.ts";

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

interface Port {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly view: BufferView;
}

/** What {@linkcode Program.run} takes for each input. */
export type InputData = ArrayLike<number>;

/**
 * A compiled recording with inputs I and outputs O, which are read as the arrays A. Outputs are of
 * Float32Array where their tensors' types do not say otherwise.
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
  /** Limits of a device that it needs. */
  readonly needs: ProgramNeeds;
  /** Its GEMM-like ops, for `calibrate`. */
  readonly gemms: readonly GemmUse[];
  #inputs = new Map<string, Port>();
  #outputs = new Map<string, Port>();
  /** Inputs that have never been given. */
  #missing = new Set<string>();
  #owned: (Buffer | Texture)[] = [];
  #commands: CommandList;
  /** Commands that are the same in every run, and the versions of what they read when they last ran. */
  #invariant: number;
  #sources: readonly Buffer[];
  #versions: readonly number[] = [];
  /** Errors of the device before the last run; none before the first. */
  #failures = -1;
  /** Variables' buffers that a run writes. */
  #written: ReadonlySet<Buffer>;
  /** Tests of its results: what they are called, and where their flags are. */
  #watch: { readonly labels: readonly string[]; readonly flags: BufferView } | undefined;
  #disposed = false;

  /** @ignore Programs are made by `gpu.compile`. */
  constructor(
    private readonly gpu: GpuDevice,
    recording: Recording,
    lowered: Lowered,
    readonly label: string,
  ) {
    requireLimits(lowered, gpu);
    this.needs = needsOf(lowered.steps);
    this.gemms = lowered.gemms;
    this.#invariant = lowered.invariant;
    this.#sources = lowered.sources;
    this.#written = new Set(
      lowered.steps.flatMap((step) => accesses(step).writes).flatMap((w) =>
        w instanceof Storage ? w.root.fixed?.buffer ?? [] : []
      ),
    );
    this.#commands = new CommandList(gpu, label);
    try {
      for (const [name, storage] of lowered.inputs) {
        const { shape, dtype } = recording.inputs[name];
        const buffer = this.#own(gpu.memory.buffer(storage.bytes, storage.label));
        storage.fixed = { buffer, offset: 0, bytes: buffer.bytes };
        this.#inputs.set(name, { shape, dtype, view: storage.fixed });
        this.#missing.add(name);
      }
      const { resolve, plannedBytes, tensorBytes } = this.#allocate(lowered);
      for (const step of lowered.steps) this.#emit(step, resolve);
      if (lowered.watch) {
        const { labels, flags } = lowered.watch;
        this.#watch = { labels, flags: resolve(flags) as BufferView };
      }
      for (const [name, storage] of lowered.outputs) {
        const { shape, dtype } = recording.outputs[name];
        this.#outputs.set(name, { shape, dtype, view: resolve(storage) as BufferView });
      }
      const { dispatches, flops } = this.#commands;
      this.stats = { dispatches, flops, plannedBytes, tensorBytes };
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Enqueues one run and returns at once. Inputs keep their last data; those given are replaced.
   *
   * @throws {TypeError} for an unknown input, a wrong number of values, or an input that the first
   *   run misses.
   * @throws the device's pending error, if there is one.
   */
  run(inputs: Partial<Readonly<Record<I, InputData>>> = {}): void {
    this.#ready();
    const entries = (Object.entries(inputs) as [string, InputData | undefined][])
      .filter((entry): entry is [string, InputData] => entry[1] !== undefined);
    const writes = entries.map(([name, data]) => {
      const port = this.#inputs.get(name);
      if (!port) {
        throw new TypeError(
          `This program has no input ${name}; it has ${
            [...this.#inputs.keys()].join(", ") || "none"
          }`,
        );
      }
      return { to: port.view, data: toArray(data, port.shape, port.dtype, `input ${name}`) };
    });
    this.#requireInputs(entries.map(([name]) => name));
    // Nothing is written before everything is checked.
    for (const { to, data } of writes) this.gpu.write(to, data);
    if (this.#watch) this.gpu.write(this.#watch.flags, new Uint32Array(this.#watch.labels.length));
    this.#missing.clear();
    const versions = this.#sources.map(({ version }) => version);
    const same = this.#versions.length === versions.length &&
      versions.every((version, i) => version === this.#versions[i]);
    // After an error, which may have dropped a submit, nothing is taken to be there already.
    const { failures } = this.gpu;
    this.#commands.submit(same && this.#failures === failures ? this.#invariant : 0);
    this.#failures = failures;
    this.#versions = versions;
    for (const buffer of this.#written) buffer.version++;
  }

  /**
   * Outputs of the last run, all with one wait: those named, or every one. f32 outputs are
   * Float32Array, u32 ones Uint32Array, in row-major order. An output that is a variable is the
   * value that it had in that run, whatever was written since.
   *
   * @throws {TypeError} for an unknown output.
   * @throws {GpuValidationError} naming the op, when the device refused the run: until the next one.
   */
  async read<N extends O = O>(...names: N[]): Promise<Pick<A, N>> {
    this.#ready();
    const wanted = names.length ? names : [...this.#outputs.keys()] as N[];
    const ports = wanted.map((name) => {
      const port = this.#outputs.get(name);
      if (!port) {
        throw new TypeError(
          `This program has no output ${name}; it has ${[...this.#outputs.keys()].join(", ")}`,
        );
      }
      return port;
    });
    const data = await this.gpu.read(ports.map(({ view, shape, dtype }) => ({
      ...view,
      bytes: roundUp(bytesOf(shape, dtype), 4),
    })));
    this.#commands.check();
    const result: Record<string, TypedArray> = {};
    ports.forEach(({ shape, dtype }, i) => {
      result[wanted[i]] = fromBytes(data[i], dtype, sizeOf(shape));
    });
    return result as Pick<A, N>;
  }

  /**
   * What held or made the first number of the last run that is not finite (NaN or infinite): an
   * input, a variable or an op with its shape; nothing if all are finite. The program must have been
   * compiled with `watch`. Fused ops count as one, and what variables hold after a run is looked at,
   * too.
   *
   * ```ts
   * import { Gpu, ops } from "@dcgan/webgpu";
   *
   * using gpu = await Gpu.request();
   * const program = gpu.compile(
   *   { x: [2] },
   *   ({ x }) => ({ y: ops.sum(ops.log(x)) }),
   *   { watch: true },
   * );
   * program.run({ x: [1, 0] });
   * console.log(await program.firstNonFinite()); // log [2]
   * ```
   *
   * @throws {TypeError} when the program was compiled without `watch`.
   */
  async firstNonFinite(): Promise<string | undefined> {
    this.#ready();
    if (!this.#watch) {
      throw new TypeError(`Cannot look into ${this.label}: compile it with { watch: true }`);
    }
    const { labels, flags } = this.#watch;
    const [bytes] = await this.gpu.read([{ ...flags, bytes: 4 * labels.length }]);
    const first = new Uint32Array(bytes).indexOf(1);
    return first < 0 ? undefined : labels[first];
  }

  /** Runs once with the last inputs and measures each dispatch with timestamps. */
  async profile(): Promise<Timing[]> {
    this.#ready();
    this.#requireInputs([]);
    const timings = this.#commands.profile();
    for (const buffer of this.#written) buffer.version++;
    return await timings;
  }

  /** Frees the program's memory. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const resource of this.#owned.splice(0)) this.gpu.memory.free(resource);
  }

  #ready(): void {
    this.gpu.check();
    if (this.#disposed) throw new TypeError(`The program ${this.label} was disposed`);
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

  #own<T extends Buffer | Texture>(resource: T): T {
    this.#owned.push(resource);
    return resource;
  }

  /** Plans and allocates what has no place yet; buffers and textures are two pools. */
  #allocate(lowered: Lowered) {
    const lives = liveRanges(lowered);
    for (const storage of [...lives.keys()].filter((k) => k instanceof Storage)) {
      if (!storage.initial) continue;
      const buffer = this.#own(this.gpu.memory.buffer(storage.bytes, storage.label));
      storage.fixed = { buffer, offset: 0, bytes: buffer.bytes };
      this.gpu.write(storage.fixed, storage.initial);
      lives.delete(storage);
    }
    const storages = [...lives.keys()].filter((k) => k instanceof Storage);
    const copies = [...lives.keys()].filter((k) => k instanceof TextureCopy);
    const textureBytes = (copy: TextureCopy) =>
      textureRows(copy.storage.bytes) * TEXTURE_WIDTH * 16;
    const bufferBlocks = storages.map((s) => block(roundUp(s.bytes, ALIGNMENT), lives.get(s)!));
    const textureBlocks = copies.map((m) => block(textureBytes(m), lives.get(m)!));
    const buffers = plan(bufferBlocks);
    const textures = plan(textureBlocks);
    // A slot is as large as the largest that it holds, which is what a message should name.
    const largest = (slot: number, slotOf: readonly number[], all: readonly Storage[]) =>
      all.filter((_, i) => slotOf[i] === slot).reduce((a, b) => b.bytes > a.bytes ? b : a).label;
    const slots = buffers.slotBytes.map((bytes, i) => {
      const label = `${this.label} slot ${i} (${largest(i, buffers.slotOf, storages)})`;
      return this.#own(this.gpu.memory.buffer(bytes, label));
    });
    const copied = copies.map(({ storage }) => storage);
    const textureSlots = textures.slotBytes.map((bytes, i) => {
      const label = `${this.label} texture ${i} (${largest(i, textures.slotOf, copied)})`;
      return this.#own(this.gpu.memory.texture(textureRows(bytes), label));
    });
    const bufferOf = new Map(storages.map((s, i) => [s, slots[buffers.slotOf[i]]]));
    const textureOf = new Map(copies.map((m, i) => [m, textureSlots[textures.slotOf[i]]]));
    const resolve = (operand: Storage | TextureCopy): Resource => {
      if (operand instanceof TextureCopy) return textureOf.get(operand)!;
      if (operand.fixed) return operand.fixed;
      const bytes = roundUp(operand.bytes, ALIGNMENT);
      if (operand.part) {
        const { buffer, offset } = resolve(operand.part.of) as BufferView;
        return { buffer, offset: offset + operand.part.offset, bytes };
      }
      return { buffer: bufferOf.get(operand)!, offset: 0, bytes };
    };
    const total = (blocks: readonly Block[]) => blocks.reduce((sum, b) => sum + b.bytes, 0);
    return {
      resolve,
      plannedBytes: [...buffers.slotBytes, ...textures.slotBytes].reduce((a, b) => a + b, 0),
      tensorBytes: total(bufferBlocks) + total(textureBlocks),
    };
  }

  #emit(step: Step, resolve: (operand: Storage | TextureCopy) => Resource): void {
    if (step.kind === "copy") {
      const from = resolve(step.from) as BufferView;
      const to = resolve(step.to);
      // Whole 16-byte texels; every buffer is padded far enough.
      const bytes = roundUp(step.bytes, 16);
      this.#commands.copy(
        { ...from, bytes },
        "view" in to ? to : { ...to, bytes },
        step.label,
      );
      return;
    }
    const bindings = Object.fromEntries(
      Object.entries(step.bindings).map(([name, operand]) => [name, resolve(operand)]),
    );
    // What is bound twice is counted once, and a texture by what it holds, not by its slot.
    const bytes = [...new Set(Object.values(step.bindings))].reduce(
      (sum, operand) => sum + (operand instanceof TextureCopy ? operand.storage : operand).bytes,
      0,
    );
    this.#commands.dispatch({ ...step, bindings, bytes });
  }
}

/**
 * Refuses what the device cannot bind or allocate, before anything is allocated.
 *
 * @throws {OutOfMemoryError} naming the op, what it needs, the limit, and what to change.
 */
function requireLimits({ steps }: Lowered, gpu: GpuDevice): void {
  const { limits } = gpu.device;
  const variables = new Set(
    steps.flatMap((step) => step.kind === "copy" ? [step.from] : Object.values(step.bindings))
      .flatMap((operand) =>
        (operand instanceof TextureCopy ? operand.storage : operand).fixed ?? []
      )
      .map(({ bytes }) => bytes),
  );
  const require = (
    limit: "maxStorageBufferBindingSize" | "maxBufferSize" | "maxTextureDimension2D",
    most: number,
    of: Storage,
    needs: () => string,
  ) => {
    if (most <= limits[limit]) return;
    // What has its place already is a variable, and what is as large is a gradient: no batch makes it
    // smaller.
    const ofVariable = of.root.fixed || variables.has(roundUp(of.bytes, ALIGNMENT));
    const advice = ofVariable ? ADVICE_FOR_VARIABLES : ADVICE;
    throw new OutOfMemoryError(`${needs()}: this device's ${limit} is ${limits[limit]}. ${advice}`);
  };
  for (const step of steps) {
    const operands: [string, Storage | TextureCopy][] = step.kind === "copy"
      ? [["its source", step.from], ["its target", step.to]]
      : Object.entries(step.bindings);
    for (const [name, operand] of operands) {
      if (operand instanceof TextureCopy) {
        const { storage } = operand;
        const rows = textureRows(storage.bytes);
        require(
          "maxTextureDimension2D",
          rows,
          storage,
          () =>
            `${step.label} needs ${storage.bytes} bytes in a texture of ${rows} rows for ` +
            storage.label,
        );
        continue;
      }
      const bytes = operand.fixed?.bytes ?? roundUp(operand.bytes, ALIGNMENT);
      if (step.kind !== "copy") {
        require(
          "maxStorageBufferBindingSize",
          bytes,
          operand,
          () => `${step.label} needs ${bytes} bytes in one binding for ${name}, ${operand.label}`,
        );
      }
      const { root } = operand;
      const whole = roundUp(root.bytes, ALIGNMENT);
      if (root.fixed) continue; // It is there.
      require(
        "maxBufferSize",
        whole,
        root,
        () => `${step.label} needs a buffer of ${whole} bytes for ${name}, ${root.label}`,
      );
    }
  }
}

function block(bytes: number, { first, last }: { first: number; last: number }): Block {
  return { bytes, first, last };
}

/** First and last step of everything that needs a place. */
export function liveRanges(
  { steps, outputs, invariant }: Pick<Lowered, "steps" | "outputs" | "invariant">,
): Map<Storage | TextureCopy, { first: number; last: number }> {
  const lives = new Map<Storage | TextureCopy, { first: number; last: number }>();
  const touch = (operand: Storage | TextureCopy, step: number) => {
    const key = operand instanceof Storage ? operand.root : operand;
    if (key instanceof Storage && key.fixed) return;
    const life = lives.get(key);
    if (life) life.last = Math.max(life.last, step);
    else lives.set(key, { first: step, last: step });
    // What stays from run to run has its place for itself.
    if (step >= invariant && lives.get(key)!.first < invariant) {
      lives.set(key, { first: 0, last: steps.length });
    }
  };
  steps.forEach((step, i) => {
    const used = step.kind === "copy" ? [step.from, step.to] : Object.values(step.bindings);
    for (const operand of used) touch(operand, i);
  });
  for (const storage of outputs.values()) touch(storage, steps.length);
  return lives;
}
