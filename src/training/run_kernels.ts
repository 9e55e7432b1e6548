/**
 * The kernel choices of a run, which its checkpoints keep: other choices give other bits.
 *
 * @module
 */

import { plain } from "../formats/json.ts";
import type { Gpu } from "../graph/gpu.ts";
import { type GemmUse, requireTuning, type Tuning } from "../graph/tuning.ts";
import { calibrate, type CalibrateOptions } from "../ops/gemm/calibrate.ts";

/** The kernel choices of one run. */
export class RunKernels {
  #chosen: string | undefined;

  /** @param onChange is called when what was compiled before must be compiled again */
  constructor(private readonly gpu: Gpu, private readonly onChange: () => void) {}

  /** Whether the run has its choices. */
  get chosen(): boolean {
    return this.#chosen !== undefined;
  }

  /** What they are, and on which adapter they were made, as a checkpoint keeps it. */
  get description(): string {
    return this.#chosen ?? this.#describe();
  }

  #describe(): string {
    return JSON.stringify({ adapter: this.gpu.info.description, tuning: this.gpu.tuning });
  }

  /** Makes the choices of a new run: measures the kernels, or takes the defaults. */
  async choose(
    options: CalibrateOptions | false,
    uses: () => readonly GemmUse[],
  ): Promise<void> {
    if (this.chosen) return;
    if (options) {
      await calibrate(this.gpu, uses(), options);
      this.onChange();
    }
    this.#chosen = this.#describe();
  }

  /**
   * Takes over the choices of a checkpoint if it is of this adapter, so that the bits stay the same.
   *
   * @param path what messages call the checkpoint
   */
  adopt(kernels: string, path: string, onMessage: (text: string) => void): void {
    this.#chosen = this.#describe();
    if (kernels === this.#chosen) return;
    const tuning = tuningOf(kernels, this.gpu.info.description);
    if (!tuning) {
      return onMessage(
        `${path} was made with other kernels (${plain(kernels, 4000)}, here ${this.#chosen}): ` +
          "the run goes on, but not with the same bits",
      );
    }
    this.gpu.tune(tuning);
    this.onChange();
    this.#chosen = this.#describe();
    onMessage(`kernels as in ${path}`);
  }
}

/** The choices that a checkpoint names, unless they are of another adapter or invalid. */
function tuningOf(kernels: string, here: string): Tuning | undefined {
  try {
    const { adapter, tuning: { gemm, parallelism, choices } } = JSON.parse(kernels);
    if (adapter !== here || gemm === undefined || parallelism === undefined) return undefined;
    return requireTuning({ gemm, parallelism, choices });
  } catch {
    return undefined;
  }
}
