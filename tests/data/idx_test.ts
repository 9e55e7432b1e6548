/** The IDX reader: every way a file can be wrong, raw and compressed. */

import assert from "node:assert/strict";
import { decompressIDX, parseIDX } from "../../src/data/idx.ts";
import { DataError } from "../../src/errors.ts";
import { gzip, idx } from "../support/digits.ts";
import { errorOf } from "../support/errors.ts";
import { concat, utf8 } from "../support/fuzz/bytes.ts";

/** A DataError that names the file and says all of `said`. */
const dataError = (...said: string[]) => errorOf(DataError, "some-file", ...said);
const refused = (bytes: Uint8Array, ...said: string[]) =>
  assert.throws(() => parseIDX(bytes, "some-file"), dataError(...said));
const compressedRefused = (bytes: Uint8Array, ...said: string[]) =>
  assert.rejects(decompressIDX(bytes, "some-file"), dataError(...said));

Deno.test("IDX: ranks 1 to 4 are read", () => {
  for (const dims of [[7], [2, 3], [3, 2, 5], [2, 1, 3, 2]]) {
    const { dims: found, data } = parseIDX(idx(dims), "some-file");
    assert.deepEqual(found, dims);
    assert.deepEqual([...data], Array.from({ length: data.length }, (_, i) => i));
  }
});

Deno.test("IDX: a view into a larger buffer is read where it lies", () => {
  const file = idx([2, 3]);
  const shifted = new Uint8Array(file.length + 5);
  shifted.set(file, 5);
  assert.deepEqual([...parseIDX(shifted.subarray(5), "some-file").data], [0, 1, 2, 3, 4, 5]);
});

Deno.test("IDX: a wrong start is refused", () => {
  refused(utf8("<!DOCTYPE html>"), "not an IDX file", "0x3c21444f", "0x00000801");
  refused(Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 0), "type 0x0d", "expected 0x08");
  refused(Uint8Array.of(0, 0, 8, 0), "0 dimensions", "1 to 4");
  refused(idx([1, 1, 1, 1, 1]), "5 dimensions", "1 to 4");
});

Deno.test("IDX: a file cut off anywhere is refused, and trailing bytes", () => {
  const file = idx([2, 3]);
  for (let length = 0; length < file.length; length++) {
    const said = length < 12 ? `${length} bytes` : `6 values, but ${length - 12}`;
    refused(file.subarray(0, length), "truncated", said);
  }
  refused(idx([2, 3], undefined, 7), "trailing", "[2, 3]", "6 values, but 7");
});

Deno.test("IDX: dimensions whose product overflows 32 or 53 bits are refused", () => {
  const most = 2 ** 32 - 1;
  // Modulo 2^32 the first product is the true length, 6.
  for (const dims of [[6, 0x80000001, 2 ** 31 + 1], [65536, 65536], [most, most, most, most]]) {
    refused(idx(dims, undefined, 6), "truncated", dims.join(", "));
  }
});

Deno.test("IDX: gzip is told by its content and undone", async () => {
  for (const file of [idx([7]), idx([3, 100, 100])]) {
    assert.deepEqual(await decompressIDX(await gzip(file), "some-file"), file);
    assert.equal(await decompressIDX(file, "some-file"), file);
  }
});

Deno.test("IDX: damaged gzip is refused", async () => {
  const good = await gzip(idx([3, 10, 10]));
  const flipped = (at: number) => good.map((byte, i) => i === at ? byte ^ 0x55 : byte);
  const damaged = [
    good.subarray(0, 2),
    good.subarray(0, 20),
    good.subarray(0, good.length - 1),
    flipped(good.length - 6), // checksum
    flipped(good.length - 1), // length
    flipped(12),
    concat(good, Uint8Array.of(1, 2, 3)),
    concat(good, good),
  ];
  for (const bytes of damaged) {
    await compressedRefused(bytes, "cannot be decompressed", "Download it again");
  }
});

Deno.test("IDX: gzip of something else, of too little and of too much is refused", async () => {
  const open = async (bytes: Uint8Array<ArrayBuffer>) =>
    parseIDX(await decompressIDX(await gzip(bytes), "some-file"), "some-file");
  await assert.rejects(open(utf8("hello, world")), dataError("0x68656c6c"));
  await assert.rejects(open(Uint8Array.of(0, 0, 8)), dataError("3 bytes"));
  await assert.rejects(open(idx([2, 3], undefined, 5)), dataError("truncated", "6 values, but 5"));
  await assert.rejects(open(idx([2, 3], undefined, 7)), dataError("trailing", "[2, 3]"));
});

Deno.test("IDX: a hostile gzip header allocates nothing", async () => {
  // 4 GiB and 2^96 bytes declared by a file of 40 bytes.
  for (const dims of [[65536, 65536], [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1]]) {
    const bytes = await gzip(idx(dims, undefined, 6));
    await compressedRefused(bytes, dims.join(", "), `${bytes.length} compressed bytes`, "at most");
  }
});

Deno.test("IDX: a gzip bomb is stopped at the declared length", async () => {
  await compressedRefused(await gzip(concat(idx([2, 3]), new Uint8Array(1 << 22))), "trailing");
});
