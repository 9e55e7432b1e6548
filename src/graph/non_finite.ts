/**
 * Which op made the first number that is not finite: a test after each result of a program.
 *
 * @module
 */

import code from "../kernels/non_finite.wgsl" with { type: "text" };
import { kernel } from "../gpu/shader.ts";
import { grid, type Lowering, Storage } from "./lower.ts";

const nonFinite = kernel("non_finite", code);

/** Tests results where they are computed; fused ones that are never stored are part of their chain. */
export class Watch {
  /** What is tested, in the order in which it is computed. */
  readonly labels: string[] = [];
  /** One word for each, 1 where a number was not finite. */
  readonly flags: Storage;

  /** @param most how many results there may be */
  constructor(most: number) {
    this.flags = new Storage(4 * most, "not finite");
    this.flags.port = true;
    this.flags.initial = new Uint32Array(most);
  }

  /** Tests `count` floats of a storage. */
  test(storage: Storage, count: number, label: string, lowering: Lowering): void {
    lowering.dispatch({
      kernel: nonFinite,
      constants: {},
      bindings: {
        x: storage,
        flags: this.flags,
        task: lowering.constant([count, this.labels.length], "what to test"),
      },
      workgroups: grid(Math.ceil(count / 4), 256),
      detail: "is finite?",
    });
    this.labels.push(label);
  }
}
