/**
 * Reads hostile JSON in a process whose heap is limited; it dies where a reader takes more.
 *
 *   deno run --v8-flags=--max-old-space-size=MB heap_worker.ts READER BYTES
 */

import { join } from "node:path";
import { concat, utf8 } from "./bytes.ts";
import { safetensors } from "./models.ts";
import { Broken, type ReaderName, readers } from "./readers.ts";

const [reader, bytes] = [Deno.args[0] as ReaderName, Number(Deno.args[1])];

/** JSON of so many bytes that costs the most when parsed. */
const fill = (before: string, part: (i: number) => string, after: string) => {
  const parts: string[] = [];
  for (let i = 0, length = 0; length < bytes; i++) {
    parts.push(part(i));
    length += parts[i].length + 1;
  }
  return utf8(before + parts.join(",") + after);
};
const contents = (open: string, close: string) => [
  fill(`${open}[`, () => "{}", `]${close}`),
  fill(`${open}[`, () => "[]", `]${close}`),
  fill(`${open}[`, () => "[[]]", `]${close}`),
  fill(`${open}[`, () => "1.5", `]${close}`),
  fill(`${open}{`, (i) => `"${i.toString(36)}":[]`, `}${close}`),
  fill(`${open}{`, (i) => `"${i.toString(36)}":{"a":{}}`, `}${close}`),
  concat(utf8(open), utf8("[".repeat(bytes))),
];

/** Where a file of this reader takes such a value. */
const PLACES: Partial<
  Record<ReaderName, (content: (o: string, c: string) => Uint8Array[]) => Uint8Array[]>
> = {
  safetensors: (content) =>
    [...content("", ""), ...content('{"a":{"dtype":', "}}"), ...content('{"__metadata__":', "}")]
      .map((header) => safetensors(new TextDecoder().decode(header), new Uint8Array())),
  weights: (content) => [
    ...content("", ""),
    ...content('{"modelTopology":{"class_name":"Sequential","config":{"layers":', "}}}"),
    ...content('{"modelTopology":{"class_name":"Sequential","config":[]},"weightsManifest":', "}"),
  ],
  run: (content) => [
    ...content("", ""),
    ...content('{"format":1,"configuration":{},"sessions":', "}"),
  ],
  kernels: (content) => [
    ...content("", ""),
    ...content('{"identity":"adapter | Deno | version","rows":', "}"),
  ],
};
const NAMES: Partial<Record<ReaderName, string>> = { weights: "model.json", run: "run.json" };

const folder = await Deno.makeTempDir();
try {
  let read = 0;
  for (const file of PLACES[reader]!((open, close) => contents(open, close))) {
    const name = NAMES[reader] ?? "file";
    if (name !== "file") Deno.writeFileSync(join(folder, name), file);
    try {
      await readers[reader](folder, { [name]: file }, () => {});
    } catch (error) {
      if (error instanceof Broken) throw error;
      if (!["CheckpointError", "DataError"].includes((error as Error).name)) throw error;
    }
    read++;
  }
  console.log(read);
} finally {
  Deno.removeSync(folder, { recursive: true });
}
