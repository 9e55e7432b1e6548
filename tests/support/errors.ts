/** What a test expects of an error. */

import assert from "node:assert/strict";

/**
 * For `assert.throws` and `assert.rejects`: an error of exactly this class, whose message has each of
 * these texts and matches each of these patterns.
 */
export function errorOf(
  // deno-lint-ignore no-explicit-any -- any constructor
  kind: new (...args: any[]) => Error,
  ...texts: (string | RegExp)[]
): (error: Error) => true {
  return (error) => {
    assert.equal(error.constructor, kind, error.stack);
    for (const text of texts) {
      if (typeof text === "string") {
        assert.ok(error.message.includes(text), `"${error.message}" does not say "${text}"`);
      } else assert.match(error.message, text);
    }
    return true;
  };
}
