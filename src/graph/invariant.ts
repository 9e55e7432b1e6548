/**
 * Steps that compute the same in every run: they read only variables, which the program does not
 * write. They move to the front and run again only after such a variable was written. So a generator
 * that makes images transforms its weights once.
 */

import type { Buffer } from "../gpu/memory.ts";
import { type Place, type Step, Storage, TextureCopy } from "./lower.ts";

/** Steps in a new order. */
export interface Invariants {
  /** The steps that are the same in every run, then the others, each in their old order. */
  readonly steps: readonly Step[];
  /** How many of them are the same in every run. */
  readonly count: number;
  /** The variables' buffers that those read. */
  readonly sources: readonly Buffer[];
}

/** What holds an operand's contents: variables that share a buffer are one place. */
function placeOf(operand: Place): Place | Buffer {
  return operand instanceof TextureCopy ? operand : operand.root.fixed?.buffer ?? operand.root;
}

/** What a step reads and writes. */
export function accesses(step: Step): {
  readonly reads: readonly Place[];
  readonly writes: readonly Place[];
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
  const isPort = (place: Place | Buffer) => place instanceof Storage && place.port;
  const isVariable = (place: Place | Buffer): place is Buffer =>
    !(place instanceof Storage || place instanceof TextureCopy);
  const all = steps.map((step) => {
    const { reads, writes } = accesses(step);
    return { step, reads: reads.map(placeOf), writes: writes.map(placeOf) };
  });
  // Places whose contents differ from run to run
  const changes = new Set(
    all.flatMap(({ reads, writes }) => [...reads.filter(isPort), ...writes.filter(isVariable)]),
  );
  const varies = ({ reads, writes }: typeof all[number]) =>
    [...reads, ...writes].some((place) => changes.has(place));
  // A varying step makes what it writes vary, and with it every step that reads that.
  for (let size = -1; size !== changes.size;) {
    size = changes.size;
    for (const { writes } of all.filter(varies)) writes.forEach((place) => changes.add(place));
  }
  const same = all.filter((use) => !varies(use));
  return {
    steps: [...same, ...all.filter(varies)].map(({ step }) => step),
    count: same.length,
    sources: [...new Set(same.flatMap(({ reads }) => reads.filter(isVariable)))],
  };
}
