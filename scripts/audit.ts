/**
 * Audits the dependencies: lock files against the code, against each other, and against what is
 * installed. Says each problem in a sentence, and ends with 1 if there is one.
 *
 *   deno task audit [ROOT]
 *   deno task audit:fetch [ROOT]
 *
 * Without a network it finds what does not fit together. That the installed files are those of the
 * hashes, no one can tell from the files, since the hash is of the archive they came in: `audit:fetch`
 * (`--fetch`) has Deno fetch every archive anew and compare it with the lock file, and compares each file with
 * the installed one.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { direct, type Installed, installed, type Lock, readLocks } from "./audit/locks.ts";
import { differences, fetchAnew } from "./audit/fetch.ts";
import { allowed, dependencyTable } from "./audit/licences.ts";
import { type Use, usesOf } from "./audit/uses.ts";

/** What an audit looks at. */
export interface AuditOptions {
  /** The checkout. */
  readonly root: string;
  /** Deno's folder of npm packages, `npm/<registry>` in its cache. */
  readonly cache: string;
}

/** What it found. */
export interface AuditReport {
  /** A sentence each. None: all is well. */
  readonly problems: readonly string[];
  /** Lock entries, and those of them that are installed and were compared. */
  readonly entries: number;
  readonly compared: number;
}

/** `npm:name@1.2.3` and, of an import, a path behind. */
const EXACT = /^npm:((?:@[\w.-]+\/)?[\w.-]+)@(\d+\.\d+\.\d+(?:-[\w.]+)?)(?:\/.*)?$/;

/** What imports say: exact versions of npm packages, and nothing from anywhere else. */
function checkUses(uses: readonly Use[]): string[] {
  return uses.flatMap(({ specifier, file, line }) =>
    EXACT.test(specifier)
      ? []
      : specifier.startsWith("npm:")
      ? [`${file}:${line} imports ${specifier}, which names no exact version: pin it`]
      : [`${file}:${line} imports ${specifier}, which is no npm package`]
  );
}

/** A lock file and those who run with it. */
function checkLock(lock: Lock, uses: readonly Use[]): string[] {
  const problems: string[] = [];
  const say = (text: string) => problems.push(`${lock.file}: ${text}`);
  if (lock.version !== "5") say(`its version is ${JSON.stringify(lock.version)}, 5 is understood`);
  for (const part of lock.foreign) say(`it has "${part}": only npm packages are locked here`);
  const wanted = new Set<string>();
  for (const { specifier, file, computed } of uses) {
    const [, name, version] = EXACT.exec(specifier) ?? [];
    if (name === undefined) continue;
    const short = `npm:${name}@${version}`;
    // What is fetched on demand has to be locked where it is demanded.
    const own = lock.roots.some((path) => file === path || file.startsWith(`${path}/`));
    if (!lock.specifiers.has(short) && !wanted.has(short) && (own || !computed)) {
      say(`${short}, which ${file} imports, is not in it: run its task once without --frozen`);
    }
    wanted.add(short);
  }
  for (const specifier of lock.specifiers.keys()) {
    if (!specifier.startsWith("npm:")) say(`it locks ${specifier}: only npm packages are allowed`);
    else if (!wanted.has(specifier)) say(`${specifier} is in it, and nothing uses it: remove it`);
  }
  const reached = new Set<string>();
  const walk = (key: string, by: string) => {
    if (reached.has(key)) return;
    reached.add(key);
    const entry = lock.entries.get(key);
    if (!entry) return say(`${key}, which ${by} needs, is not in it`);
    for (const dependency of entry.dependencies) {
      const found = lock.resolve(dependency);
      if (found === undefined) say(`${dependency}, which ${key} needs, is not in it`);
      else walk(found, key);
    }
  };
  for (const [specifier, key] of direct(lock)) walk(key, specifier);
  for (const [key, { integrity }] of lock.entries) {
    if (!reached.has(key)) say(`${key} is in it, and nothing needs it: remove it`);
    // 64 bytes in base64.
    if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity)) {
      say(`${key} has no SHA-512 hash, but ${JSON.stringify(integrity)}`);
    }
  }
  return problems;
}

/** The same package has one hash, whichever lock file tells. */
function checkAgreement(locks: readonly Lock[]): string[] {
  const first = new Map<string, [integrity: string, file: string]>();
  const problems: string[] = [];
  for (const { file, entries } of locks) {
    for (const { id, integrity } of entries.values()) {
      const [other, where] = first.get(id) ?? [integrity, file];
      if (other !== integrity) {
        problems.push(`${id} has the hash ${other} in ${where} and ${integrity} in ${file}`);
      }
      first.set(id, [other, where]);
    }
  }
  return problems;
}

function checkInstalled(lock: Lock, packages: ReadonlyMap<string, Installed>): string[] {
  return [...lock.entries.values()].flatMap(({ id, integrity, names }) => {
    const found = packages.get(id);
    if (!found) return [];
    const say = (text: string) => `${lock.file}: ${id} ${text}`;
    const problems: string[] = [];
    if (found.id !== id) {
      problems.push(
        say(`is installed, but its package.json says ${found.id}: remove ${found.dir}`),
      );
    }
    // Installed by a frozen lock file, Deno asks the registry for no hash: it took the lock file's.
    if (found.integrity !== undefined && found.integrity !== integrity) {
      problems.push(say(`has the hash ${integrity}, was installed with ${found.integrity}`));
    }
    for (const name of names) {
      if (!found.dependencies.has(name)) {
        problems.push(say(`needs ${name} by the lock file, which its package.json does not say`));
      }
    }
    if (!allowed(found.licence)) {
      problems.push(say(`has the licence ${found.licence || "(none)"}, which is not on the list`));
    }
    return problems;
  });
}

