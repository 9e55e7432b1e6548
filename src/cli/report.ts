/**
 * What a command says: sentences for people, results for programs.
 *
 * @module
 */

import { encodeJSON } from "../formats/json.ts";
import { standardOutput } from "./progress.ts";
import { type Style, style, styleOf } from "./style.ts";

/** Where a report goes. */
export interface ReportOptions {
  /** Only what a program reads. */
  readonly quiet?: boolean;
  /** One JSON object in place of all text. */
  readonly json?: boolean;
  /** Default: standard output. */
  readonly write?: (text: string) => void;
}

/** What a command says, each line in its place: aloud, with `--quiet`, with `--json`. */
export class Report {
  readonly style: Style;
  readonly #quiet: boolean;
  readonly #json: boolean;
  readonly #write: (text: string) => void;

  constructor({ quiet = false, json = false, write }: ReportOptions) {
    this.#quiet = quiet;
    this.#json = json;
    this.#write = write ?? standardOutput().write;
    this.style = write ? style(false) : styleOf(Deno.stdout);
  }

  /** A line for the person who watches. */
  note(subject: string, text: string): void {
    if (!this.#quiet && !this.#json) this.line(`${this.style.dim(subject.padEnd(8))} ${text}`);
  }

  /** A file that was written: a note; with `--quiet` the path alone. */
  wrote(path: string): void {
    if (this.#quiet && !this.#json) this.line(path);
    else this.note("wrote", path);
  }

  /** Text that is the result itself. */
  text(text: string): void {
    if (!this.#json) this.line(text);
  }

  /** The result as an object; written only with `--json`. */
  result(value: unknown): void {
    if (this.#json) this.line(encodeJSON(value));
  }

  private line(text: string): void {
    this.#write(text + "\n");
  }
}
