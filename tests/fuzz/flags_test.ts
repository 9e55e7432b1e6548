/** Command lines of any words: they are understood, or refused by a sentence. */

import { deepEqual, ok } from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import {
  type Argument,
  COMMON,
  oneOf,
  parseCommandLine,
  positive,
  real,
  UsageError,
  whole,
  wholes,
} from "../../src/cli/flags.ts";
import { parameters, runs } from "../support/fuzz/settings.ts";

const FLAGS = {
  seed: { value: "N", help: "seed", parse: whole(0) },
  epochs: { value: "N", help: "epochs", parse: whole(1) },
  rate: { value: "R", help: "rate", parse: positive },
  beta: { value: "B", help: "beta", parse: real(0, 1) },
  size: { value: "H,W", help: "size", parse: wholes(2) },
  preset: { value: "NAME", help: "preset", parse: oneOf("quick", "tutorial") },
  out: { value: "DIR", help: "folder" },
  resume: { value: "FILE", help: "resume", implied: "latest" },
  ...COMMON,
};

const flag = fc.constantFrom(...Object.keys(FLAGS), "constructor", "__proto__", "toString", "sed");
const value = fc.oneof(
  fc.constantFrom("1", "0", "-1", "1.5", "1e400", "9007199254740993", "", " ", "4,4", "4,,4"),
  fc.constantFrom(
    "quick",
    "__proto__",
    "0x10",
    "NaN",
    "Infinity",
    "--",
    "-",
    "latest",
    "\u001b[2J",
  ),
  fc.string({ maxLength: 6, unit: "binary" }),
);
const word = fc.oneof(
  flag.map((name) => `--${name}`),
  fc.tuple(flag, value).map(([name, text]) => `--${name}=${text}`),
  flag.map((name) => `--no-${name}`),
  fc.string({ maxLength: 3 }).map((text) => `-${text}`),
  value,
  value,
);

const ARGUMENTS: readonly (readonly Argument[])[] = [
  [],
  [{ name: "FILE", help: "a file" }],
  [{ name: "FILE", help: "a file" }, { name: "MORE", help: "more", optional: true, many: true }],
];

/** What the flags promise of their values. */
const PROMISED: Readonly<Record<string, (value: unknown) => boolean>> = {
  seed: (n) => Number.isSafeInteger(n) && (n as number) >= 0,
  epochs: (n) => Number.isSafeInteger(n) && (n as number) >= 1,
  rate: (n) => Number.isFinite(n) && (n as number) > 0,
  beta: (n) => typeof n === "number" && n >= 0 && n < 1,
  size: (n) =>
    Array.isArray(n) && n.length === 2 && n.every((v) => Number.isSafeInteger(v) && v > 0),
  preset: (n) => n === "quick" || n === "tutorial",
  out: (n) => typeof n === "string",
  resume: (n) => typeof n === "string",
};

// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;

Deno.test("fuzz: command lines", () => {
  let understood = 0;
  const property = fc.property(
    fc.array(word, { maxLength: 4 }),
    fc.constantFrom(...ARGUMENTS),
    (words, expected) => {
      let parsed: ReturnType<typeof parseCommandLine>;
      try {
        parsed = parseCommandLine(FLAGS, expected, words);
      } catch (error) {
        ok(error instanceof UsageError, (error as Error).stack);
        ok(error.message.length > 5 && error.message.length < 500, error.message);
        ok(!CONTROL.test(error.message), JSON.stringify(error.message));
        return;
      }
      understood++;
      const given: Record<string, unknown> = { ...parsed.flags };
      for (const [name, value] of Object.entries(given)) {
        ok(Object.hasOwn(FLAGS, name), `there is no --${name}`);
        const promised = PROMISED[name] ?? ((value: unknown) => value === true);
        ok(promised(value), `--${name} is ${JSON.stringify(value)}`);
      }
      const most = expected.at(-1)?.many ? Infinity : expected.length;
      ok(given.help || parsed.args.length <= most, `${parsed.args.length} arguments`);
    },
  );
  fc.assert(property, parameters(10_000));
  ok(understood > runs(10_000) / 100 - 10, `${understood} command lines were understood`);
});

Deno.test("fuzz: numbers on the command line mean what they say", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.double({ min: 0, max: 0.999, noNaN: true }), (seed, beta) => {
      const { flags } = parseCommandLine(FLAGS, [], [`--seed=${seed}`, "--beta", `${beta}`]);
      deepEqual({ ...flags }, { seed, beta });
    }),
    parameters(1000),
  );
});
