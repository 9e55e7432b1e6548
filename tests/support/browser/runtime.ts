/** Other runtimes than Deno: where they are, and a page in one. */

import { Readable } from "node:stream";
import { createInterface } from "node:readline";
import { ROOT } from "../process.ts";

/** Debian's package, and others of that name, install it there. */
export const CHROMIUM = "/usr/bin/chromium";

/** How Chromium starts: as root, and so that it reaches nothing but the tests' own servers. */
export const ARGUMENTS: readonly string[] = [
  "--headless=new",
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
];

/** With WebGPU on its own software adapter. */
export const WEBGPU: readonly string[] = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];

/** Chromium's own software adapter, for whoever else speaks Vulkan. */
export const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Prints why tests are skipped. In CI, where everything is to be there, it is an error. */
export function skip(why: string): void {
  if (Deno.env.get("CI") === "true") throw new Error(why);
  console.log(`skipped: ${why}`);
}

/** Whether Chromium is installed; if not, tests are skipped. */
export function hasChromium(): boolean {
  try {
    return Deno.statSync(CHROMIUM).isFile;
  } catch {
    skip(`${CHROMIUM} is missing: install chromium with apt-get, dnf, pacman or apk`);
    return false;
  }
}

type Suite = typeof import("./page.ts");

/** A page in Chromium that has a module: `page.ts`, if no other is given. */
export class Page {
  /** Its errors, and what it logged as an error or a warning. */
  complaints: readonly string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #expressions: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: AsyncIterator<string>;

  constructor(module = "tests/support/browser/page.ts") {
    const run = "run --allow-all --lock=tests/deno.lock --frozen tests/support/browser/chromium.ts";
    const args = [...run.split(" "), module];
    const pipes = { stdin: "piped", stdout: "piped" } as const;
    this.#process = new Deno.Command("deno", { args, cwd: ROOT, ...pipes }).spawn();
    this.#expressions = this.#process.stdin.getWriter();
    const input = Readable.fromWeb(this.#process.stdout);
    this.#answers = createInterface({ input })[Symbol.asyncIterator]();
  }

  async evaluate(expression: string): Promise<unknown> {
    await this.#expressions.write(new TextEncoder().encode(`${JSON.stringify(expression)}\n`));
    const { value: line } = await this.#answers.next();
    if (line === undefined) throw new Error("Chromium ended; above it says why");
    const { value, error, complaints } = JSON.parse(line);
    this.complaints = complaints;
    if (error) throw new Error(error);
    return value;
  }

  /** Calls a function of `page.ts`. */
  call<K extends keyof Suite>(name: K, ...args: Parameters<Suite[K]>): ReturnType<Suite[K]> {
    const call = `suite.${name}(...${JSON.stringify(args)})`;
    const result = this.evaluate(`import("/page.js").then((suite) => ${call})`);
    return result as ReturnType<Suite[K]>;
  }

  async close(): Promise<void> {
    await this.#expressions.close();
    await this.#process.status;
  }
}
