/**
 * The table of `docs/testing.md`.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import type { Verdict } from "./run.ts";

const BEGIN = "<!-- What follows is written by `deno task mutate`. -->";
const UNKNOWN = "**not tried**";
const NOTHING = "**nothing**";

const escape = (text: string) => text.replaceAll(/[|*<]/g, "\\$&");

/** The first two cells of a fault's row: its file, and what is wrong. */
export function keyOf({ file, what }: Fault): string {
  return `\`${file.replace("src/", "")}\` | ${escape(what)}`;
}

/** By {@linkcode keyOf}, what the rows of a page say noticed. */
export function rowsOf(page: string): Map<string, string> {
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  return new Map(rows.map((row) => {
    const [, file, what, noticed] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    return [`${file} | ${what}`, noticed];
  }));
}

/** Whether a row's last cell names a test. */
export function isNoticed(noticed: string = UNKNOWN): boolean {
  return ![NOTHING, UNKNOWN].includes(noticed);
}

/**
 * Writes what became of faults into the part of a page behind its mark, and has it formatted. Faults
 * that were not tried now keep what their row says.
 */
export async function writeTable(
  path: string,
  faults: Readonly<Record<string, readonly Fault[]>>,
  verdicts: ReadonlyMap<Fault, Verdict>,
): Promise<void> {
  const page = await Deno.readTextFile(path);
  const at = page.indexOf(BEGIN);
  if (at < 0) throw new Error(`${path} has no line "${BEGIN}"`);
  const before = rowsOf(page);
  const noticed = (fault: Fault) => {
    const verdict = verdicts.get(fault);
    if (!verdict) return before.get(keyOf(fault)) ?? UNKNOWN;
    return verdict.kind === "caught" ? escape(verdict.test) : NOTHING;
  };
  const all = Object.values(faults).flat();
  const caught = all.filter((fault) => isNoticed(noticed(fault))).length;
  const parts = Object.entries(faults).map(([subject, list]) =>
    [
      `### ${subject}`,
      "",
      "| File | Fault | Noticed by |",
      "| --- | --- | --- |",
      ...list.map((fault) => `| ${keyOf(fault)} | ${noticed(fault)} |`),
      "",
    ].join("\n")
  );
  const total = `${caught} of ${all.length} faults were noticed.`;
  await Deno.writeTextFile(path, [page.slice(0, at) + BEGIN, total, ...parts].join("\n\n"));
  await new Deno.Command("deno", { args: ["fmt", "--quiet", path] }).output();
}
