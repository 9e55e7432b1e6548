/**
 * Who hears of a training run: a person, a program, or nobody.
 *
 * @module
 */

import type { EpochEvent, ImageEvent, StepEvent, TrainResult } from "../../mod.ts";
import { encodeJSON } from "../formats/json.ts";
import { type Output, Progress } from "./progress.ts";

/** Hears of a run. */
export interface RunReport {
  /** What a person should know. */
  message(text: string): void;
  step(event: StepEvent): void;
  epoch(event: EpochEvent): void;
  image(event: ImageEvent): void;
  end(result: TrainResult): void;
}

/** For a person: a bar on a terminal, plain lines elsewhere. */
export class PersonReport implements RunReport {
  readonly #progress: Progress;

  constructor(out: Output, epochs: number) {
    this.#progress = new Progress(out, epochs);
  }

  message(text: string): void {
    this.#progress.line(text);
  }

  step(event: StepEvent): void {
    this.#progress.step(event);
  }

  epoch(event: EpochEvent): void {
    this.#progress.epoch(event);
  }

  image(event: ImageEvent): void {
    this.#progress.image(event);
  }

  end({ steps, aborted, gif, stats }: TrainResult): void {
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
    if (stats) {
      const { dispatches, plannedBytes, tensorBytes } = stats;
      this.#progress.line(
        `step     ${dispatches} dispatches, ${
          megabytes(plannedBytes)
        } for tensors that would hold ` +
          `${megabytes(tensorBytes)} without sharing`,
      );
    }
    if (gif) this.#progress.line(`wrote    ${gif}`);
    this.#progress.end(
      `${aborted ? "stopped after" : "trained"} ${steps} step${steps === 1 ? "" : "s"}`,
    );
  }
}

/** For a program: one JSON object a line, with a `type`. */
export class JSONReport implements RunReport {
  constructor(private readonly out: Output) {}

  #write(type: string, fields: object): void {
    this.out.write(encodeJSON({ type, ...fields }) + "\n");
  }

  message(text: string): void {
    this.#write("message", { text });
  }

  step(event: StepEvent): void {
    this.#write("step", event);
  }

  epoch(event: EpochEvent): void {
    this.#write("epoch", event);
  }

  image({ step, epoch, path }: ImageEvent): void {
    this.#write("image", { step, epoch, path });
  }

  end({ steps, aborted, gif, checkpoint, stats }: TrainResult): void {
    this.#write("end", { steps, aborted, gif, checkpoint, stats });
  }
}

/** For nobody: errors are on standard error. */
export const SILENCE: RunReport = {
  message() {},
  step() {},
  epoch() {},
  image() {},
  end() {},
};
