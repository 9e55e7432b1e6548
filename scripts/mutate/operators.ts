/**
 * Where a source file can be changed by a small fault, and how.
 *
 * @module
 */

import { stripTypeScriptTypes } from "node:module";

/** One possible fault: `text` in place of what stands from `start` to `end`. */
export interface Mutation {
  readonly operator: string;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A template literal whose interpolations may hold literals that `inner` matches. */
const template = (inner: string) =>
  String.raw`\`(?:\\[^]|\$\{(?:[^\`{}]|\{[^{}]*\}|${inner})*\}|[^\`\\])*\``;
/** Comments, strings, templates and regular expressions. */
const OPAQUE = new RegExp(
  [
    String.raw`\/\/[^\n]*|\/\*[^]*?\*\/`,
    String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'`,
    template(template(template("[]"))),
    String.raw`(?<=[(,=:[!&|?{};>]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*`,
  ].join("|"),
  "g",
);
const IMPORTS = /^(?:import\b[^;]*;|export (?:\*|\{)[^;]*;)/gm;
/** Bindings, structures, attributes and constants that the host sets, in WGSL. */
const DECLARATIONS =
  /^.*\bvar<(?:storage|uniform).*$|^\s*(?:enable|requires|struct|override \w+:).*$|@\w+(?:\([^)]*\))?/gm;

const blank = (text: string) => text.replaceAll(/[^\n]/g, " ");

/** The code of a file, each character in its place; comments, types, imports and text are blank. */
export function codeOf(path: string, source: string): string {
  const plain = source.replaceAll(OPAQUE, (text) => {
    if (/^\/[/*]/.test(text)) return blank(text);
    // A regular expression becomes a name, so that it remains an argument.
    const [first, last] = text[0] === "/" ? ["_", " "] : [text[0], text[0]];
    return first + blank(text.slice(1, -1)) + last;
  });
  if (path.endsWith(".wgsl")) return plain.replaceAll(DECLARATIONS, blank);
  // Deno erases types, but refuses parameter properties.
  const erasable = plain.replaceAll(/\b(?:public|private|protected|override|readonly) /g, blank);
  return stripTypeScriptTypes(erasable).replaceAll(IMPORTS, blank);
}

type Rule = readonly [operator: string, place: RegExp, replacements: (found: string) => string[]];

/** `"a b c"` to a function that gives `b` and `c` for `a`. */
const table = (...rows: string[]) => (found: string) =>
  rows.map((row) => row.split(" ")).find(([key]) => key === found.trim())?.slice(1) ?? [];

/** A whole number becomes its neighbors, another number its double. */
function neighbors(found: string): string[] {
  const [, digits, suffix] = /^(.*?)([uif]?)$/.exec(found)!;
  const value = Number(digits.replaceAll("_", ""));
  if (/[.e]/.test(digits) || suffix === "f") {
    const text = String(value === 0 ? 1 : 2 * value);
    return [(/[.e]/.test(text) ? text : `${text}.0`) + suffix];
  }
  return [value + 1, ...value > 0 ? [value - 1] : []].map((n) => `${n}${suffix}`);
}

const OPERAND = String.raw`(?:[\w$#]|\.(?=[\w#]))+(?:\([^()]*\)|\[[^[\]]*\])*`;

const RULES: readonly Rule[] = [
  [
    "sign",
    /(?<=[\w)\]] )(?:[-+*/]|[-+*/]=)(?= )/g,
    table("+ -", "- +", "* /", "/ *", "+= -=", "-= +=", "*= /="),
  ],
  ["sign", /(?<=[(,=[?:] ?|return )-(?=[\w(])/g, () => [""]],
  [
    "comparison",
    /(?<= )(?:[<>]=?|[=!]==?)(?= )/g,
    table("< <= >=", "<= < >", "> >= <=", ">= > <", "=== !==", "!== ===", "== !=", "!= =="),
  ],
  ["logic", /(?<= )(?:&&|\|\|)(?= )/g, table("&& ||", "|| &&")],
  ["logic", /(?<=[\s(])!(?=[\w(])/g, () => [""]],
  ["logic", /(?<![\w.])(?:true|false)\b/g, table("true false", "false true")],
  [
    "constant",
    /(?<![\w.$#])\d[\d_]*(?:\.\d+)?(?:e[-+]?\d+)?[uif]?(?![\w.])/g,
    neighbors,
  ],
  [
    "drop term",
    new RegExp(String.raw` (?:[-+*/]|&&|\|\|) ${OPERAND}(?=[\s;,)\]])`, "g"),
    () => [""],
  ],
  [
    "drop statement",
    /(?<=[;{}]\s*\n *)(?!const|let|var|return|export|case|default|override|fn|#|[\w$]+:)[\w$][^\n]*;(?=\n)/g,
    (found) => isBalanced(found) ? [""] : [],
  ],
];

const isBalanced = (text: string) =>
  ["()", "[]", "{}"].every(([open, close]) => text.split(open).length === text.split(close).length);

const CALL = /(?<!\b(?:function|fn) )\b(?!(?:if|for|while|switch|catch|min|max|dot)\b)[\w$]+\(/g;

/** Each call with neighboring arguments exchanged. */
function* swapped(code: string, source: string): Generator<Mutation> {
  for (const { 0: { length }, index } of code.matchAll(CALL)) {
    const places: { start: number; text: string }[] = [];
    let [begin, end] = [index + length, index + length];
    for (let depth = 0; depth >= 0; end++) {
      if ("([{".includes(code[end])) depth++;
      if (")]}".includes(code[end])) depth--;
      if (depth > 0 || depth === 0 && code[end] !== ",") continue;
      const text = source.slice(begin, end);
      places.push({ start: begin + text.search(/\S|$/), text: text.trim() });
      begin = end + 1;
    }
    if (/^\s*(?:\{|=>)/.test(code.slice(end))) continue; // the parameters of a method
    for (const [i, a] of places.slice(0, -1).entries()) {
      const b = places[i + 1];
      if (!b.text || a.text === b.text) continue;
      const between = source.slice(a.start + a.text.length, b.start);
      const text = b.text + between + a.text;
      yield { operator: "swap", start: a.start, end: b.start + b.text.length, text };
    }
  }
}

/** All faults that the operators can make of a file. */
export function mutations(path: string, source: string): Mutation[] {
  const code = codeOf(path, source);
  const found = [...swapped(code, source)];
  for (const [operator, place, replacements] of RULES) {
    for (const { 0: text, index } of code.matchAll(place)) {
      for (const replacement of replacements(text)) {
        found.push({ operator, start: index, end: index + text.length, text: replacement });
      }
    }
  }
  return found;
}