/** The table in CONTRIBUTING: every package that the code names, its licence and its size. */
async function checkTable(
  root: string,
  locks: readonly Lock[],
  packages: ReadonlyMap<string, Installed>,
): Promise<string[]> {
  const table = dependencyTable(await Deno.readTextFile(join(root, "CONTRIBUTING.md")));
  const problems: string[] = [];
  const say = (text: string) => problems.push(`CONTRIBUTING.md: ${text}`);
  const named = new Map<string, { id: string; all: readonly string[] }>();
  for (const lock of locks) {
    for (const [, key] of direct(lock)) {
      const { id } = lock.entries.get(key) ?? {};
      if (id === undefined) continue; // said above
      named.set(id.slice(0, id.lastIndexOf("@")), { id, all: lock.closure(key) });
    }
  }
  for (const [name, { id, all }] of named) {
    const row = table.get(name);
    if (!row) {
      say(`${name} is not in the table of dependencies: say what it is for, or do without`);
      continue;
    }
    const found = all.map((one) => packages.get(one));
    if (found.some((one) => !one)) continue; // it is not installed, so nobody can measure it
    const licence = packages.get(id)!.licence;
    if (row.licence !== licence) say(`${name} has the licence ${licence}, not ${row.licence}`);
    const size = found.reduce((sum, one) => sum + one!.bytes, 0);
    const megabytes = Number((size / 1e6).toPrecision(2));
    if (row.packages !== all.length) say(`${name} is ${all.length} packages, not ${row.packages}`);
    // What a system counts as a file's size, or a package leaves to it, may differ a little.
    if (Math.abs(row.megabytes - megabytes) > 0.05 * megabytes) {
      say(`${name} with what it pulls in has ${megabytes} MB, not ${row.megabytes}`);
    }
  }
  for (const name of table.keys()) {
    if (!named.has(name)) say(`${name} is in the table of dependencies, and no lock file has it`);
  }
  return problems;
}

/** Everything that can be told without a network. */
export async function audit({ root, cache }: AuditOptions): Promise<AuditReport> {
  const locks = await readLocks(root);
  const packages = await installed(cache, locks);
  const problems: string[] = [];
  const all: Use[] = [];
  for (const lock of locks) {
    const uses = await usesOf(root, lock.roots);
    all.push(...uses);
    problems.push(...checkLock(lock, uses), ...checkInstalled(lock, packages));
  }
  problems.unshift(...new Set(checkUses(all)));
  problems.push(...checkAgreement(locks), ...await checkTable(root, locks, packages));
  const ids = new Set(locks.flatMap((lock) => [...lock.entries.values()].map(({ id }) => id)));
  return {
    problems,
    entries: ids.size,
    compared: [...ids].filter((id) => packages.has(id)).length,
  };
}

/** Deno's folder of npm packages, of the registry that it uses. */
async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command("deno", { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  const folders: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(npmCache)) {
    if (isDirectory) folders.push(join(npmCache, name));
  }
  return folders[0] ?? npmCache;
}

async function main(args: readonly string[]): Promise<number> {
  const root = args.find((arg) => !arg.startsWith("-")) ??
    fileURLToPath(new URL("..", import.meta.url));
  const unknown = args.find((arg) => arg.startsWith("-") && arg !== "--fetch");
  if (unknown !== undefined) {
    console.error(`there is no ${unknown}: usage: deno task audit [ROOT]`);
    return 2;
  }
  if (
    args.includes("--fetch") && Deno.permissions.querySync({ name: "write" }).state !== "granted"
  ) {
    console.error("what is fetched has to be written: deno task audit:fetch may do that");
    return 2;
  }
  const cache = await npmCache().catch(() => "");
  const { problems, entries, compared } = await audit({ root, cache });
  const found = [...problems];
  let files = 0;
  if (args.includes("--fetch")) {
    for (const lock of await readLocks(root)) {
      const fresh = await fetchAnew(lock, root);
      if (typeof fresh === "string") {
        found.push(`${lock.file}: ${fresh}`);
        continue;
      }
      try {
        for (const { id } of lock.entries.values()) {
          const path = join(id.slice(0, id.lastIndexOf("@")), id.slice(id.lastIndexOf("@") + 1));
          const result = await differences(join(cache, path), join(fresh.cache, path));
          files += result.compared;
          for (const text of result.problems) found.push(`${id}: ${text}`);
        }
      } finally {
        await Deno.remove(fresh.folder, { recursive: true });
      }
    }
  }
  for (const text of new Set(found)) console.error(text);
  const missing = entries - compared;
  console.log(
    `${entries} packages locked, ${compared} compared with what is installed` +
      (missing ? `, ${missing} not installed` : "") +
      (args.includes("--fetch") ? `, ${files} files compared with a fresh copy` : "") +
      `: ${found.length ? `${new Set(found).size} problems` : "no problem"}`,
  );
  return found.length ? 1 : 0;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
