/** Reads files in a worker, which may hang, and reports the outcome. */

import { AssertionError, ok } from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import type { ReaderName } from "./readers.ts";
import { parameters, runs } from "./settings.ts";

export type Files = Readonly<Record<string, Uint8Array>>;

export interface Outcome {
  readonly error?: { readonly name: string; readonly message: string; readonly stack?: string };
  /** How the value that was read breaks the reader's promise. */
  readonly broken?: string;
  /** Bytes of all arrays that the reader allocated, freed ones included. */
  readonly allocated: number;
  readonly folder: string;
}

interface Promises {
  readonly errors: readonly string[];
  /** Bytes that it may make for files of so many. */
  readonly allowed: (bytes: number, files: Files) => number;
}

/** Much longer than the slowest case takes on a busy machine. */
const HANG_MS = 20_000;

const MOST_SAID = 2000;

class Victim implements Disposable {
  #worker: Worker | undefined;
  #folder = "";
  #hung = false;

  /** Reads the files; an answer that does not come in time fails the test. */
  async read(reader: ReaderName, files: Files): Promise<Outcome> {
    fc.pre(!this.#hung); // shrinking a case that hangs would take hours
    const worker = this.#worker ??= await start(
      this.#folder = Deno.makeTempDirSync({ prefix: "fuzz" }),
    );
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const timer = setTimeout(() => {
      this.#hung = true;
      this[Symbol.dispose]();
      reject(new AssertionError({ message: `${reader} hangs on ${describe(files)}` }));
    }, HANG_MS);
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this[Symbol.dispose]();
      reject(new AssertionError({ message: `${reader} kills its worker: ${event.message}` }));
    };
    worker.postMessage({ reader, files });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Reads the files, and fails unless the reader keeps its promises. True if it accepted them. */
  async expectSafe(
    reader: ReaderName,
    files: Files,
    { errors, allowed }: Promises,
  ): Promise<boolean> {
    const { error, broken, allocated, folder } = await this.read(reader, files);
    const fail = (message: string): never => {
      throw new AssertionError({ message: `${reader}: ${message}\non ${describe(files)}` });
    };
    if (broken !== undefined) fail(`what was read is not as promised: ${broken}`);
    if (error) {
      const { name, message, stack } = error;
      if (!errors.includes(name)) fail(`threw ${name}: ${stack}`);
      if (!message.includes(folder)) fail(`does not name the file: ${message.slice(0, 500)}`);
      if (message.length > MOST_SAID) {
        fail(`its message has ${message.length} characters: ${message}`);
      }
      // deno-lint-ignore no-control-regex
      const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/.exec(message);
      if (control) fail(`its message has a control character: ${JSON.stringify(message)}`);
    }
    const bytes = Object.values(files).reduce((sum, file) => sum + file.length, 0);
    const most = allowed(bytes, files);
    if (allocated > most) fail(`made ${allocated} bytes for ${bytes}, ${most} are allowed`);
    return error === undefined;
  }

  [Symbol.dispose](): void {
    if (!this.#worker) return;
    this.#worker.terminate();
    this.#worker = undefined;
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

const victim = new Victim();
Deno.test.afterAll(() => victim[Symbol.dispose]());

/** A test of a reader's promises on many files, of which a part must be read and a part refused. */
export function fuzz(
  what: string,
  reader: ReaderName,
  files: fc.Arbitrary<Files>,
  cases: number,
  promises: Promises,
): void {
  Deno.test(`fuzz: ${what}`, async () => {
    let read = 0;
    const property = fc.asyncProperty(files, async (files) => {
      if (await victim.expectSafe(reader, files, promises)) read++;
    });
    await fc.assert(property, parameters(cases));
    const tried = runs(cases);
    if (tried < 500) return; // too few for a conclusion
    ok(read > tried / 50, `only ${read} of ${tried} files were read`);
    if (promises.errors.length) ok(read < tried * 49 / 50, `${read} of ${tried} files were read`);
  });
}

/** Folders of one file each. */
export const named = (name: string, file: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Files> =>
  file.map((bytes) => ({ [name]: bytes }));

async function start(folder: string): Promise<Worker> {
  const worker = new Worker(new URL("victim_worker.ts", import.meta.url), {
    type: "module",
    name: folder,
  });
  await new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
  return worker;
}

function describe(files: Files): string {
  return Object.entries(files)
    .map(([name, bytes]) => `${name}: ${bytes.length} bytes ${bytes.subarray(0, 2000).toHex()}`)
    .join("\n").slice(0, 6000);
}
