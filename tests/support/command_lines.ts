/**
 * Runs command lines one after another in this process. The last line of its output is JSON: of each
 * the exit code and what it wrote to standard error.
 *
 * @module
 */

import { main } from "../../src/cli/main.ts";

const ended: { readonly code: number; readonly stderr: string }[] = [];
for (const args of JSON.parse(Deno.args[0]) as string[][]) {
  let stderr = "";
  console.error = (...values: unknown[]) => stderr += values.map(String).join(" ") + "\n";
  const code = await main(args);
  ended.push({ code, stderr });
}
console.log(JSON.stringify(ended));
