/** SHA-256 by pieces against the whole at once. */

import { equal } from "node:assert/strict";
import { sha256 } from "../../src/formats/sha256.ts";

Deno.test("sha256: as of the whole, whatever the length, of shared memory, too", async () => {
  for (const length of [0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 21 + 7]) {
    const bytes = new Uint8Array(new SharedArrayBuffer(length + 3), 3);
    for (let i = 0; i < length; i++) bytes[i] = i * 31 >> 3;
    const whole = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
    equal(sha256(bytes), new Uint8Array(whole).toHex(), `${length}`);
  }
});
