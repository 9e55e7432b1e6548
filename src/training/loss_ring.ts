/** Losses on their way from the device to the host. */

import ringCode from "../kernels/ring.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import type { Gpu } from "../graph/gpu.ts";
import { currentGraph } from "../graph/graph.ts";
import type { Lowering } from "../graph/lower.ts";
import type { Op, Tensor } from "../graph/tensor.ts";
import type { Variable } from "../graph/variable.ts";

const ringKernel = kernel("ring", ringCode);

/** The losses of the last steps. They stay on the device, so that one wait reads those of many steps. */
export class LossRing {
  readonly #slots: Variable<"f32">;
  readonly #count: Variable<"u32">;
  #read = 0;

  constructor(gpu: Gpu, readonly capacity = 1024) {
    this.#slots = gpu.variable([capacity, 2], undefined, { name: "losses" });
    this.#count = gpu.variable([1], undefined, { name: "losses/count", dtype: "u32" });
  }

  /** Records that a pair of scalars goes into the ring. */
  record(a: Tensor, b: Tensor): void {
    const graph = currentGraph();
    const attributes = { capacity: this.capacity, ring: this.#slots, count: this.#count };
    for (const variable of [this.#slots, this.#count]) graph.variable(variable);
    graph.add(ringOp, [a, b], attributes, []);
    for (const variable of [this.#slots, this.#count]) graph.overwrite(variable);
  }

  dispose(): void {
    this.#slots.dispose();
    this.#count.dispose();
  }

  /** Begins anew: after an error it is unknown how many of the enqueued steps have run. */
  reset(): void {
    this.#count.write([0]);
    this.#read = 0;
  }

  /** Skips the next pairs: those of steps that search for a number that is not finite. */
  skip(steps: number): void {
    this.#read += steps;
  }

  /**
   * The pairs of the steps enqueued since the last call.
   *
   * @param steps how many there were
   */
  async take(steps: number): Promise<[number, number][]> {
    if (steps > this.capacity) {
      throw new RangeError(`The loss ring holds ${this.capacity} steps, ${steps} were enqueued`);
    }
    const values = await this.#slots.read();
    const pairs = Array.from({ length: steps }, (_, i): [number, number] => {
      const slot = (this.#read + i) % this.capacity * 2;
      return [values[slot], values[slot + 1]];
    });
    this.#read += steps;
    return pairs;
  }
}

interface RingAttributes {
  readonly capacity: number;
  readonly ring: Variable;
  readonly count: Variable;
}

const ringOp: Op<RingAttributes> = {
  name: "ring",
  effect: true,
  lower({ inputs: [a, b], attributes: { capacity, ring, count } }, lowering: Lowering) {
    lowering.dispatch({
      kernel: ringKernel,
      constants: { SLOTS: capacity },
      bindings: { a, b, ring: lowering.variable(ring), count: lowering.variable(count) },
      workgroups: [1, 1, 1],
    });
  },
};
