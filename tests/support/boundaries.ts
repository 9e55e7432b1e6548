/** What a set of source files does that the layout of the house forbids. */

import { dirname, join } from "node:path/posix";

/** Rooms of `src/`, top down: a file imports only from its own room or one above it. */
export const ROOMS: readonly string[] = [
  ...["errors.ts", "version.ts", "kernels", "gpu", "graph", "ops", "optim", "formats", "model"],
  ...["metrics", "data", "training", "files", "train.ts", "cli"],
];

/** Rooms that may name the file system and the runtime, and are loaded only when they are used. */
const ON_DISK = ["files", "cli"];

interface Import {
  readonly from: string;
  /** A path from the root for a file of ours, or else the specifier. */
  readonly to: string;
  readonly dynamic: boolean;
}

/** The room of a file, `src/gpu/device.ts`. */
const roomOf = (path: string): string => path.split("/")[1];

/** What each file violates, as sentences that begin with the file's path; sorted. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const found = new Set<string>();
  const imports: Import[] = [];
  for (const [path, source] of files) {
    const { names, imported } = read(path, source);
    for (const name of names.filter((name) => !mayName(roomOf(path), name))) {
      found.add(`${path} names ${name}`);
    }
    for (const { name, dynamic } of imported) {
      const to = /^\.\.?\//.test(name) ? join(dirname(path), name) : name;
      imports.push({ from: path, to, dynamic });
      const what = objection(path, to, dynamic);
      if (what) found.add(`${path} ${what}`);
    }
  }
  for (const circle of circles(imports)) {
    found.add(`${circle[0]} is in a circle: ${circle.join(" ")}`);
  }
  return [...found].sort();
}

const mayName = (room: string, name: string) =>
  name.startsWith("GPU") ? room === "gpu" : ON_DISK.includes(room);

function objection(from: string, to: string, dynamic: boolean): string | undefined {
  const room = roomOf(from);
  if (to.startsWith("node:")) return ON_DISK.includes(room) ? undefined : `imports ${to}`;
  if (/^(npm|jsr|https?):/.test(to) || to.endsWith(".wgsl")) return undefined;
  const target = roomOf(to);
  // The command line is a skin over mod.ts.
  if (to === "mod.ts") return room === "cli" ? undefined : "imports mod.ts";
  if (dynamic) {
    return target === "files" || room === "cli" ? undefined : `imports ${to} when it runs`;
  }
  // What needs a file system is loaded when it is used.
  const climbs = from === "mod.ts" || room === "train.ts"
    ? ON_DISK.includes(target)
    : ROOMS.indexOf(target) > ROOMS.indexOf(room);
  return climbs ? `imports ${to}` : undefined;
}

/** Imports, and names that only some rooms may use: as the parser sees them, not in texts. */
function read(path: string, source: string) {
  const imported: { name: string; dynamic: boolean }[] = [];
  const names: string[] = [];
  const from = ({ source }: { source: { value: string } | null }) => {
    if (source) imported.push({ name: source.value, dynamic: false });
  };
  const create = (): Deno.lint.LintVisitor => ({
    ImportDeclaration: from,
    ExportAllDeclaration: from,
    ExportNamedDeclaration: from,
    ImportExpression({ source }) {
      const name = source.type === "Literal" ? String(source.value) : "what is computed";
      imported.push({ name, dynamic: true });
    },
    TSImportType({ argument }) {
      if (argument.type !== "TSLiteralType" || argument.literal.type !== "Literal") return;
      imported.push({ name: String(argument.literal.value), dynamic: false });
    },
    Identifier({ name }) {
      if (/^(Deno|process|GPU[A-Z]\w*)$/.test(name)) names.push(name);
    },
  });
  Deno.lint.runPlugin({ name: "boundaries", rules: { read: { create } } }, path, source);
  return { imported, names };
}

/** Files that import each other by way of others or directly, each circle once. */
function circles(imports: readonly Import[]): Iterable<string[]> {
  const next = Map.groupBy(imports.filter(({ dynamic }) => !dynamic), ({ from }) => from);
  const reach = (from: string, seen = new Set<string>()) => {
    for (const { to } of next.get(from) ?? []) if (!seen.has(to)) reach(to, seen.add(to));
    return seen;
  };
  const reached = new Map([...next.keys()].map((from) => [from, reach(from)]));
  const found = [...reached].filter(([from, to]) => to.has(from)).map(([from, to]) =>
    [...to].filter((other) => reached.get(other)?.has(from)).sort()
  );
  return new Map(found.map((circle) => [circle.join(), circle])).values();
}
