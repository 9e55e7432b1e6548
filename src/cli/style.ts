/**
 * A little colour, for people at a terminal.
 *
 * @module
 */

/** Ways to write a word. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
}

/** Select Graphic Rendition (ECMA-48): what begins a style, and what ends it. */
function sgr(begin: number, end: number, enabled: boolean): (text: string) => string {
  return enabled ? (text) => `\x1b[${begin}m${text}\x1b[${end}m` : (text) => text;
}

/** Styles, or none at all. */
export function style(enabled: boolean): Style {
  return {
    bold: sgr(1, 22, enabled),
    dim: sgr(2, 22, enabled),
    green: sgr(32, 39, enabled),
    yellow: sgr(33, 39, enabled),
    red: sgr(31, 39, enabled),
  };
}

/**
 * The styles for a stream: colour only on a terminal, and not where NO_COLOR is set and not empty
 * (https://no-color.org).
 */
export function styleOf(stream: { isTerminal(): boolean }, noColor = Deno.noColor): Style {
  return style(stream.isTerminal() && !noColor);
}
