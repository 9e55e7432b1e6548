/**
 * Damage done to JSON, field by field.
 *
 * @module
 */

import fc from "npm:fast-check@4.10.2";

/** A JSON value; texts in `Raw` are written as they are. */
// deno-lint-ignore no-explicit-any
export type Json = any;

/** Text that stands in the place of a value, and need be none. */
class Raw {
  constructor(readonly text: string) {}
}

/** Objects that may be taken for lists, texts or numbers: whatever makes one of them throws. */
export const pretenders: readonly Json[] = [
  { toString: 1, valueOf: 1 },
  { length: 2 },
  { length: { toString: 1, valueOf: 1 }, 0: "x" },
  { toJSON: 1, then: 1, constructor: 1 },
  [{ toString: 1, valueOf: 1 }],
];

/** JSON values that a reader will not expect. */
const strange: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    "",
    "NaN",
    "\u0000\u001b[2J\u009b2J",
    "\ud800",
    "__proto__",
    "constructor",
    "../../outside",
    "/etc/passwd",
    "C:\\nul",
    [],
    {},
    [[]],
    [null],
    { name: "x" },
    ...pretenders,
  ),
  fc.constantFrom(
    "-0",
    "0",
    "-1",
    "1",
    "4",
    "0.5",
    "1e400",
    "2147483648",
    "4294967296",
    "9007199254740992",
    "9007199254740991",
    "18446744073709551616",
    "1e-320",
  ).map((text) => new Raw(text)),
  fc.constantFrom(30, 3000, 100_000).map((n) => new Raw("[".repeat(n) + "]".repeat(n))),
  fc.constantFrom(30, 5000).map((n) => new Raw('{"a":'.repeat(n) + "1" + "}".repeat(n))),
  fc.constant(new Raw(`{"__proto__":{"name":"x","shape":[1]}}`)),
  fc.constantFrom(5, 20_000).map((n) => "long ".repeat(n)),
  fc.constant(null).map(() => Array.from({ length: 3000 }, (_, i) => i)),
  fc.jsonValue({ maxDepth: 3 }),
);

const name = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "", "0", "\u0000"),
  fc.string({ maxLength: 8 }),
);

type Change =
  | { readonly kind: "replace" | "add" | "repeat"; readonly value: Json; readonly name: string }
  | { readonly kind: "drop" | "rename"; readonly name: string };

/** In a path: the value that is reached, not a part of it. */
const WHOLE = 12;

interface Damage {
  readonly path: readonly number[];
  readonly change: Change;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  path: fc.array(fc.nat(WHOLE), { maxLength: 6 }),
  change: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("replace" as const), value: strange, name }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom("add" as const, "repeat" as const),
        value: strange,
        name,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("drop" as const, "rename" as const), name }),
    },
  ),
});

/** A tree in which a name may stand twice. */
type Tree = Raw | string | number | boolean | null | Tree[] | Members;
class Members {
  constructor(readonly list: [name: string, value: Tree][]) {}
}

function plant(value: Json): Tree {
  if (value instanceof Raw) return value;
  if (Array.isArray(value)) return value.map(plant);
  if (typeof value !== "object" || value === null) return value;
  return new Members(Object.entries(value).map(([key, each]) => [key, plant(each)]));
}

function write(tree: Tree): string {
  if (tree instanceof Raw) return tree.text;
  if (Array.isArray(tree)) return `[${tree.map(write).join(",")}]`;
  if (!(tree instanceof Members)) return JSON.stringify(tree);
  return `{${tree.list.map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(",")}}`;
}

function apply(tree: Tree, path: readonly number[], change: Change): Tree {
  const value = "value" in change ? plant(change.value) : null;
  if (path[0] === WHOLE) return value;
  if (tree instanceof Members && tree.list.length) {
    const at = (path[0] ?? 0) % tree.list.length;
    const list = tree.list.slice();
    const [key, old] = list[at];
    const deeper = path.length > 1 && typeof old === "object" && old !== null;
    if (deeper) list[at] = [key, apply(old, path.slice(1), change)];
    else if (change.kind === "replace") list[at] = [key, value];
    else if (change.kind === "add") list.push([change.name, value]);
    else if (change.kind === "repeat") list.push([key, change.name.length % 2 ? old : value]);
    else if (change.kind === "drop") list.splice(at, 1);
    else list[at] = [change.name, old];
    return new Members(list);
  }
  if (Array.isArray(tree) && tree.length) {
    const at = (path[0] ?? 0) % tree.length;
    const list = tree.slice();
    const old = list[at];
    const deeper = path.length > 1 && typeof old === "object" && old !== null;
    if (deeper) list[at] = apply(old, path.slice(1), change);
    else if (change.kind === "drop") list.splice(at, 1);
    else if (change.kind === "repeat") list.push(old);
    else if (change.kind === "add") list.push(value);
    else list[at] = value;
    return list;
  }
  return value;
}

/** The text of a valid value with up to `most` pieces of damage. */
export function damagedJson(value: fc.Arbitrary<Json>, most = 2): fc.Arbitrary<string> {
  return fc.tuple(value, fc.array(damage, { maxLength: most })).map(([json, changes]) =>
    write(changes.reduce((tree, { path, change }) => apply(tree, path, change), plant(json)))
  );
}
