/**
 * Steps that compute the same in every run: they read only variables, which the program does not
 * write. They move to the front and run again only after such a variable was written. So a generator
 * that makes images transforms its weights once.
 *
 * @module
 */

import type { Buffer } from "../gpu/memory.ts";
import { type Step, Storage, TextureCopy } from "./lower.ts";

/** Steps in a new order. */
export interface Invariants {
  /** The steps that are the same in every run, then the others, each in their old order. */
  readonly steps: readonly Step[];
  /** How many of them are the same in every run. */
  readonly count: number;
  /** The variables' buffers that those read. */
  readonly sources: readonly Buffer[];
}

type Place = Storage | TextureCopy | Buffer;

/** What holds an operand's contents: variables that share a buffer are one place. */
function placeOf(operand: Storage | TextureCopy): Place {
  return operand instanceof TextureCopy ? operand : operand.root.fixed?.buffer ?? operand.root;
}

/** What a step reads and writes. */
export function accesses(step: Step): {
  readonly reads: readonly (Storage | TextureCopy)[];
  readonly writes: readonly (Storage | TextureCopy)[];
} {
  if (step.kind === "copy") return { reads: [step.from], writes: [step.to] };
  const of = (...kinds: string[]) =>
    Object.entries(step.bindings)
      .filter(([name]) => kinds.includes(step.kernel.bindings.get(name)!.access))
      .map(([, operand]) => operand);
  return { reads: of("read", "read_write"), writes: of("write", "read_write") };
}

/** Finds the steps that are the same in every run. */
export function findInvariants(steps: readonly Step[]): Invariants {
  const isVariable = (place: Place) => !(place instanceof Storage || place instanceof TextureCopy);
  const changes = new Set<Place>(); // places whose contents differ from run to run
  for (const step of steps) {
    const { reads, writes } = accesses(step);
    for (const operand of reads) {
      if (operand instanceof Storage && operand.root.port) changes.add(placeOf(operand));
    }
    for (const operand of writes) {
      const place = placeOf(operand);
      if (isVariable(place)) changes.add(place);
    }
  }
  const varies = (step: Step) => {
    const { reads, writes } = accesses(step);
    return [...reads, ...writes].some((operand) => changes.has(placeOf(operand)));
  };
  // A varying step makes what it writes vary, and with it every step that reads that.
  for (let size = -1; size !== changes.size;) {
    size = changes.size;
    for (const step of steps) {
      if (varies(step)) {
        for (const operand of accesses(step).writes) changes.add(placeOf(operand));
      }
    }
  }
  const same = steps.filter((step) => !varies(step));
  const sources = new Set<Buffer>();
  for (const step of same) {
    for (const operand of accesses(step).reads) {
      const place = placeOf(operand);
      if (isVariable(place)) sources.add(place as Buffer);
    }
  }
  return {
    steps: [...same, ...steps.filter(varies)],
    count: same.length,
    sources: [...sources],
  };
}
