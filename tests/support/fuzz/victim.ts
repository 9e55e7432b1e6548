/** Reads files in a worker, which may hang, and checks that the reader keeps its promises. */

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
  /** The most bytes that it may allocate for files of so many. */
  readonly allowed: (bytes: number, files: Files) => number;
}

/** Much longer than the slowest case takes on a busy machine. */
const HANG_MS = 20_000;

/** Characters of the longest message that an error may have. */
const LONGEST = 2000;

let worker: Worker | undefined;
let folder = "";
let hung = false;

/** The next message of a worker; rejects when the worker ends or hangs. */
function answer(of: Worker): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const timer = setTimeout(() => reject(new Error("hangs")), HANG_MS);
  of.onmessage = ({ data }) => resolve(data);
  of.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`kills its worker: ${event.message}`));
  };
  return promise.finally(() => clearTimeout(timer));
}

async function start(): Promise<Worker> {
  folder = Deno.makeTempDirSync({ prefix: "fuzz" });
  const url = new URL("victim_worker.ts", import.meta.url);
  const started = new Worker(url, { type: "module", name: folder });
  await answer(started);
  return started;
}

function stop(): void {
  if (!worker) return;
  worker.terminate();
  worker = undefined;
  Deno.removeSync(folder, { recursive: true });
}
Deno.test.afterAll(stop);

async function read(reader: ReaderName, files: Files): Promise<Outcome> {
  fc.pre(!hung); // shrinking a case that hangs would take hours
  worker ??= await start();
  const outcome = answer(worker);
  worker.postMessage({ reader, files });
  return await outcome.catch(({ message }) => {
    hung = message === "hangs";
    stop();
    throw new AssertionError({ message: `${reader} ${message} on ${describe(files)}` });
  });
}

/** Reads the files, and fails unless the reader keeps its promises. True if it accepted them. */
async function isRead(
  reader: ReaderName,
  files: Files,
  { errors, allowed }: Promises,
): Promise<boolean> {
  const { error, broken, allocated, folder } = await read(reader, files);
  const fail = (message: string): never => {
    throw new AssertionError({ message: `${reader}: ${message}\non ${describe(files)}` });
  };
  if (broken !== undefined) fail(`what was read is not as promised: ${broken}`);
  if (error) {
    const { name, message, stack } = error;
    const { length } = message;
    if (!errors.includes(name)) fail(`threw ${name}: ${stack}`);
    if (!message.includes(folder)) fail(`does not name the file: ${message.slice(0, 500)}`);
    if (length > LONGEST) fail(`its message has ${length} characters: ${message}`);
    // deno-lint-ignore no-control-regex
    const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(message);
    if (control) fail(`its message has a control character: ${JSON.stringify(message)}`);
  }
  const bytes = Object.values(files).reduce((sum, file) => sum + file.length, 0);
  const most = allowed(bytes, files);
  if (allocated > most) fail(`made ${allocated} bytes for ${bytes}, ${most} are allowed`);
  return error === undefined;
}

/** A test of a reader's promises on many files, of which a part must be read and a part refused. */
export function fuzz(
  what: string,
  reader: ReaderName,
  files: fc.Arbitrary<Files>,
  cases: number,
  promises: Promises,
): void {
  Deno.test(`fuzz: ${what}`, async () => {
    let count = 0;
    const property = fc.asyncProperty(files, async (files) => {
      if (await isRead(reader, files, promises)) count++;
    });
    await fc.assert(property, parameters(cases));
    const tried = runs(cases);
    if (tried < 500) return; // too few for a conclusion
    ok(count > tried / 50, `only ${count} of ${tried} files were read`);
    if (promises.errors.length) ok(count < tried * 49 / 50, `${count} of ${tried} files were read`);
  });
}

/** Folders of one file each. */
export const named = (name: string, file: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Files> =>
  file.map((bytes) => ({ [name]: bytes }));

function describe(files: Files): string {
  return Object.entries(files)
    .map(([name, bytes]) => `${name}: ${bytes.length} bytes ${bytes.subarray(0, 2000).toHex()}`)
    .join("\n").slice(0, 6000);
}
