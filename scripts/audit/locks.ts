/**
 * The lock files, and what Deno has installed of them.
 *
 * @module
 */

import { join } from "node:path";

/** Each lock file, and the files and folders that run with it: see the tasks in `deno.json`. */
const LOCKS: readonly (readonly [file: string, roots: readonly string[]])[] = [
  ["deno.lock", [
    "mod.ts",
    "examples",
    "scripts",
    "bench/kernels_bench.ts",
    "bench/step_bench.ts",
    "bench/step.ts",
    "bench/scaling.ts",
    "bench/profile.ts",
  ]],
  ["src/cli/deno.lock", ["src/cli"]],
  ["tests/deno.lock", ["tests"]],
  ["bench/peers/deno.lock", ["bench/peers.ts", "bench/peers"]],
];

/** One package of a lock file. */
export interface Entry {
  /** `name@version`; a key of the lock file may also say with which peers. */
  readonly id: string;
  readonly integrity: string;
  /** As the lock file has them: a name, or `name@version` where there are several. */
  readonly dependencies: readonly string[];
  /** Their names. */
  readonly names: readonly string[];
}

/** A lock file. */
export interface Lock {
  readonly file: string;
  readonly roots: readonly string[];
  readonly version: unknown;
  /** Parts other than those of npm packages. */
  readonly foreign: readonly string[];
  /** `npm:name@version` to the version, perhaps with peers, that stands for it. */
  readonly specifiers: ReadonlyMap<string, string>;
  readonly entries: ReadonlyMap<string, Entry>;
  /** The key of a dependency. */
  resolve(dependency: string): string | undefined;
  /** The ids of a package and all that it needs. */
  closure(key: string): string[];
}

/** A package's name, without what follows the version's `@`. */
const nameOf = (text: string) => /^(@[^/]+\/[^@]+|[^@]+)/.exec(text)![0];

/** `name@version`, without the peers. */
function idOf(key: string): string {
  const name = nameOf(key);
  return `${name}@${key.slice(name.length + 1).split("_")[0]}`;
}

interface LockFile {
  version?: unknown;
  specifiers?: Record<string, string>;
  npm?: Record<string, {
    integrity?: string;
    dependencies?: string[];
    optionalDependencies?: string[];
    optionalPeers?: string[];
  }>;
}

function parse(file: string, roots: readonly string[], text: string): Lock {
  const json = JSON.parse(text) as LockFile;
  const entries = new Map(
    Object.entries(json.npm ?? {}).map(([key, entry]): [string, Entry] => {
      const dependencies = [...entry.dependencies ?? [], ...entry.optionalDependencies ?? []];
      const names = dependencies.map(nameOf);
      return [key, { id: idOf(key), integrity: entry.integrity ?? "", dependencies, names }];
    }),
  );
  const byName = Map.groupBy(entries.keys(), nameOf);
  const resolve = (dependency: string) => {
    if (entries.has(dependency)) return dependency;
    const several = byName.get(dependency) ?? [];
    return several.length === 1 ? several[0] : undefined;
  };
  return {
    file,
    roots,
    version: json.version,
    foreign: Object.keys(json).filter((part) => !["version", "specifiers", "npm"].includes(part)),
    specifiers: new Map(Object.entries(json.specifiers ?? {})),
    entries,
    resolve,
    closure(key) {
      const seen = new Set<string>();
      const walk = (one: string) => {
        const entry = entries.get(one);
        if (!entry || seen.has(entry.id)) return;
        seen.add(entry.id);
        for (const dependency of entry.dependencies) walk(resolve(dependency) ?? "");
      };
      walk(key);
      return [...seen];
    },
  };
}

/** All lock files of a checkout. */
export function readLocks(root: string): Promise<Lock[]> {
  return Promise.all(
    LOCKS.map(async ([file, roots]) =>
      parse(file, roots, await Deno.readTextFile(join(root, file)))
    ),
  );
}

/** Specifiers of a lock file with the keys that stand for them. */
export function direct({ specifiers }: Lock): [specifier: string, key: string][] {
  return [...specifiers].filter(([specifier]) => specifier.startsWith("npm:")).map(
    ([specifier, version]) => [specifier, `${nameOf(specifier.slice(4))}@${version}`],
  );
}

/** A package in Deno's cache. */
export interface Installed {
  readonly dir: string;
  /** As its package.json says. */
  readonly id: string;
  /** The hash that the registry gave when it was installed. */
  readonly integrity: string | undefined;
  readonly licence: string;
  /** Names that its package.json allows it to need. */
  readonly dependencies: ReadonlySet<string>;
  /** Of all its files. */
  readonly bytes: number;
}

/** Files of a package; not those that Deno leaves there for itself. */
export async function* filesOf(dir: string, below = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(dir, below))) {
    if (/^\.(initialized|scripts-(warned|run)(-\d+)?)$/.test(name)) continue;
    const path = below ? `${below}/${name}` : name;
    if (isDirectory) yield* filesOf(dir, path);
    else yield path;
  }
}

async function read(cache: string, id: string): Promise<Installed | undefined> {
  const name = nameOf(id);
  const version = id.slice(name.length + 1);
  const dir = join(cache, name, version);
  let text: string;
  try {
    text = await Deno.readTextFile(join(dir, "package.json"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const about = JSON.parse(text);
  const registry = await Deno.readTextFile(join(cache, name, "registry.json")).then(
    JSON.parse,
    () => undefined,
  );
  const old = [about.licenses ?? []].flat().map((one: { type?: string } | string) =>
    typeof one === "string" ? one : one.type
  );
  let bytes = 0;
  for await (const path of filesOf(dir)) bytes += (await Deno.stat(join(dir, path))).size;
  return {
    dir,
    id: `${about.name}@${about.version}`,
    integrity: registry?.versions?.[version]?.dist?.integrity,
    licence: String(about.license?.type ?? about.license ?? old.join(" OR ")).replace(
      /^\((.*)\)$/,
      "$1",
    ),
    dependencies: new Set(
      ["dependencies", "optionalDependencies", "peerDependencies"].flatMap((kind) =>
        Object.keys(about[kind] ?? {})
      ),
    ),
    bytes,
  };
}

/** What is installed of the lock files, by id. */
export async function installed(
  cache: string,
  locks: readonly Lock[],
): Promise<Map<string, Installed>> {
  const ids = new Set(locks.flatMap(({ entries }) => [...entries.values()].map(({ id }) => id)));
  const found = new Map<string, Installed>();
  for (const id of cache ? ids : []) {
    const one = await read(cache, id);
    if (one) found.set(id, one);
  }
  return found;
}
