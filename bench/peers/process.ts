/**
 * A contestant's process, from the benchmark's side.
 *
 * @module
 */

import { type Answer, lines, type Request } from "./protocol.ts";

const FOLDER = import.meta.dirname!;

/** A long-lived process that answers one request at a time. */
export class Contestant implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: AsyncGenerator<string, void>;

  /** Starts it. */
  constructor(readonly name: string, [program, ...args]: readonly string[]) {
    this.#process = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#answers = lines(this.#process.stdout);
  }

  /**
   * Asks, and waits for the answer.
   *
   * @throws {Error} when it answers with an error or not at all.
   */
  async ask(request: Request): Promise<Answer> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    const { value: line } = await this.#answers.next();
    if (line === undefined) throw new Error(`${this.name} ended during ${request.call}`);
    const answer: Answer = JSON.parse(line);
    if (answer.error) throw new Error(`${this.name} failed in ${request.call}: ${answer.error}`);
    return answer;
  }

  /** Seconds until it has answered. One clock for all: the line itself takes under a millisecond. */
  async time(request: Request): Promise<number> {
    const begun = performance.now();
    await this.ask(request);
    return (performance.now() - begun) / 1000;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#input.close();
    } catch {
      // it has ended already
    }
    await this.#process.status;
  }
}

/** Starts a contestant written for Deno, with this folder's own lock file. */
export function startDeno(name: string, file: string, scratch: string): Contestant {
  return new Contestant(name, [
    "deno", // by the name that the task is allowed to start
    "run",
    `--lock=${FOLDER}/deno.lock`,
    "--frozen",
    "--allow-read",
    "--allow-env",
    `--allow-write=${scratch}`,
    `${FOLDER}/${file}`,
  ]);
}

/** Starts the PyTorch program with the first of these Pythons that has PyTorch, if any has. */
export async function startTorch(
  name: string,
  file: string,
  pythons: readonly string[],
): Promise<Contestant | undefined> {
  for (const python of pythons) {
    try {
      const probe = new Deno.Command(python, {
        args: ["-c", "import torch"],
        stdout: "null",
        stderr: "null",
      });
      if (!(await probe.output()).success) continue;
      return new Contestant(name, [python, `${FOLDER}/${file}`]);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        throw new Error(
          `The task may not start ${python}: call it python3 and put its folder first on PATH`,
          { cause: error },
        );
      }
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
