/**
 * Lowering: from nodes to the fixed list of dispatches and copies that computes them, over memory
 * that has no address yet.
 */

import type { DispatchOptions } from "../gpu/commands.ts";
import { ALIGNMENT, type BufferView, roundUp } from "../gpu/memory.ts";
import { once } from "../gpu/once.ts";
import { bytesOf, type Node, show, Tensor } from "./tensor.ts";
import type { GemmUse, Tuning } from "./tuning.ts";
import type { Variable } from "./variable.ts";

/** Memory of a tensor or of scratch space. It lies where the plan puts it, or at `fixed`. */
export class Storage {
  /** The place that it must have: a variable's or an input's buffer. */
  fixed?: BufferView;
  /** An input or a random state: the program gives it a fixed place. */
  port = false;
  /** The larger storage that it is a part of, and its byte offset there. */
  part?: { readonly of: Storage; readonly offset: number };
  /** What it holds before the first run. Its memory is its own, so that it keeps its value. */
  initial?: Uint32Array<ArrayBuffer>;

  constructor(readonly bytes: number, readonly label: string) {}

  /** The storage that is really allocated. */
  get root(): Storage {
    return this.part?.of.root ?? this;
  }
}

/** A storage's copy in a texture. Each run makes it anew, right before its first use. */
export class TextureCopy {
  constructor(readonly storage: Storage) {}
}

/** What a step reads or writes. */
export type Place = Storage | TextureCopy;

/** The storage whose contents a place holds. */
export function storageOf(place: Place): Storage {
  return place instanceof TextureCopy ? place.storage : place;
}

/** What a dispatch may bind. */
export type Operand = Tensor | Place;

/** A dispatch as an op describes it. */
export interface DispatchSpec
  extends Pick<DispatchOptions, "kernel" | "constants" | "workgroups" | "flops"> {
  /** Default "main". */
  readonly entryPoint?: string;
  readonly bindings: Readonly<Record<string, Operand>>;
  /** Stands after the op's name in the label. */
  readonly detail?: string;
}

/** A lowered dispatch. */
export interface DispatchStep extends Required<Omit<DispatchSpec, "detail">> {
  readonly kind: "dispatch";
  readonly label: string;
  readonly bindings: Readonly<Record<string, Place>>;
}

/** A lowered copy. */
export interface CopyStep {
  readonly kind: "copy";
  readonly label: string;
  readonly from: Storage;
  readonly to: Place;
  readonly bytes: number;
}

/** One step of a program. */
export type Step = DispatchStep | CopyStep;

/** Most workgroups along one dimension in every WebGPU implementation. */
const MAX_WORKGROUPS = 65535;

/** Workgroup counts for `count` invocations of a one-dimensional kernel that continues along y. */
export function grid(count: number, workgroupSize: number): [number, number, number] {
  const groups = Math.ceil(count / workgroupSize);
  if (groups <= MAX_WORKGROUPS) return [groups, 1, 1];
  const y = Math.ceil(groups / MAX_WORKGROUPS);
  return [Math.ceil(groups / y), y, 1];
}

/** What an op's `lower` writes to. */
export class Lowering {
  /** The program so far. */
  readonly steps: Step[] = [];
  /** GEMM-like ops so far, by key. */
  readonly gemms: Map<string, GemmUse> = new Map();
  #storages = new Map<Tensor, Storage>();
  #textures = new Map<Storage, TextureCopy>();
  #shared = new Map<string, Storage>();
  #constants = new Map<string, Storage>();
  #node?: Node;

  constructor(readonly tuning: Tuning) {}

  /** Begins a node: the steps that follow belong to it, and errors and labels name it. */
  enter(node: Node): void {
    this.#node = node;
  }

  /** `conv2d [8, 14, 14, 64]`: the current node in labels and messages. */
  get label(): string {
    const node = this.#node!;
    return `${node.op.name} ${node.outputs.length ? show(node.outputs[0].shape) : ""}`.trim();
  }

