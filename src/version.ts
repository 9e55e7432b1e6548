/** The version of this package; the same as in `deno.json`, which a test compares. */
export const VERSION = "0.1.0";
