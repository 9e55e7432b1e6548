/** Damage done to JSON, field by field. */

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
    ...[null, true, "", "NaN", "\u0000\u001b[2J\u009b2J", "\ud800", "__proto__", "constructor"],
    ...["../../outside", "/etc/passwd", "C:\\nul", [], {}, [[]], [null], { name: "x" }],
    ...pretenders,
  ),
  fc.constantFrom(
    ...["-0", "0", "-1", "1", "4", "0.5", "1e400", "1e-320", "2147483648", "4294967296"],
    ...["9007199254740992", "9007199254740991", "18446744073709551616"],
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

/** In a path: the value that is reached, not a part of it. */
const WHOLE = 12;

const change = fc.record({
  path: fc.array(fc.nat(WHOLE), { maxLength: 6 }),
  kind: fc.constantFrom("replace", "replace", "replace", "add", "repeat", "drop", "rename"),
  value: strange,
  name,
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** The members of an object, where a name may stand twice, or of a list, where names are none. */
class Members {
  constructor(readonly isList: boolean, readonly all: (readonly [name: string, value: Json])[]) {}
}

function open(value: Json): Json {
  if (typeof value !== "object" || value === null || value instanceof Raw) return value;
  const all = Object.entries(value).map(([key, each]) => [key, open(each)] as const);
  return new Members(Array.isArray(value), all);
}

function write(value: Json): string {
  if (value instanceof Raw) return value.text;
  if (!(value instanceof Members)) return JSON.stringify(value);
  if (value.isList) return `[${value.all.map(([, each]) => write(each)).join(",")}]`;
  return `{${value.all.map(([key, each]) => `${JSON.stringify(key)}:${write(each)}`).join(",")}}`;
}

function apply(whole: Json, { path: [first, ...rest], kind, name, ...change }: Change): Json {
  const value = ["drop", "rename"].includes(kind) ? null : open(change.value);
  if (first === WHOLE || !(whole instanceof Members) || !whole.all.length) return value;
  const all = whole.all.slice();
  const at = (first ?? 0) % all.length;
  const [key, old] = all[at];
  if (rest.length && typeof old === "object" && old !== null) {
    all[at] = [key, apply(old, { ...change, path: rest, kind, name })];
  } else if (kind === "replace") all[at] = [key, value];
  else if (kind === "add") all.push([name, value]);
  else if (kind === "repeat") all.push([key, whole.isList || name.length % 2 ? old : value]);
  else if (kind === "drop") all.splice(at, 1);
  else all[at] = whole.isList ? [key, null] : [name, old];
  return new Members(whole.isList, all);
}

/** The text of a valid value with up to `most` pieces of damage. */
export function damagedJson(value: fc.Arbitrary<Json>, most = 2): fc.Arbitrary<string> {
  return fc.tuple(value, fc.array(change, { maxLength: most }))
    .map(([json, changes]) => write(changes.reduce(apply, open(json))));
}
