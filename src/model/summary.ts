/**
 * The summary of a model as Keras prints it.
 *
 * @module
 */

/** One line of the table. */
export interface SummaryRow {
  readonly layer: string;
  readonly shape: string;
  readonly parameters: number;
}

/** Widths behind a blank; a cell that is too long goes on in the next line. */
const COLUMNS = [28, 26, 10];

function line(cells: readonly (string | number)[]): string {
  const lines: string[] = [];
  let left = cells.map(String);
  while (left.some((cell) => cell)) {
    const fits = left.map((cell, i) => cell.slice(0, COLUMNS[i] - 2));
    lines.push(` ${fits.map((cell, i) => cell.padEnd(COLUMNS[i])).join("")}`.trimEnd());
    left = left.map((cell, i) => cell.slice(COLUMNS[i] - 2));
  }
  return lines.join("\n");
}

function megabytes(parameters: number): string {
  if (parameters === 0) return "0.00 Byte";
  const kilobytes = parameters * 4 / 1024;
  return kilobytes < 1024 ? `${kilobytes.toFixed(2)} KB` : `${(kilobytes / 1024).toFixed(2)} MB`;
}

/** Layers, output shapes and numbers of weights, then the totals. */
export function summaryTable(
  model: string,
  rows: readonly SummaryRow[],
  { total, trainable }: { readonly total: number; readonly trainable: number },
): string {
  const width = COLUMNS.reduce((a, b) => a + b, 1);
  const totals = [
    ["Total params", total],
    ["Trainable params", trainable],
    ["Non-trainable params", total - trainable],
  ] as const;
  return [
    `Model: "${model}"`,
    "_".repeat(width),
    line(["Layer (type)", "Output Shape", "Param #"]),
    "=".repeat(width),
    ...rows.map((row) => `${line([row.layer, row.shape, row.parameters])}\n`),
    "=".repeat(width),
    ...totals.map(([what, count]) => `${what}: ${count} (${megabytes(count)})`),
    "_".repeat(width),
  ].join("\n");
}
