/** Command lines of any words are understood, or refused in a sentence. */

import { deepEqual, ok } from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { type Command, CommanderError, newProgram, usageMessage } from "../../src/cli/flags.ts";
import { oneOf, path, positive, real, whole, wholes } from "../../src/cli/values.ts";
import { parameters, runs } from "../support/fuzz/settings.ts";

const flagged = (program: Command) =>
  program.configureOutput({ writeOut() {}, writeErr() {} })
    .option("--seed <N>", "seed", whole(0))
    .option("--epochs <N>", "epochs", whole(1))
    .option("--rate <R>", "rate", positive)
    .option("--beta <B>", "beta", real(0, 1))
    .option("--size <H,W>", "size", wholes(2))
    .option("--preset <NAME>", "preset", oneOf("quick", "tutorial"))
    .option("--out <DIR>", "folder", path)
    .option("--resume [FILE]", "resume", path)
    .option("--quiet", "print nothing")
    .option("--json", "print JSON");

/** What the flags promise of their values. */
const PROMISED: Readonly<Record<string, (value: unknown) => boolean>> = {
  seed: (n) => Number.isSafeInteger(n) && (n as number) >= 0,
  epochs: (n) => Number.isSafeInteger(n) && (n as number) >= 1,
  rate: (n) => Number.isFinite(n) && (n as number) > 0,
  beta: (n) => typeof n === "number" && n >= 0 && n < 1,
  size: (n) =>
    Array.isArray(n) && n.length === 2 && n.every((v) => Number.isSafeInteger(v) && v > 0),
  preset: (n) => n === "quick" || n === "tutorial",
  out: (n) => typeof n === "string" && n.length > 1,
  resume: (n) => n === true || typeof n === "string" && n.length > 1,
  quiet: (n) => n === true,
  json: (n) => n === true,
};

const flag = fc.constantFrom(
  ...Object.keys(PROMISED),
  ...["help", "constructor", "__proto__", "toString", "sed"],
);
const value = fc.oneof(
  fc.constantFrom(
    ...["1", "0", "-1", "1.5", "1e400", "9007199254740993", "", " ", "4,4", "4,,4", "quick"],
    ...["__proto__", "0x10", "NaN", "Infinity", "--", "-", "latest", "\u001b[2J"],
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

/** What follows the flags, and the most of it. */
const ARGUMENTS: readonly [names: string[], most: number][] = [
  [[], 0],
  [["<FILE>"], 1],
  [["<FILE>", "[MORE...]"], Infinity],
];

// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;

Deno.test("fuzz: command lines", () => {
  let understood = 0;
  const property = fc.property(
    fc.array(word, { maxLength: 4 }),
    fc.constantFrom(...ARGUMENTS),
    (words, [names, most]) => {
      const program = flagged(newProgram());
      for (const name of names) program.argument(name);
      try {
        program.action(() => {}).parse(words, { from: "user" });
      } catch (error) {
        ok(error instanceof CommanderError, (error as Error).stack);
        if (error.code === "commander.helpDisplayed") return;
        const message = usageMessage(error);
        ok(message.length > 5 && message.length < 500, message);
        ok(!CONTROL.test(message), JSON.stringify(message));
        return;
      }
      understood++;
      for (const [name, value] of Object.entries(program.opts())) {
        ok(Object.hasOwn(PROMISED, name), `there is no --${name}`);
        ok(PROMISED[name](value), `--${name} is ${JSON.stringify(value)}`);
      }
      ok(program.args.length <= most, `${program.args.length} arguments`);
    },
  );
  fc.assert(property, parameters(10_000));
  ok(understood > runs(10_000) / 100 - 10, `${understood} command lines were understood`);
});

Deno.test("fuzz: numbers on the command line keep their values", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.double({ min: 0, max: 0.999, noNaN: true }), (seed, beta) => {
      const program = flagged(newProgram());
      program.parse([`--seed=${seed}`, "--beta", `${beta}`], { from: "user" });
      deepEqual({ ...program.opts() }, { seed, beta });
    }),
    parameters(1000),
  );
});
