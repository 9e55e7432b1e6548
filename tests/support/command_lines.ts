/** Runs command lines one after another; its output is JSON: how each ended, and what it wrote. */

import process from "node:process";
import { main } from "../../src/cli/main.ts";
import type { Ended } from "./process.ts";

const print = console.log;
const ended: Ended[] = [];
for (const args of JSON.parse(Deno.args[0]) as string[][]) {
  let [stdout, stderr] = ["", ""];
  Deno.stdout.writeSync = (bytes) => {
    stdout += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  process.stdout.write = (text: string) => Boolean(stdout += text);
  process.stderr.write = (text: string) => Boolean(stderr += text);
  console.error = (...values) => stderr += values.map(String).join(" ") + "\n";
  const code = await main(args);
  ended.push({ code, stdout, stderr });
}
print(JSON.stringify(ended));
