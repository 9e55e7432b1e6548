/**
 * Reads hostile JSON in a process whose heap is limited; it dies if a reader takes more.
 *
 *   deno run --v8-flags=--max-old-space-size=MB heap_worker.ts READER BYTES
 */

import { join } from "node:path";
import { inFolder } from "../folder.ts";
import { concat, utf8 } from "./bytes.ts";
import { safetensors } from "./models.ts";
import { Broken, type ReaderName, readers } from "./readers.ts";

const [reader, bytes] = [Deno.args[0] as ReaderName, Number(Deno.args[1])];

/** JSON of so many bytes. */
const fill = (before: string, part: (i: number) => string, after: string) => {
  const parts: string[] = [];
  for (let i = 0, length = 0; length < bytes; i++) {
    parts.push(part(i));
    length += parts[i].length + 1;
  }
  return utf8(before + parts.join(",") + after);
};

/** The values that cost the most when they are parsed, between two pieces of JSON. */
const costly = (open: string, close: string) => [
  fill(`${open}[`, () => "{}", `]${close}`),
  fill(`${open}[`, () => "[]", `]${close}`),
  fill(`${open}[`, () => "[[]]", `]${close}`),
  fill(`${open}[`, () => "1.5", `]${close}`),
  fill(`${open}{`, (i) => `"${i.toString(36)}":[]`, `}${close}`),
  fill(`${open}{`, (i) => `"${i.toString(36)}":{"a":{}}`, `}${close}`),
  concat(utf8(open), utf8("[".repeat(bytes))),
];

/** The file that a reader opens, and the places in it for such a value. */
const PLACES: Partial<Record<ReaderName, [name: string, ...places: [string, string][]]>> = {
  safetensors: ["file", ["", ""], ['{"a":{"dtype":', "}}"], ['{"__metadata__":', "}"]],
  weights: [
    "model.json",
    ["", ""],
    ['{"modelTopology":{"class_name":"Sequential","config":{"layers":', "}}}"],
    ['{"modelTopology":{"class_name":"Sequential","config":[]},"weightsManifest":', "}"],
  ],
  run: ["run.json", ["", ""], ['{"format":1,"configuration":{},"sessions":', "}"]],
  kernels: ["file", ["", ""], ['{"identity":"adapter | Deno | version","rows":', "}"]],
};

const [name, ...places] = PLACES[reader]!;
const whole = (json: Uint8Array) =>
  reader === "safetensors" ? safetensors(new TextDecoder().decode(json), new Uint8Array()) : json;

await inFolder(async (folder) => {
  let read = 0;
  for (const file of places.flatMap((place) => costly(...place)).map(whole)) {
    Deno.writeFileSync(join(folder, name), file);
    try {
      await readers[reader](folder, { [name]: file }, () => {});
    } catch (error) {
      if (error instanceof Broken) throw error;
      if (!["CheckpointError", "DataError"].includes((error as Error).name)) throw error;
    }
    read++;
  }
  console.log(read);
});
