/** What a set of source files does that the layout of the house forbids. */

import { dirname, join } from "node:path/posix";

/** Rooms of `src/`, top down: a file imports only from its own room or one above it. */
export const ROOMS: readonly string[] = [
  ...["errors.ts", "version.ts", "kernels", "gpu", "graph", "ops", "optim", "formats", "model"],
  ...["data", "metrics", "training", "files", "train.ts", "cli"],
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
  const all = [...files].map(([path, source]) => read(path, source));
  const imports = all.flatMap(({ imports }) => imports);
  const forbidden = imports.filter((one) => !isAllowed(one)).map(({ from, to, dynamic }) =>
    `${from} imports ${to}${dynamic ? " when it runs" : ""}`
  );
  const found = [...all.flatMap(({ names }) => names), ...forbidden, ...circles(imports)];
  return [...new Set(found)].sort();
}

function isAllowed({ from, to, dynamic }: Import): boolean {
  const [room, target] = [roomOf(from), roomOf(to)];
  if (to.startsWith("node:")) return ON_DISK.includes(room);
  if (/^(npm|jsr|https?):/.test(to) || to.endsWith(".wgsl")) return true;
  // The command line is a skin over mod.ts.
  if (to === "mod.ts") return room === "cli";
  // What needs a file system is loaded when it is used, and so are the packages that are named there.
  if (dynamic) return target === "files" || target === room || ON_DISK.includes(room);
  if (from === "mod.ts" || room === "train.ts") return !ON_DISK.includes(target);
  return ROOMS.indexOf(target) <= ROOMS.indexOf(room);
}

/** Imports, and names that the file's room may not use: as the parser sees them, not in texts. */
function read(path: string, source: string) {
  const imports: Import[] = [];
  const names: string[] = [];
  const add = (name: string, dynamic = false) => {
    const to = /^\.\.?\//.test(name) ? join(dirname(path), name) : name;
    imports.push({ from: path, to, dynamic });
  };
  const from = ({ source }: { source: { value: string } | null }) => source && add(source.value);
  const create = (): Deno.lint.LintVisitor => ({
    ImportDeclaration: from,
    ExportAllDeclaration: from,
    ExportNamedDeclaration: from,
    ImportExpression({ source }) {
      add(source.type === "Literal" ? String(source.value) : "what is computed", true);
    },
    TSImportType({ argument }) {
      if (argument.type !== "TSLiteralType" || argument.literal.type !== "Literal") return;
      add(String(argument.literal.value));
    },
    Identifier({ name }) {
      if (!/^(Deno|process|GPU[A-Z]\w*)$/.test(name)) return;
      const rooms = name.startsWith("GPU") ? ["gpu"] : ON_DISK;
      if (!rooms.includes(roomOf(path))) names.push(`${path} names ${name}`);
    },
  });
  Deno.lint.runPlugin({ name: "boundaries", rules: { read: { create } } }, path, source);
  return { imports, names };
}

/** Files that import each other by way of others or directly, a sentence for each circle. */
function circles(imports: readonly Import[]): string[] {
  const next = Map.groupBy(imports.filter(({ dynamic }) => !dynamic), ({ from }) => from);
  const reach = (from: string, seen = new Set<string>()) => {
    for (const { to } of next.get(from) ?? []) if (!seen.has(to)) reach(to, seen.add(to));
    return seen;
  };
  const reached = new Map([...next.keys()].map((from) => [from, reach(from)]));
  return [...reached].filter(([from, to]) => to.has(from)).map(([from, to]) => {
    const circle = [...to].filter((other) => reached.get(other)?.has(from)).sort();
    return `${circle[0]} is in a circle: ${circle.join(" ")}`;
  });
}
