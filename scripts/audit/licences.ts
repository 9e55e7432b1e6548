/**
 * Which licences a dependency may have, and what CONTRIBUTING says of each.
 *
 * @module
 */

/** Permissive ones, by their SPDX names. */
const LICENCES = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"]);

/** Whether an SPDX expression can be met with licences of the list alone. */
export function allowed(expression: string): boolean {
  const plain = expression.replaceAll(/[()]/g, " ");
  // Of mixed expressions the strictest reading: every part must be on the list.
  const mixed = / AND /.test(plain) && / OR /.test(plain);
  const parts = plain.split(mixed ? / AND | OR / : / AND /);
  return parts.every((part) => {
    const either = part.split(" OR ").map((name) => name.trim());
    return mixed ? LICENCES.has(part.trim()) : either.some((name) => LICENCES.has(name));
  });
}

/** A row of CONTRIBUTING's table. */
export interface Row {
  readonly licence: string;
  /** Unpacked, with all that it pulls in. */
  readonly megabytes: number;
  /** Itself and those. */
  readonly packages: number;
}

/** The table of dependencies by package. */
export function dependencyTable(page: string): Map<string, Row> {
  const row = /^\| `([^`]+)` +\|[^|]+\| ([^|]+?) +\| ([\d.]+) MB(?: in (\d+))? +\|/gm;
  return new Map(
    [...page.matchAll(row)].map(([, name, licence, megabytes, packages]) => [
      name,
      { licence, megabytes: Number(megabytes), packages: Number(packages ?? 1) },
    ]),
  );
}
