/**
 * Numbers that stop being finite: whether there are any, where the first one came from, and the way back
 * to the state before.
 */

import { DeviceLostError, NonFiniteError } from "../errors.ts";
import type { Buffer, BufferView } from "../gpu/memory.ts";
import { once } from "../gpu/once.ts";
import type { Gpu } from "../graph/gpu.ts";
import { currentGraph } from "../graph/graph.ts";
import type { Program } from "../graph/program.ts";
import type { DCGAN } from "./dcgan.ts";
import { recordStep } from "./step.ts";

/** Checks the state of a run, and keeps a copy of it on the device to go back to. */
export class FiniteCheck implements Disposable {
  #check: Program | undefined;
  #copies: (readonly [of: BufferView, copy: BufferView])[] | undefined;

  constructor(private readonly gpu: Gpu, private readonly model: DCGAN) {}

  /**
   * The first weight, statistic or moment with a number that is not finite, if there is one, after
   * everything enqueued so far.
   */
  async first(): Promise<string | undefined> {
    this.#check ??= this.gpu.compile({}, () => {
      const graph = currentGraph();
      for (const variable of this.model.variables().values()) graph.variable(variable);
      return {};
    }, { label: "finite check of the state", checkFinite: true });
    this.#check.run();
    return await this.#check.firstNonFinite();
  }

  /** Copies all state, for `rollBack`. */
  backUp(): void {
    if (!this.#copies) {
      const { memory } = this.gpu.context;
      const whole = (buffer: Buffer) => ({ buffer, offset: 0, bytes: buffer.bytes });
      const buffers = new Set([...this.model.variables().values()].map(({ view }) => view.buffer));
      this.#copies = [...buffers].map((buffer) =>
        [whole(buffer), whole(memory.buffer(buffer.bytes, "backup"))] as const
      );
    }
    this.gpu.context.copy(this.#copies, "backup");
  }

  #restore(): void {
    this.gpu.context.copy(this.#copies!.map(([of, copy]) => [copy, of]), "roll back");
  }

  /**
   * Finds the first number that is not finite, and goes back to the state of the last `backUp`.
   *
   * @param batches those trained since then
   * @param first the number of the first batch's step
   * @param holder what holds such a number now, to be named if the search finds nothing
   * @returns the error to throw
   * @throws {DeviceLostError} when the device is lost: then there is no state to go back to.
   */
  async rollBack(
    batches: readonly Uint32Array[],
    first: number,
    holder = "a loss",
  ): Promise<NonFiniteError> {
    let found: Awaited<ReturnType<FiniteCheck["search"]>>;
    let cause: unknown;
    this.#restore();
    try {
      found = await this.search(batches, first);
    } catch (error) {
      // A search that fails, for lack of memory for example, must not cost the finite state.
      cause = await this.gpu.context.errors.explain(error);
      if (cause instanceof DeviceLostError) throw cause;
    }
    this.#restore();
    const last = first + batches.length - 1;
    const step = found ? first + found.batch : last;
    const where = found?.where ?? holder;
    const when = found || first === last
      ? `in step ${step} (NaN or infinite), for the first time`
      : `in one of the steps ${first} to ${last} (NaN or infinite)`;
    return new NonFiniteError(
      `${where} is not finite ${when}: the run stands at step ${first - 1} again. Try a lower ` +
        "learning rate, or look at the data",
      { step, where, cause },
    );
  }

  /**
   * Trains batches, one after another, and tests each result until one is not finite.
   *
   * @param first the number of the first batch's step
   * @returns in which of the batches it appeared, from 0, and what made it
   */
  async search(
    batches: readonly Uint32Array[],
    first = 1,
  ): Promise<{ readonly batch: number; readonly where: string } | undefined> {
    const programs = new Map<string, Program<"indices">>();
    try {
      for (const [batch, indices] of batches.entries()) {
        const updates = this.model.updatesGenerator(first + batch);
        const program = once(programs, `${indices.length} ${updates}`, () => {
          const [inputs, body, options] = recordStep(this.model, indices.length, updates);
          return this.gpu.compile(inputs, body, { ...options, checkFinite: true });
        });
        program.run({ indices: await this.model.feed.load(indices) });
        const where = await program.firstNonFinite();
        this.model.losses.skip(1);
        if (where !== undefined) return { batch, where };
      }
      return undefined;
    } finally {
      for (const program of programs.values()) program[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.#check?.[Symbol.dispose]();
    for (const [, { buffer }] of this.#copies ?? []) this.gpu.context.memory.free(buffer);
    this.#check = this.#copies = undefined;
  }
}
