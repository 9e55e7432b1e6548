/** GIF files, read by another's decoder. */

import { GifReader } from "npm:omggif@1.0.10";

/** The first value of each frame, and its delay in hundredths of a second. */
export async function framesOf(path: string): Promise<[gray: number, delay: number][]> {
  const reader = new GifReader(await Deno.readFile(path));
  return Array.from({ length: reader.numFrames() }, (_, i) => {
    const rgba = new Uint8Array(reader.width * reader.height * 4);
    reader.decodeAndBlitFrameRGBA(i, rgba);
    return [rgba[0], reader.frameInfo(i).delay];
  });
}
