/** A small data set as files. */

import { join } from "node:path";

/** A folder of IDX files: 12 images of 28 x 28. */
export async function writeDigits(dir: string): Promise<void> {
  const idx = (dims: readonly number[], byte: (i: number) => number) => {
    const head = new DataView(new ArrayBuffer(4 + 4 * dims.length));
    head.setUint32(0, 0x0800 + dims.length);
    dims.forEach((n, i) => head.setUint32(4 + 4 * i, n));
    const length = dims.reduce((a, b) => a * b);
    return new Uint8Array([
      ...new Uint8Array(head.buffer),
      ...Uint8Array.from({ length }, (_, i) => byte(i)),
    ]);
  };
  await Deno.mkdir(dir);
  await Deno.writeFile(join(dir, "train-images-idx3-ubyte"), idx([12, 28, 28], (i) => i % 251));
  await Deno.writeFile(join(dir, "train-labels-idx1-ubyte"), idx([12], (i) => i % 10));
}
