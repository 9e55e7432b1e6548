/** The file of a metrics log. */

import { DataError } from "../errors.ts";
import { concat } from "../formats/bytes.ts";
import { decodeRow, type MetricsRow, RowOrder } from "../formats/metrics.ts";
import type { MetricsLogOptions } from "../training/metrics_log.ts";
import { AppendFile } from "./append.ts";
import { cannotWrite } from "./atomic.ts";
import { NotAFile, requireFile } from "./kind.ts";
import { isReason, type SystemFile } from "./file_system.ts";
import { system } from "./system.ts";

/** Most bytes of a line: it keeps a file without line breaks out of memory. */
const MOST_LINE = 2 ** 20;

/** Lines of bytes; `ended` if a line break follows. Beyond `MOST_LINE` a line is not read on. */
async function* splitLines(file: SystemFile) {
  /** Pieces of a line whose end was not read yet. */
  let rest: Uint8Array[] = [];
  let held = 0;
  const chunk = new Uint8Array(65536);
  for (let n; held <= MOST_LINE && (n = await file.read(chunk)) !== null;) {
    let bytes = chunk.subarray(0, n);
    for (let at; (at = bytes.indexOf(10)) >= 0; bytes = bytes.subarray(at + 1)) {
      yield { bytes: concat([...rest, bytes.subarray(0, at)]), ended: true };
      [rest, held] = [[], 0];
    }
    rest.push(bytes.slice());
    held += bytes.length;
  }
  if (held) yield { bytes: concat(rest), ended: held > MOST_LINE };
}

interface Line {
  readonly row: MetricsRow;
  /** Where the next line begins, in bytes. */
  readonly end: number;
  /** Whether a line break follows; it may be missing at the end of the file. */
  readonly ended: boolean;
}

/** The lines of a file, one at a time, without an incomplete one at the end. */
export async function* readLines(path: string): AsyncGenerator<Line> {
  await requireFile(path).catch((cause) => {
    if (!(cause instanceof NotAFile)) throw cause;
    const message = `Cannot read the log ${path}: ${cause.message}, or move it away`;
    throw new DataError(message, { cause });
  });
  using file = await system.open(path);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const order = new RowOrder();
  let number = 0;
  let end = 0;
  for await (const { bytes, ended } of splitLines(file)) {
    number++;
    end += bytes.length + (ended ? 1 : 0);
    let row: MetricsRow;
    try {
      if (bytes.length > MOST_LINE) throw new Error(`it has more than ${MOST_LINE} bytes`);
      row = decodeRow(decoder.decode(bytes));
      const objection = order.objection(row);
      if (objection) throw new Error(objection);
    } catch (cause) {
      if (!ended) return; // The process was killed while it wrote.
      const reason = cause instanceof TypeError ? "it is not UTF-8" : (cause as Error).message;
      throw new DataError(
        `Line ${number} of ${path} is damaged: ${reason}. Repair or remove the line, or move the ` +
          "file away",
        { cause },
      );
    }
    order.accept(row);
    yield { row, end, ended };
  }
}

/**
 * Opens a log to append to. One truncation removes lines after `afterStep` and an incomplete last line.
 *
 * @throws as `MetricsLog.open`
 */
export async function openMetrics(
  path: string,
  { afterStep = 0, onRow }: MetricsLogOptions,
): Promise<{ readonly file: AppendFile; readonly order: RowOrder }> {
  const order = new RowOrder();
  let length = 0;
  let ended = true;
  try {
    for await (const line of afterStep > 0 ? readLines(path) : []) {
      if (line.row.step > afterStep) break;
      ({ end: length, ended } = line);
      order.accept(line.row);
      onRow?.(line.row);
    }
  } catch (error) {
    if (error instanceof DataError) throw error;
    if (!isReason(error, "NotFound")) throw cannotWrite(path, error);
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
