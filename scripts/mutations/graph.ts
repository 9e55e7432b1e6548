/**
 * Faults in recording, differentiation, fusion, planning and replay.
 *
 * @module
 */

import { type Fault, faultsOf } from "./fault.ts";

const PLAN = ["planner", "elementwise", "fuzz_graphs", "ops"];

export const GRAPH: readonly Fault[] = [
  ...faultsOf("src/graph/grad.ts", ["ops", "planner"], {
    "a gradient replaces the one before": ["sum ? add(sum, gradient) : gradient", "gradient"],
    "a variable is its oldest value": ["findLast((t) => above", "find((t) => above"],
  }),
  ...faultsOf("src/graph/graph.ts", ["random", "planner"], {
    "every draw has the same stream": [
      "this.#streams.set(state, stream + 1);",
      "this.#streams.set(state, stream || 1);",
    ],
    "a variable is its first value for ever": ["versions[versions.length - 1]", "versions[0]"],
  }),
  ...faultsOf("src/graph/plan.ts", PLAN, {
    "memory is given away one step too early": [
      "a.first <= b.last && b.first <= a.last",
      "a.first < b.last && b.first < a.last",
    ],
  }),
  ...faultsOf("src/graph/program.ts", PLAN, {
    "the first use ends a life": ["Math.max(life.last, step)", "Math.min(life.last, step)"],
    "what later runs need shares memory": [
      "lives.set(key, { first: 0, last: steps.length });",
      "lives.set(key, { first: 0, last: step });",
    ],
    "outputs share memory with what comes later": [
      "touch(storage, steps.length)",
      "touch(storage, 0)",
    ],
    "what a run writes is taken for unchanged": [
      "this.#versions = versions;\n    for (const buffer of this.#written) buffer.version++;",
      "this.#versions = versions;",
    ],
    "what a profile writes is taken for unchanged": [
      "const timings = this.#commands.profile();\n    for (const buffer of this.#written) buffer.version++;",
      "const timings = this.#commands.profile();",
    ],
  }),
  ...faultsOf("src/graph/program.ts", ["watch"], {
    "flags of the run before are left": [
      "if (this.#watch) this.gpu.write(this.#watch.flags, new Uint32Array(this.#watch.labels.length));",
      "",
    ],
  }),
  ...faultsOf("src/graph/program.ts", ["refused", "order", "gpu"], {
    "after a failed run its results are taken for there": [
      "same && this.#failures === failures ?",
      "same ?",
    ],
  }),
  ...faultsOf("src/graph/compile.ts", PLAN, {
    "a fused reader counts where it was recorded": ["positionOf.get(node) ?? node.id", "node.id"],
    "a reader behind a reshape is not seen": [
      "node.op.alias ? lastUse(node.outputs[0]) : ",
      "",
    ],
    "an output inside of a chain is not stored": [
      "&& !n.outputs.some((t) => outputs.has(t));",
      ";",
    ],
    "an overwritten value is not kept": [
      "lastUse(version) >= overwritten",
      "lastUse(version) === Infinity",
    ],
  }),
  ...faultsOf("src/graph/elementwise.ts", PLAN, {
    "a value with another reader is fused": [
      "consumers.get(output)!.every((n) => members.has(n))",
      "consumers.get(output)!.some((n) => members.has(n))",
    ],
    "rows are read in fours that are not": [
      "(dims.at(-1) ?? 1) % 4 === 0",
      "(dims.at(-1) ?? 1) % 2 === 0",
    ],
    "axes are merged where an input is not broadcast": [
      "last.every((b, i) => b === pattern[i])",
      "last.some((b, i) => b === pattern[i])",
    ],
    "the sixth input is taken for the first": [
      ": inputs.indexOf(tensor);",
      ": inputs.indexOf(tensor) % 5;",
    ],
  }),
  ...faultsOf("src/graph/invariant.ts", PLAN, {
    "what a program assigns is taken for the same": [
      "if (isVariable(place)) changes.add(place);",
      "",
    ],
    "inputs are taken for the same": [
      "if (operand instanceof Storage && operand.root.port) changes.add(placeOf(operand));",
      "",
    ],
    "what is computed from a change is taken for the same": [
      "for (const operand of accesses(step).writes) changes.add(placeOf(operand));",
      "",
    ],
  }),
  ...faultsOf("src/graph/lower.ts", ["planner", "adam", "winograd"], {
    "a gradient is packed where it is still read": [
      "if (movable && !this.#conflicts(storage, whole))",
      "if (movable)",
    ],
    "a gradient that is packed twice is read where it is written": [
      "if (storage.root === whole) {",
      "if (storage.root !== storage.root) {",
    ],
    "constants of other values share memory": [
      "const key = words.join();",
      "const key = words.length.toString();",
    ],
  }),
  ...faultsOf("src/ops/winograd.ts", ["winograd", "ops", "oracle_step"], {
    "a kernel's points are shared with its transposed use": [
      "`winograd ${g.strides} ${isTransposed}`",
      "`winograd ${g.strides}`",
    ],
  }),
  ...faultsOf("src/gpu/memory.ts", ["ops", "winograd", "parity"], {
    "the last row of a texture has the first one's values": [
      "offset: from.offset + rows * ROW_BYTES",
      "offset: from.offset",
    ],
  }),
  ...faultsOf("src/gpu/device.ts", ["order", "refused", "gpu"], {
    "an error of the device is forgotten": ["this.#error ??= error;", ""],
    "a read does not see what was refused before it": [
      "// What was refused meanwhile may have been what this waited for.\n      this.checkSince(failures);",
      "",
    ],
  }),
  ...faultsOf("src/gpu/device.ts", ["planner"], {
    "a write does not count as one": [
      "to.buffer.version++;\n    this.device.queue",
      "this.device.queue",
    ],
  }),
  ...faultsOf("src/gpu/commands.ts", ["refused"], {
    "a profile passes over what is refused": [
      "await this.gpu.idle(); // which throws what was refused",
      "",
    ],
  }),
  ...faultsOf("src/training/succession.ts", ["succession", "device_lost"], {
    "every call that waits replaces the device": [
      "if (heir.device() !== device || this.#replacing) continue;",
      "",
    ],
    "a call beside the one that trains replaces the device": [
      "if (guest && heir.isBusy()) {",
      "if (guest && heir.isBusy() && device === undefined) {",
    ],
    "work begins before the new device stands where the old one was": [
      "await this.#replacing;\n      heir",
      "if (!guest) await this.#replacing;\n      heir",
    ],
  }),
  ...faultsOf("src/model/sampler.ts", ["refused", "trainer"], {
    "a bunch of pictures has another's noise": [
      "noise.subarray(at * this.#noiseDim,",
      "noise.subarray(0,",
    ],
    "what does not fit is not tried in halves": [
      "!(error instanceof OutOfMemoryError) || atOnce === 1",
      "error",
    ],
  }),
  ...faultsOf("src/gpu/device.ts", ["device_lost"], {
    "a pending read is not told that the device is lost": [
      "return this.#error instanceof DeviceLostError ? this.#error : error;",
      "return error;",
    ],
  }),
];