  /** The memory of a tensor. */
  storage(tensor: Tensor): Storage {
    return once(this.#storages, tensor, () => {
      const { shape, dtype, node: { op, inputs } } = tensor;
      return op.alias ? this.storage(inputs[0]) : new Storage(bytesOf(shape, dtype), this.label);
    });
  }

  /** Gives a tensor the memory of something else. */
  place(tensor: Tensor, storage: Storage): void {
    this.#storages.set(tensor, storage);
  }

  /** A variable's own memory, which holds its current value. */
  variable(variable: Variable): Storage {
    const { name, shape, dtype } = variable;
    const storage = new Storage(bytesOf(shape, dtype), `${name} ${show(shape)}`);
    storage.fixed = variable.view;
    return storage;
  }

  /** Memory that only the current node uses. */
  scratch(floats: number, what: string): Storage {
    return new Storage(floats * 4, `${this.label} ${what}`);
  }

  /**
   * A tensor's copy in a texture, one for all who read it. It is never out of date: a tensor is
   * written once, and each value of a variable is a tensor of its own.
   */
  texture(of: Tensor | Storage): TextureCopy {
    const storage = of instanceof Storage ? of : this.storage(of);
    return once(this.#textures, storage, () => {
      const copy = new TextureCopy(storage);
      this.copy(storage, copy, storage.bytes, "texture of");
      return copy;
    });
  }

  /**
   * What `make` computes from a tensor; only the first call makes it. It is never out of date, for
   * the same reason as a texture copy.
   */
  shared({ node, index }: Tensor, what: string, make: () => Storage): Storage {
    return once(this.#shared, `${node.id} ${index} ${what}`, make);
  }

  /** A buffer that holds these words before the first run and keeps them. */
  constant(words: readonly number[], label: string): Storage {
    return once(this.#constants, words.join(), () => {
      const storage = new Storage(4 * words.length, label);
      storage.initial = new Uint32Array(words);
      return storage;
    });
  }

  /** Emits a dispatch. */
  dispatch(spec: DispatchSpec): void {
    const { kernel, entryPoint = "main", constants, workgroups, detail, flops = 0 } = spec;
    const places = Object.entries(spec.bindings).map(([name, operand]) => [
      name,
      operand instanceof Tensor ? this.storage(operand) : operand,
    ]);
    const bindings: Record<string, Place> = Object.fromEntries(places);
    const label = detail ? `${this.label} ${detail}` : this.label;
    if (workgroups.some((n) => n > MAX_WORKGROUPS)) {
      throw new RangeError(
        `Cannot dispatch ${label} over ${workgroups.join(" x ")} workgroups: WebGPU allows ` +
          `${MAX_WORKGROUPS} a dimension. Use a smaller batch`,
      );
    }
    const step = { label, kernel, entryPoint, constants, bindings, workgroups, flops };
    this.steps.push({ kind: "dispatch", ...step });
  }

  /** Emits a copy of the first `bytes` of `from`. */
  copy(from: Storage, to: Place, bytes: number, what = "copy to"): void {
    this.steps.push({ kind: "copy", label: `${what} ${from.label}`, from, to, bytes });
  }

  /**
   * One storage that holds each tensor at its byte offset. Where possible, a tensor is computed
   * right into its place; otherwise it is copied there.
   */
  pack(tensors: readonly Tensor[], offsets: readonly number[], bytes: number): Storage {
    const whole = new Storage(roundUp(bytes, ALIGNMENT), `${this.label} packed`);
    tensors.forEach((tensor, i) => {
      const storage = this.storage(tensor);
      const movable = !storage.fixed && !storage.port && !storage.part && !storage.initial;
      if (movable && !this.#conflicts(storage, whole)) {
        storage.part = { of: whole, offset: offsets[i] };
        return;
      }
      let from = storage;
      if (storage.root === whole) {
        // The tensor is packed twice, and WebGPU cannot copy a buffer to itself.
        from = this.scratch(storage.bytes / 4, "packed twice");
        this.copy(storage, from, storage.bytes);
      }
      const copy = new Storage(storage.bytes, storage.label);
      copy.part = { of: whole, offset: offsets[i] };
      this.copy(from, copy, storage.bytes);
    });
    return whole;
  }

  /**
   * Whether a dispatch reads one of `part` and `whole` and writes the other: WebGPU forbids it. No
   * copy does, as what is copied into `whole` stays where it is, or is in `whole` already.
   */
  #conflicts(part: Storage, whole: Storage): boolean {
    return this.steps.some((step) => {
      if (step.kind === "copy") return false;
      const uses = (storage: Storage, reads: boolean) =>
        Object.entries(step.bindings).some(([name, place]) =>
          place instanceof Storage && place.root === storage &&
          (step.kernel.bindings.get(name)?.access === "read") === reads
        );
      return [true, false].some((reads) => uses(part, reads) && uses(whole, !reads));
    });
  }
}
