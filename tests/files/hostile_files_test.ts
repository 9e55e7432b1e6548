import assert from "node:assert/strict";
import { parseFlags, UsageError, whole } from "../../src/cli/flags.ts";

Deno.test("flags: a message is one line without commands to a terminal", () => {
  const flags = { seed: { value: "N", help: "a number", parse: whole(0) } };
  for (const args of [["--seed", "-x"], ["--seed=\u009b2J"], ["--\u001b[2J"], ["\u0007"]]) {
    assert.throws(() => parseFlags(flags, args), (error: Error) => {
      assert.ok(error instanceof UsageError, error.stack);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(error.message, /[\x00-\x1f\x7f-\x9f]/);
      return true;
    });
  }
});
