/** Images without a pattern, and what other decoders make of them. */

import type { Image } from "../../mod.ts";

/** Bytes without any pattern, the same every time (a linear congruential generator). */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** An image of noise, or of these bytes. */
export function image(width: number, height: number, channels: number, data?: Uint8Array): Image {
  return { width, height, channels, data: data ?? noise(width * height * channels) };
}

/** The pixels as the independent decoders give them: RGBA. */
export function rgba({ width, height, channels, data }: Image): number[] {
  const pixels: number[] = [];
  for (let i = 0; i < width * height; i++) {
    const p = data.subarray(i * channels, (i + 1) * channels);
    const [r, g, b] = channels < 3 ? [p[0], p[0], p[0]] : p;
    pixels.push(r, g, b, channels % 2 ? 255 : p[channels - 1]);
  }
  return pixels;
}

/** Whether an error's message has all of these texts. */
export const says = (...texts: string[]) => (error: unknown) =>
  texts.every((text) => (error as Error).message.includes(text));
