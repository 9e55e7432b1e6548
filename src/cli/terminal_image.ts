/**
 * Images in a terminal: as files where it can show them, else as coloured characters.
 *
 * Sources: the Kitty graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol), the
 * inline images of iTerm2 (https://iterm2.com/documentation-images.html), and the colour sequences
 * of xterm (38;2 and 38;5).
 *
 * @module
 */

import type { Image } from "../../mod.ts";

/** A way to show an image: two protocols, characters in true colours or in 256, or none at all. */
export type Protocol = "kitty" | "iterm2" | "truecolor" | "256" | "path";

/** What is known of a terminal. */
export interface TerminalEnvironment {
  readonly isTerminal: boolean;
  readonly noColor: boolean;
  /** An environment variable. */
  get(name: string): string | undefined;
}

/** What tells terminals apart. */
export const TERMINAL_VARIABLES: readonly string[] = [
  "COLORTERM",
  "KITTY_WINDOW_ID",
  "KONSOLE_VERSION",
  "LC_TERMINAL",
  "STY",
  "TERM",
  "TERM_PROGRAM",
  "TMUX",
];

/** The best way for a terminal, as far as its environment tells. */
export function protocolOf({ isTerminal, noColor, get }: TerminalEnvironment): Protocol {
  // Elsewhere nothing of the environment matters, and no permission to read it is needed.
  if (!isTerminal) return "path";
  const [term, program] = [get("TERM") ?? "", get("TERM_PROGRAM") ?? ""];
  if (term === "dumb") return "path";
  // A multiplexer keeps the variables of the terminal around it, but swallows what it does not know.
  const inside = get("TMUX") !== undefined || get("STY") !== undefined ||
    /^(tmux|screen)/.test(term);
  if (!inside) {
    if (get("KITTY_WINDOW_ID") || /^xterm-(kitty|ghostty)$/.test(term) || program === "ghostty") {
      return "kitty";
    }
    if (
      program === "iTerm.app" || program === "WezTerm" || get("LC_TERMINAL") === "iTerm2"
    ) return "iterm2";
    if (get("KONSOLE_VERSION")) return "kitty";
  }
  if (noColor) return "path";
  if (/^(truecolor|24bit)$/.test(get("COLORTERM") ?? "")) return "truecolor";
  return /256color|direct/.test(term) ? "256" : "path";
}

/** Most bytes of base64 that the Kitty protocol takes at once. */
const CHUNK = 4096;

/** A PNG file by the Kitty graphics protocol. */
export function kitty(png: Uint8Array): string {
  const base64 = png.toBase64();
  let text = "";
  for (let at = 0; at < base64.length; at += CHUNK) {
    const more = at + CHUNK < base64.length ? 1 : 0;
    // a=T shows what is sent, f=100 is PNG, q=2 asks for no answer: it would look like typed text.
    const keys = at === 0 ? `a=T,f=100,q=2,m=${more}` : `m=${more}`;
    text += `\x1b_G${keys};${base64.slice(at, at + CHUNK)}\x1b\\`;
  }
  return text + "\n";
}

/** A PNG file as an inline image of iTerm2. */
export function iterm2(png: Uint8Array): string {
  return `\x1b]1337;File=inline=1;size=${png.length}:${png.toBase64()}\x07\n`;
}

/** The image with at most so many columns; each pixel is the mean of the area it covers. */
export function shrink(image: Image, columns: number): Image {
  const { width, height, channels, data } = image;
  if (width <= columns) return image;
  const rows = Math.max(1, Math.round(height * columns / width));
  const across = shares(width, columns);
  const down = shares(height, rows);
  const small = new Uint8Array(columns * rows * channels);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [fromY, shareY] of down[y]) {
          for (const [fromX, shareX] of across[x]) {
            sum += shareY * shareX * data[(fromY * width + fromX) * channels + c];
          }
        }
        small[(y * columns + x) * channels + c] = Math.round(sum);
      }
    }
  }
  return { width: columns, height: rows, channels, data: small };
}

/** Which of `from` pixels each of `to` covers, and how much of it each of them is. */
function shares(from: number, to: number): [pixel: number, share: number][][] {
  const size = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [begin, end] = [i * size, (i + 1) * size];
    const covered: [number, number][] = [];
    for (let pixel = Math.floor(begin); pixel < Math.min(from, Math.ceil(end)); pixel++) {
      covered.push([pixel, (Math.min(end, pixel + 1) - Math.max(begin, pixel)) / size]);
    }
    return covered;
  });
}

type RGB = readonly [number, number, number];

/** A pixel's colour; where it is transparent, over black. */
function colourOf({ width, channels, data }: Image, x: number, y: number): RGB {
  const at = (y * width + x) * channels;
  const alpha = channels % 2 ? 1 : data[at + channels - 1] / 255;
  const colour = channels < 3
    ? [data[at], data[at], data[at]]
    : [data[at], data[at + 1], data[at + 2]];
  const [r, g, b] = colour.map((value) => Math.round(value * alpha));
  return [r, g, b];
}

/** Steps of xterm's colour cube. */
const CUBE = [0, 95, 135, 175, 215, 255];

/** The nearest of xterm's 256 colours: of the gray ramp for gray, else of the cube. */
export function xterm256([r, g, b]: RGB): number {
  if (r === g && g === b) {
    // 232 to 255 are 8, 18, ... 238; the cube has black and white.
    if (r < 4) return 16;
    if (r > 246) return 231;
    return 232 + Math.min(23, Math.max(0, Math.round((r - 8) / 10)));
  }
  const nearest = (value: number) => {
    const distances = CUBE.map((step) => Math.abs(step - value));
    return distances.indexOf(Math.min(...distances));
  };
  return 16 + 36 * nearest(r) + 6 * nearest(g) + nearest(b);
}

/**
 * An image as half blocks: each character shows two pixels, the upper one in the colour of the
 * text and the lower one in that behind it.
 *
 * @param columns characters a line at most
 */
export function halfBlocks(
  image: Image,
  columns: number,
  colours: "truecolor" | "256",
): string {
  const small = shrink(image, Math.max(1, columns));
  const code = (colour: RGB) =>
    colours === "truecolor" ? `2;${colour.join(";")}` : `5;${xterm256(colour)}`;
  let text = "";
  for (let y = 0; y < small.height; y += 2) {
    let last = "";
    for (let x = 0; x < small.width; x++) {
      const upper = `\x1b[38;${code(colourOf(small, x, y))}`;
      const lower = y + 1 < small.height ? `;48;${code(colourOf(small, x, y + 1))}m` : ";49m"; // An odd last row has nothing below it.
      if (upper + lower !== last) text += last = upper + lower;
      text += "▀";
    }
    text += "\x1b[0m\n";
  }
  return text;
}
