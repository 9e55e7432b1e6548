import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { decodeNumber, encodeJSON, parseJSON, plain, quote } from "../../src/formats/json.ts";

Deno.test("JSON: numbers that are not finite are strings, and come back", () => {
  const value = { loss: NaN, list: [Infinity, -Infinity, -1.5], name: "a", none: null };
  const text = encodeJSON(value);
  equal(text, '{"loss":"NaN","list":["Infinity","-Infinity",-1.5],"name":"a","none":null}');
  const reviver = (_key: string, value: unknown) => decodeNumber(value);
  deepEqual(parseJSON(text, { reviver }), value);
  equal(encodeJSON({ a: [NaN] }, 2), '{\n  "a": [\n    "NaN"\n  ]\n}');
});

Deno.test("JSON: levels are counted outside of strings, and before the text is parsed", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  ok(parseJSON(nested(64)));
  throws(() => parseJSON(nested(65)), /^Error: is nested more than 64 levels deep$/);
  throws(() => parseJSON(`{"a":`.repeat(65)), /levels deep/);
  throws(() => parseJSON("[[", { levels: 1 }), /more than 1 levels/);
  for (const text of ["[[[", '"[[[', "\\", '\\"[[', "{\\\\"]) {
    equal(parseJSON(JSON.stringify(text), { levels: 0 }), text);
  }
  deepEqual(parseJSON('[["]]"],["\\"[["]]', { levels: 2 }), [["]]"], ['"[[']]);
  throws(() => parseJSON('["\\"]'), /^Error: is not JSON \(/);
  throws(() => parseJSON("[1,]"), /is not JSON/);
});

Deno.test("JSON: what messages show is short and without control characters", () => {
  equal(plain("a\u001b[2J\u202e"), "a\\u001b[2J\\u202e");
  equal(plain("abc", 2), "ab...");
  equal(quote("x".repeat(200)).length, 163);
  equal(quote(undefined), "undefined");
});
