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

/** A folder of IDX files: some images of 28 x 28, whose labels are up to 9. */
export async function writeDigits(dir: string, count = 12, split = "train"): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  const images = idx([count, 28, 28], (i) => i % 251);
  await Deno.writeFile(join(dir, `${split}-images-idx3-ubyte`), images);
  await Deno.writeFile(join(dir, `${split}-labels-idx1-ubyte`), idx([count], (i) => i % 10));
}

/** The same, all of one class: there is nothing to learn from such labels. */
export async function writeAlike(dir: string, count: number, split = "train"): Promise<void> {
  await writeDigits(dir, count, split);
  await Deno.writeFile(join(dir, `${split}-labels-idx1-ubyte`), idx([count], () => 0));
}
