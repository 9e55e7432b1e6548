/** JSON from files that others wrote, and numbers that JSON has no form for. */

/** Deeper than any file that is read here. Code that walks a value recurses once for each level. */
const MOST_LEVELS = 64;

/**
 * Parses JSON that is nested at most `levels` deep.
 *
 * Heap: what `JSON.parse` makes, at most 40 times the text's length.
 *
 * @throws {Error} half a sentence about "it": "is not JSON (...)".
 */
export function parseJSON(
  text: string,
  { levels = MOST_LEVELS, reviver }: {
    readonly levels?: number;
    readonly reviver?: (key: string, value: unknown) => unknown;
  } = {},
): unknown {
  requireLevels(text, levels);
  try {
    return JSON.parse(text, reviver);
  } catch (cause) {
    throw new Error(`is not JSON (${plain((cause as Error).message)})`, { cause });
  }
}

/** Counts brackets outside of strings, before `JSON.parse` allocates 50 bytes for each. */
function requireLevels(text: string, most: number): void {
  const [QUOTE, BACKSLASH] = [0x22, 0x5c];
  let level = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) inString = !inString;
    else if (inString) i += code === BACKSLASH ? 1 : 0;
    else if (code === 0x5b || code === 0x7b) level++; // [ {
    else if (code === 0x5d || code === 0x7d) level--; // ] }
    if (level > most) throw new Error(`is nested more than ${most} levels deep`);
  }
}

/** Numbers that JSON has no form for, and the strings that stand for them in every file here. */
const NOT_FINITE: ReadonlyMap<unknown, number> = new Map(
  [NaN, Infinity, -Infinity].map((number) => [String(number), number]),
);

/** The JSON of a value, in which NaN and infinities are the strings "NaN", "Infinity", "-Infinity". */
export function encodeJSON(value: unknown, indent?: number): string {
  const replace = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  return JSON.stringify(value, replace, indent);
}

/** The number that {@linkcode encodeJSON} wrote; whatever is not one of its strings stays as it is. */
export function decodeNumber(value: unknown): unknown {
  return NOT_FINITE.get(value) ?? value;
}

/** Whether a parsed value is an object, and no list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a parsed value can be the size of an axis, or a place in a file. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

/** A text from a file as a message may show it: not too long, and no command to a terminal. */
export function plain(text: string, most = 160): string {
  const cut = text.length > most ? `${text.slice(0, most)}...` : text;
  return cut.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A value from a file as a message may show it. */
export function quote(value: unknown): string {
  try {
    return plain(JSON.stringify(value) ?? String(value));
  } catch {
    return "what is nested too deep";
  }
}
