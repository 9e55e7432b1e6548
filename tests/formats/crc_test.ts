/** Both checks against the catalog's value for "123456789", and zlib's and Node's. */

import { equal } from "node:assert/strict";
import * as zlib from "node:zlib";
import { crc32, crc32c } from "../../src/formats/crc.ts";
import { utf8 } from "../support/fuzz/bytes.ts";
import { noise } from "../support/image.ts";

Deno.test("CRC: the values of the catalog, and zlib's for any bytes", () => {
  // https://reveng.sourceforge.io/crc-catalogue/all.htm: CRC-32/ISO-HDLC and CRC-32/ISCSI
  equal(crc32(utf8("123456789")), 0xcbf43926);
  equal(crc32c(utf8("123456789")), 0xe3069283);
  for (const length of [0, 1, 2, 255, 1000]) {
    const bytes = noise(length, length + 1);
    equal(crc32(bytes), zlib.crc32(bytes), `${length} bytes`);
  }
});
