/**
 * A page in Chromium, with WebGPU on Chromium's own software adapter. It evaluates each line of
 * standard input, an expression as JSON, and prints a line for it: the value as JSON, or the error, and
 * what the page has logged as an error or a warning so far. A process of its own, for `openPage`:
 * playwright-core needs every permission.
 */

import { join } from "node:path";
import { stdin } from "node:process";
import { createInterface } from "node:readline";
import { chromium } from "npm:playwright-core@1.65.1";
import { bundle } from "../../../scripts/bundle.ts";
import { ARGUMENTS, CHROMIUM, WEBGPU } from "./runtime.ts";

const HTML = '<!doctype html><title>test</title><link rel="icon" href="data:,">';

/** Serves a folder's modules, and an empty page at its root. */
function serve(folder: string) {
  const answer = (content: BodyInit, type: string) =>
    new Response(content, { headers: { "content-type": type } });
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  return Deno.serve(options, async ({ url }) => {
    const { pathname } = new URL(url);
    if (pathname === "/") return answer(HTML, "text/html");
    return answer(await Deno.readFile(join(folder, pathname)), "text/javascript");
  });
}

const folder = await Deno.makeTempDir();
await bundle(Deno.args[0], folder, {
  alias: { "node:assert/strict": join(Deno.cwd(), "tests/support/browser/assert.ts") },
});
const server = serve(folder);
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: [...ARGUMENTS, ...WEBGPU],
});
const page = await browser.newPage();
const complaints: string[] = [];
page.on("pageerror", (error) => complaints.push(`${error}`));
page.on("console", (message) => {
  if (/^(error|warning)$/.test(message.type())) complaints.push(message.text());
});
await page.goto(`http://127.0.0.1:${server.addr.port}/`);
for await (const line of createInterface({ input: stdin })) {
  const answer = await page.evaluate(JSON.parse(line))
    .then((value) => ({ value }), (error) => ({ error: `${error}` }));
  console.log(JSON.stringify({ ...answer, complaints }));
}
await browser.close();
await server.shutdown();
await Deno.remove(folder, { recursive: true });
