/**
 * Reads one large file in a process of its own, and prints what came of it and the most memory that the
 * process had, in MB.
 *
 *   deno run --allow-all --v8-flags=--max-old-space-size=MB large_worker.ts READER PATH
 */

import { decodePNG, loadImages, loadMNIST } from "../../../mod.ts";
import { readTfjsModel } from "../../../src/files/model_files.ts";
import { configurationOf, resolveOptions } from "../../../src/training/options.ts";

const READERS: Readonly<Record<string, (path: string) => unknown>> = {
  png: (path) => decodePNG(Deno.readFileSync(path), path),
  images: (path) => loadImages(path, { channels: 3 }),
  scaled: (path) => loadImages(path, { channels: 3, size: [28, 28] }),
  tfjs: readTfjsModel,
  mnist: async (path) =>
    configurationOf(resolveOptions({ dataset: await loadMNIST({ dir: path }) })),
};

/** The system's record of the peak, where it keeps one; else what there is now. */
function peak(): number {
  if (Deno.build.os !== "linux") return Deno.memoryUsage().rss;
  const status = Deno.readTextFileSync("/proc/self/status");
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)![1]);
}

const [reader, path] = Deno.args;
const before = peak();
let said = "read";
try {
  await READERS[reader](path);
} catch (error) {
  said = `${(error as Error).name}: ${(error as Error).message}`;
}
console.log(JSON.stringify({ said, megabytes: Math.round((peak() - before) / 2 ** 20) }));
