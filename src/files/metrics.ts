/**
 * The file of a metrics log.
 *
 * @module
 */

import { DataError } from "../errors.ts";
import { concat } from "../formats/bytes.ts";
import { decodeRow, type MetricsRow, RowOrder } from "../formats/metrics.ts";
import type { MetricsLogOptions } from "../training/metrics_log.ts";
import { AppendFile } from "./append.ts";
import { cannotWrite } from "./atomic.ts";
import { NotAFile, requireFile } from "./kind.ts";

interface Line {
  readonly row: MetricsRow;
  /** Where the next line begins, in bytes. */
  readonly end: number;
  /** Whether a line break follows; it may be missing at the end of the file. */
  readonly ended: boolean;
}

/** Most bytes of a line: it keeps a file without line breaks out of memory. */
const MOST_LINE = 2 ** 20;

/** The lines of a file, one at a time, without an incomplete one at the end. */
export async function* readLines(path: string): AsyncGenerator<Line> {
  await requireFile(path).catch((cause) => {
    if (!(cause instanceof NotAFile)) throw cause;
    throw new DataError(`Cannot read the log ${path}: ${cause.message}, or move it away`, {
      cause,
    });
  });
  using file = await Deno.open(path);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const order = new RowOrder();
  let number = 0;
  let end = 0;
  const parse = (bytes: Uint8Array, ended: boolean): Line | undefined => {
    number++;
    end += bytes.length + (ended ? 1 : 0);
    if (!ended && bytes.length === 0) return undefined;
    try {
      if (bytes.length > MOST_LINE) throw new Error(`it has more than ${MOST_LINE} bytes`);
      const row = decodeRow(decoder.decode(bytes));
      const objection = order.objection(row);
      if (objection) throw new Error(objection);
      order.accept(row);
      return { row, end, ended };
    } catch (cause) {
      if (!ended) return undefined; // The process was killed while it wrote.
      const reason = cause instanceof TypeError ? "it is not UTF-8" : (cause as Error).message;
      throw new DataError(
        `Line ${number} of ${path} is damaged: ${reason}. Repair or remove the line, or move the ` +
          "file away",
        { cause },
      );
    }
  };

  /** Pieces of a line whose end was not read yet. */
  let rest: Uint8Array[] = [];
  let held = 0;
  const chunk = new Uint8Array(65536);
  for (let n; (n = await file.read(chunk)) !== null;) {
    let bytes = chunk.subarray(0, n);
    for (let at; (at = bytes.indexOf(10)) >= 0; bytes = bytes.subarray(at + 1)) {
      const line = parse(concat([...rest, bytes.subarray(0, at)]), true);
      [rest, held] = [[], 0];
      if (line) yield line;
    }
    rest.push(bytes.slice());
    held += bytes.length;
    if (held > MOST_LINE) parse(concat(rest), true); // It throws.
  }
  const line = parse(concat(rest), false);
  if (line) yield line;
}

/**
 * Opens a log to append to. One truncation removes lines after `afterStep` and an incomplete last line.
 *
 * @throws as `MetricsLog.open`
 */
export async function openMetrics(
  path: string,
  options: MetricsLogOptions,
): Promise<{ readonly file: AppendFile; readonly order: RowOrder }> {
  const { afterStep = 0, onRow } = options;
  const order = new RowOrder();
  let length = 0;
  let ended = true;
  if (afterStep > 0) {
    try {
      for await (const line of readLines(path)) {
        if (line.row.step > afterStep) break;
        ({ end: length, ended } = line);
        order.accept(line.row);
        onRow?.(line.row);
      }
    } catch (error) {
      if (error instanceof DataError) throw error;
      if (!(error instanceof Deno.errors.NotFound)) throw cannotWrite(path, error);
    }
  }
  order.step = afterStep;
  // Lines are in order, so those to keep are the beginning of the file, and cutting is atomic.
  const file = await AppendFile.open(path, length);
  if (!ended) {
    file.add(new TextEncoder().encode("\n"));
    await file.flush();
  }
  return { file, order };
}
