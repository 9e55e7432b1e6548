/**
 * Adds a test after each result of a program, to find the op that computed the first number that is not
 * finite.
 */

import code from "../kernels/non_finite.wgsl" with { type: "text" };
import type { GpuContext } from "../gpu/context.ts";
import type { BufferView } from "../gpu/memory.ts";
import { kernel } from "../gpu/shader.ts";
import { grid, type Lowering, Storage } from "./lower.ts";
import type { Tensor } from "./tensor.ts";

const nonFinite = kernel("non_finite", code);

/** The tests of a program under compilation, in the order in which results are computed. */
export class FiniteCheck {
  /** What each test looks at. A fused chain is stored once, so it has one test. */
  readonly labels: string[] = [];
  /** One word for each test: 1 where a number was not finite. */
  readonly flags: Storage;

  /** @param most the largest number of tests */
  constructor(most: number) {
    this.flags = new Storage(4 * most, "not finite");
    this.flags.port = true;
    this.flags.initial = new Uint32Array(most);
  }

  /** Tests the floats of a tensor, where a storage holds them. */
  test({ dtype, size }: Tensor, storage: Storage, label: string, lowering: Lowering): void {
    if (dtype !== "f32") return;
    lowering.dispatch({
      kernel: nonFinite,
      constants: {},
      bindings: {
        x: storage,
        flags: this.flags,
        task: lowering.constant([size, this.labels.length], "what to test"),
      },
      workgroups: grid(Math.ceil(size / 4), 256),
      detail: "is finite?",
    });
    this.labels.push(label);
  }
}

/** The flags of a compiled program. */
export class FiniteFlags {
  /** Flags in a buffer, and what each tests. */
  constructor(
    private readonly context: GpuContext,
    private readonly view: BufferView,
    private readonly labels: readonly string[],
  ) {}

  /** Clears them before a run. */
  clear(): void {
    this.context.write(this.view, new Uint32Array(this.labels.length));
  }

  /** The label of the first result with a number that is not finite. */
  async first(): Promise<string | undefined> {
    const [bytes] = await this.context.read([{ ...this.view, bytes: 4 * this.labels.length }]);
    return this.labels[new Uint32Array(bytes).indexOf(1)];
  }
}
