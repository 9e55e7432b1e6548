/**
 * JSON from files that others wrote.
 *
 * @module
 */

/** Deeper than any file that is read here; what goes through a value calls itself for each level. */
const MOST_LEVELS = 64;

/**
 * Parses JSON that is nested no deeper than it should be, and in which no object has a name twice: which
 * of the two values counts would depend on the reader.
 *
 * Heap: what `JSON.parse` makes, and the names of the objects.
 *
 * @param levels how deep it may be nested
 * @throws {Error} a half sentence with "it" in mind: "is not JSON (...)".
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

/** Of text that may be no JSON; then what is found means nothing, and `JSON.parse` will say so. */
function requireLevels(text: string, levels: number): void {
  /** The names seen in each object around; nothing for a list. */
  const around: (Set<string> | undefined)[] = [];
  let isName = false;
  const marks = /["{}[\],]/g;
  for (let mark; (mark = marks.exec(text));) {
    switch (mark[0]) {
      case '"': {
        const end = endOfString(text, mark.index);
        const names = isName ? around.at(-1) : undefined;
        if (names) addName(names, text.slice(mark.index, end));
        marks.lastIndex = end;
        isName = false;
        break;
      }
      case "{":
      case "[":
        around.push(mark[0] === "{" ? new Set() : undefined);
        if (around.length > levels) throw new Error(`is nested more than ${levels} levels deep`);
        isName = mark[0] === "{";
        break;
      case ",":
        isName = true;
        break;
      default:
        around.pop();
        isName = false;
    }
  }
}

/** Behind its closing quotation mark, or the end of the text. */
function endOfString(text: string, begin: number): number {
  for (let at = begin; (at = text.indexOf('"', at + 1)) >= 0;) {
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}

function addName(names: Set<string>, literal: string): void {
  let name = literal;
  try {
    name = JSON.parse(literal); // An escape may spell the same name in another way.
  } catch {
    // `JSON.parse` of the whole will say what is wrong.
  }
  if (names.has(name)) throw new Error(`has the name ${quote(name)} twice in one object`);
  names.add(name);
}

/** Longer ones are cut in messages. */
const MOST_SHOWN = 160;

/** A text from a file as a message may show it: not too long, and no command to a terminal. */
export function plain(text: string, most = MOST_SHOWN): string {
  const cut = text.length > most ? `${text.slice(0, most)}...` : text;
  return cut.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A value from a file as a message may show it. */
export function quote(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    text = "what is nested too deep";
  }
  return plain(text ?? String(value));
}
