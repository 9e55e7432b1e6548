import assert from "node:assert/strict";
import { join } from "node:path";
import { channels, imageSize, oneOf, path, pathTo } from "../../src/cli/values.ts";
import { positive, real, seed, someOf, whole, wholes } from "../../src/cli/values.ts";

Deno.test("values: text becomes a value", () => {
  const here = Deno.cwd();
  const cases: [unknown, unknown][] = [
    [whole(1)("64"), 64],
    [whole(0, 7)("007"), 7],
    [seed("4294967295"), 4294967295],
    [real(0, 1)("0.5"), 0.5],
    [real(0, Infinity)("1e-4"), 1e-4],
    [positive(".5"), 0.5],
    [wholes(2)("8, 16"), [8, 16]],
    [wholes()("256,128,64"), [256, 128, 64]],
    [wholes()("8"), [8]],
    [someOf(["red", "blue"])("blue, red"), ["blue", "red"]],
    [oneOf("fast", "slow")("slow"), "slow"],
    [channels("3"), 3],
    [imageSize("32,64"), [32, 64]],
    [path("a/b"), join(here, "a/b")],
    [path("a/"), join(here, "a") + "/"],
    [path("."), here],
    [pathTo(".png")("a.PNG"), join(here, "a.PNG")],
  ];
  for (const [value, wanted] of cases) assert.deepEqual(value, wanted);
});

Deno.test("values: other text is refused, with what is expected", () => {
  const notWhole = ["0", "-1", "1.5", "1e9999", "0x10", "", " 1", "9007199254740993"];
  const cases: [(text: string) => unknown, string[], RegExp][] = [
    [whole(1), notWhole, /of at least 1$/],
    [whole(0, 7), ["8"], /a whole number from 0 to 7$/],
    [seed, ["4294967296", "0x10"], /a whole number from 0 to 4294967295$/],
    [real(0, 1), ["1", "-0.1", "", " ", "0x0", "NaN", "x"], /of at least 0 and below 1$/],
    [real(0, Infinity), ["0x10", "0b1", "Infinity", "1e999"], /a number of at least 0$/],
    [positive, ["0", "", "0x10", "Infinity"], /a number above 0$/],
    [wholes(2), ["1,2,3", "1", "1,", "1,0", "1,0x2"], /2 whole numbers such as 256,128$/],
    [wholes(), ["", "1,", "1,0", "1,0x2", "1,,2"], /must be whole numbers such as 256,128,64$/],
    [someOf(["red", "blue"]), ["", "green", "red,red", "red,"], /a list of red, blue$/],
    [oneOf("fast", "slow"), ["medium", "__proto__"], /fast or slow$/],
    [channels, ["2", "0x1"], /1 or 3$/],
    [imageSize, ["30,32", "32,2"], /both multiples of 4/],
    // It would mean the current folder.
    [path, [""], /must not be empty/],
    // A flag behind a flag: the value between them was forgotten.
    [path, ["--force"], /looks like a flag; a path of that name is given as \.\/--force$/],
    [pathTo(".png"), ["a.jpg", ""], /a name that ends in \.png$|must not be empty/],
  ];
  for (const [parse, texts, message] of cases) {
    // Commander knows a refusal by its code.
    const refusal = { code: "commander.invalidArgument", message };
    for (const text of texts) assert.throws(() => parse(text), refusal, text);
  }
});
