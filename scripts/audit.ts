/**
 * Checks of the dependencies what Deno does not: versions are exact, nothing is locked that nothing
 * imports, licenses are on the list, and CONTRIBUTING's table names each package with its license.
 * Prints each problem as a sentence; the exit code is 1 if there is one.
 *
 *   deno task audit
 *
 * That every import is locked and every archive has its hash, Deno checks itself (`--frozen`).
 * Licenses are read from Deno's cache; packages that are not installed are skipped.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { filesIn } from "./files.ts";

const LICENSES = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"]);

/** Whether licenses of the list alone satisfy an SPDX expression. */
export function allowed(expression: string): boolean {
  const plain = expression.replaceAll(/[()]/g, " ");
  // An expression of both kinds is read strictly: every part must be on the list.
  if (/ AND .* OR | OR .* AND /.test(plain)) {
    return plain.split(/ AND | OR /).every((name) => LICENSES.has(name.trim()));
  }
  const parts = plain.split(" AND ");
  return parts.every((part) => part.split(" OR ").some((name) => LICENSES.has(name.trim())));
}

/** `npm:name@1.2.3`; an import may add a path. */
const EXACT = /^npm:((?:@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(?:-[\w.]+)?)(?:\/|$)/;
/** Imports from outside, types for them, and packages that are fetched on demand. */
const IMPORT =
  /(?:\bfrom\s*|\bimport\s*\(?\s*|@ts-types=|@deno-types=)"((?:npm|jsr|https?):[^"\n]+)"/g;
const ON_DEMAND = /\b[A-Z]+_PACKAGE = "([^"]+)"/g;

interface Lock {
  readonly specifiers?: Record<string, string>;
  readonly npm?: Record<string, unknown>;
}

/** The license in the package.json of an installed package. */
async function licenseOf(cache: string, id: string): Promise<string | undefined> {
  const at = id.lastIndexOf("@");
  const path = join(cache, id.slice(0, at), id.slice(at + 1), "package.json");
  const text = await Deno.readTextFile(path).catch(() => undefined);
  if (text === undefined) return undefined;
  const { license, licenses } = JSON.parse(text);
  const old = [licenses ?? []].flat().map((one) => one.type ?? one).join(" OR ");
  return String(license?.type ?? license ?? old).replace(/^\((.*)\)$/, "$1");
}

/**
 * What is wrong with the dependencies of the checkout `root`, a sentence each.
 *
 * @param cache Deno's folder of npm packages
 */
export async function audit(root: string, cache: string): Promise<string[]> {
  const problems: string[] = [];
  const imported = new Set<string>();
  const locks = new Map<string, Lock>();
  for await (const path of filesIn(root)) {
    if (path.endsWith("deno.lock")) {
      locks.set(path, JSON.parse(await Deno.readTextFile(join(root, path))));
    }
    if (!/\.[jt]sx?$/.test(path)) continue;
    const text = await Deno.readTextFile(join(root, path));
    const code = text.replaceAll(/\/\*\*.*?\*\//gs, "");
    const found = [...code.matchAll(IMPORT)].map(([, specifier]) => specifier);
    found.push(...[...code.matchAll(ON_DEMAND)].map(([, id]) => `npm:${id}`));
    for (const specifier of found) {
      const [, id] = EXACT.exec(specifier) ?? [];
      if (id) imported.add(id);
      else problems.push(`${path} imports ${specifier}: import npm packages, of exact versions`);
    }
  }

  const direct = new Set<string>();
  const all = new Set<string>();
  for (const [path, { specifiers = {}, npm = {}, ...others }] of locks) {
    for (const part of Object.keys(others)) {
      if (part !== "version") problems.push(`${path} has "${part}": lock npm packages only`);
    }
    for (const specifier of Object.keys(specifiers)) {
      const [, id] = EXACT.exec(specifier) ?? [];
      if (!id) problems.push(`${path} locks ${specifier}: lock npm packages, of exact versions`);
      else if (!imported.has(id)) problems.push(`${path} locks ${id}, which no code imports`);
      else direct.add(id);
    }
    // A key may end with the peers of the package.
    for (const key of Object.keys(npm)) all.add(key.replace(/(?<=.@[^_]+)_.*$/, ""));
  }
  for (const id of all) {
    const license = await licenseOf(cache, id);
    if (license !== undefined && !allowed(license)) {
      problems.push(`${id} has the license ${license || "(none)"}, which is not on the list`);
    }
  }

  const page = await Deno.readTextFile(join(root, "CONTRIBUTING.md"));
  const rows = new Map(
    [...page.matchAll(/^\| `(@?[\w./-]+)` +\|[^|]+\| ([^|]+?) +\| [\d.]+ MB/gm)]
      .map(([, name, license]) => [name, license]),
  );
  const names = new Map([...direct].map((id) => [id.slice(0, id.lastIndexOf("@")), id]));
  for (const [name, id] of names) {
    const [license, said] = [await licenseOf(cache, id), rows.get(name)];
    if (!said) problems.push(`CONTRIBUTING.md does not list ${name}: say what it is for`);
    else if (license !== undefined && license !== said) {
      problems.push(`CONTRIBUTING.md gives ${name} the license ${said}, its package ${license}`);
    }
  }
  for (const name of rows.keys()) {
    if (!names.has(name)) problems.push(`CONTRIBUTING.md lists ${name}, which no lock file has`);
  }
  return problems;
}

/** Deno's folder of npm packages, of the registry in use. */
export async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command("deno", { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  for await (const { name, isDirectory } of Deno.readDir(npmCache)) {
    if (isDirectory) return join(npmCache, name);
  }
  throw new Error(`Nothing is installed in ${npmCache}: run the tests first`);
}

if (import.meta.main) {
  const problems = await audit(fileURLToPath(new URL("..", import.meta.url)), await npmCache());
  for (const problem of problems) console.error(problem);
  console.log(problems.length ? `${problems.length} problems` : "no problem");
  Deno.exitCode = problems.length ? 1 : 0;
}
