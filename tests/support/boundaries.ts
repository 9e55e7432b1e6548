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
export const roomOf = (path: string): string => path.split("/")[1];

/** What each file violates, as sentences that begin with the file's path; sorted. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const found = new Set<string>();
  const imports: Import[] = [];
  for (const [path, source] of files) {
    const room = roomOf(path);
    const say = (what: string) => found.add(`${path} ${what}`);
    for (const { kind, name } of read(path, source)) {
      if (kind === "name") {
        const gpu = name.startsWith("GPU");
        if (gpu ? room !== "gpu" : !ON_DISK.includes(room)) say(`names ${name}`);
        continue;
      }
      const to = /^\.\.?\//.test(name) ? join(dirname(path), name) : name;
      imports.push({ from: path, to, dynamic: kind === "dynamic" });
    }
  }
  for (const { from, to, dynamic } of imports) {
    const what = objection(from, to, dynamic);
    if (what) found.add(`${from} ${what}`);
  }
  for (const circle of circles(imports)) {
    found.add(`${circle[0]} is in a circle: ${circle.join(" ")}`);
  }
  return [...found].sort();
}

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

interface Found {
  readonly kind: "static" | "dynamic" | "name";
  readonly name: string;
}

/** Imports, and names that only some rooms may use: as the parser sees them, not in texts. */
function read(path: string, source: string): Found[] {
  const found: Found[] = [];
  const from = (node: { source: { value: string } | null }) => {
    if (node.source) found.push({ kind: "static", name: node.source.value });
  };
  const plugin: Deno.lint.Plugin = {
    name: "boundaries",
    rules: {
      read: {
        create: () => ({
          ImportDeclaration: from,
          ExportAllDeclaration: from,
          ExportNamedDeclaration: from,
          ImportExpression({ source }) {
            const value = source.type === "Literal" ? String(source.value) : "what is computed";
            found.push({ kind: "dynamic", name: value });
          },
          TSImportType({ argument }) {
            if (argument.type !== "TSLiteralType" || argument.literal.type !== "Literal") return;
            found.push({ kind: "static", name: String(argument.literal.value) });
          },
          Identifier({ name }) {
            if (/^(Deno|process|GPU[A-Z]\w*)$/.test(name)) found.push({ kind: "name", name });
          },
        }),
      },
    },
  };
  Deno.lint.runPlugin(plugin, path, source);
  return found;
}

/** Files that import each other by way of others or directly, each circle once. */
function circles(imports: readonly Import[]): string[][] {
  const next = Map.groupBy(imports.filter(({ dynamic }) => !dynamic), ({ from }) => from);
  const reach = (from: string) => {
    const seen = new Set<string>();
    const waiting = [from];
    for (let at; (at = waiting.pop()) !== undefined;) {
      for (const { to } of next.get(at) ?? []) {
        if (seen.has(to)) continue;
        seen.add(to);
        waiting.push(to);
      }
    }
    return seen;
  };
  const reached = new Map([...next.keys()].map((from) => [from, reach(from)]));
  const found = new Map<string, string[]>();
  for (const [from, to] of reached) {
    if (!to.has(from)) continue;
    const circle = [...to].filter((other) => reached.get(other)?.has(from)).sort();
    found.set(circle.join(), circle);
  }
  return [...found.values()];
}
