/** Small data sets as IDX files. */

import { join } from "node:path";

/** An IDX file; `byte` gives its values, `count` of them where that is not what the header says. */
export function idx(
  dims: readonly number[],
  byte: (i: number) => number = (i) => i,
  count = dims.reduce((a, b) => a * b, 1),
): Uint8Array<ArrayBuffer> {
  const header = 4 + 4 * dims.length;
  const bytes = new Uint8Array(header + count);
  bytes.set([0, 0, 8, dims.length]);
  dims.forEach((n, axis) => new DataView(bytes.buffer).setUint32(4 + 4 * axis, n));
  for (let i = 0; i < count; i++) bytes[header + i] = byte(i);
  return bytes;
}

/** The same bytes, compressed. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A folder of IDX files: 12 images of 28 x 28. */
export async function writeDigits(dir: string): Promise<void> {
  await Deno.mkdir(dir);
  await Deno.writeFile(join(dir, "train-images-idx3-ubyte"), idx([12, 28, 28], (i) => i % 251));
  await Deno.writeFile(join(dir, "train-labels-idx1-ubyte"), idx([12], (i) => i % 10));
}
