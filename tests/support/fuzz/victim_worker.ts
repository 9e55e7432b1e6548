/** The worker of `victim.ts`: reads the files of a case, and reports the outcome. */

// First of all: what it replaces must be in place when the readers are loaded.
import { takeAllocated } from "./allocations.ts";
import { join } from "node:path";
import type { ReaderName } from "./readers.ts";
import type { Files, Outcome } from "./victim.ts";

const { Broken, OUTSIDE, readers } = await import("./readers.ts");

/** A folder for the cases, made and removed by whoever started the worker. */
const root = self.name;
const folder = join(root, "case");
const before = ["case", OUTSIDE];
Deno.writeFileSync(join(root, OUTSIDE), new Uint8Array(400));

/** These are given the bytes and open nothing. */
const IN_MEMORY: readonly ReaderName[] = ["idx", "safetensors", "png", "photo", "kernels"];

async function attempt(reader: ReaderName, files: Files): Promise<Outcome> {
  Deno.mkdirSync(folder);
  for (const [name, bytes] of Object.entries(IN_MEMORY.includes(reader) ? {} : files)) {
    if (name.includes("/")) Deno.mkdirSync(join(folder, name, ".."), { recursive: true });
    Deno.writeFileSync(join(folder, name), bytes);
  }
  takeAllocated();
  let outcome: Omit<Outcome, "allocated" | "folder"> = {};
  let allocated = 0;
  const measured = () => allocated = takeAllocated();
  try {
    await readers[reader](folder, files, measured);
  } catch (error) {
    if (!allocated) measured();
    if (error instanceof Broken) outcome = { broken: error.message };
    else if (error instanceof Error) {
      const { name, message, stack } = error;
      outcome = { error: { name, message, stack } };
    } else outcome = { broken: `threw ${error}, which is no Error` };
  }
  for (const { name } of Deno.readDirSync(root)) {
    if (!before.includes(name)) outcome = { broken: `wrote ${name} outside its folder` };
  }
  Deno.removeSync(folder, { recursive: true });
  return { ...outcome, allocated, folder };
}

/** What a worker has that the types of a window do not know. */
const port = self as unknown as {
  onmessage: (event: MessageEvent<{ reader: ReaderName; files: Files }>) => void;
  postMessage(message: Outcome | "ready"): void;
};

/** Readers that have read: in a first case, what the engine loads for it would count, too. */
const warm = new Set<ReaderName>();

port.onmessage = async ({ data: { reader, files } }) => {
  if (!warm.has(reader)) await attempt(reader, files);
  warm.add(reader);
  port.postMessage(await attempt(reader, files));
};
port.postMessage("ready");
