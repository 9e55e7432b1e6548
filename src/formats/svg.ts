/** Pieces of SVG figures. */

/** Escapes text for XML, and drops characters that XML does not allow, such as NUL. */
export function escapeXML(text: string): string {
  return text
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "")
    .toWellFormed()
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A coordinate, rounded to a tenth of a pixel. */
export function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A point. If its `y` is not finite, the line has a gap there. */
export type Point = readonly [x: number, y: number];

/** The stretches of a line between its gaps. */
export function stretches(points: readonly Point[]): Point[][] {
  const all: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point[1])) all.at(-1)!.push(point);
    else all.push([]);
  }
  return all.filter(({ length }) => length);
}

/** The `d` of a line without gaps. A lone point gets a length of 0, which round caps show as a dot. */
export function linePath(points: readonly Point[]): string {
  const d = "M" + points.map(([x, y]) => `${round(x)},${round(y)}`).join("L");
  return points.length === 1 ? `${d}h0` : d;
}

/**
 * Round numbers that divide a range, at most `most` of them.
 *
 * @param whole Whether they must be whole numbers.
 */
export function ticks(low: number, high: number, most: number, whole = false): number[] {
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const nice = [1, 2, 5, 10].map((n) => n * power).find((step) => step >= raw * (1 - 1e-9))!;
  const step = whole ? Math.max(1, Math.round(nice)) : nice;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const length = Math.max(0, last - first + 1);
  // By multiplication and rounding, or the labels would read 0.30000000000000004.
  return Array.from({ length }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** A number with thin spaces between groups of three digits, as the SI recommends. */
export function grouped(value: number): string {
  const [whole, fraction] = String(value).split(".");
  const groups = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u2009") : whole;
  return [groups, fraction].filter(Boolean).join(".");
}
