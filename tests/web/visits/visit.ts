/**
 * A visit to the page in Chromium, with WebGPU on its software adapter.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type BrowserContext, chromium, type Page } from "npm:playwright-core@1.65.1";
import { ARGUMENTS, CHROMIUM, WEBGPU } from "../../support/browser/runtime.ts";
import { buildPage, servePage } from "../../../scripts/web.ts";

/** Networks that compile and train in little time on a CPU, as an address has them. */
export const SMALL = "?g=8,8,8&d=4,4&batch=8&noise=8&lr=0.0001";

/** First steps compile for up to a minute on a slow machine. */
const PATIENCE = 240_000;

/** A built page, served, and a browser that visits it. */
export class Visit implements AsyncDisposable {
  /** Errors of pages and their workers, and what they printed as one. */
  readonly errors: string[] = [];

  private constructor(
    readonly url: string,
    readonly context: BrowserContext,
    private readonly close: () => Promise<void>,
  ) {}

  /** Builds the page with the first images of MNIST, and starts a browser. */
  static async begin({ webgpu = true, images = 512 } = {}): Promise<Visit> {
    const folder = await Deno.makeTempDir();
    await buildPage(folder, { images });
    const server = servePage(folder, 0);
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [...ARGUMENTS, ...(webgpu ? WEBGPU : ["--disable-features=WebGPU"])],
    });
    const context = await browser.newContext({
      viewport: { width: 1280, height: 720 },
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE);
    return new Visit(`http://127.0.0.1:${server.addr.port}/`, context, async () => {
      await browser.close();
      await server.shutdown();
      await Deno.remove(folder, { recursive: true });
    });
  }

  /** Opens the page. */
  async open(address = ""): Promise<Page> {
    const page = await this.context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    page.on("pageerror", ({ message }) => this.errors.push(message));
    await page.goto(this.url + address);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Waits until an element of the page says something. */
export async function shows(page: Page, selector: string, text: RegExp): Promise<void> {
  const [element, pattern] = [JSON.stringify(selector), String(text)];
  await page.waitForFunction(`${pattern}.test(document.querySelector(${element})?.textContent)`);
}

/** Waits until a canvas of the page is painted larger than it was. */
export async function isPainted(page: Page, selector: string, width: number): Promise<void> {
  const element = JSON.stringify(selector);
  await page.waitForFunction(`document.querySelector(${element}).width > ${width}`);
  assert.ok(
    !await page.evaluate(`(() => {
    const canvas = document.querySelector(${element});
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Uint32Array(data.buffer).every((pixel, _, all) => pixel === all[0]);
  })()`),
    `${selector} is blank`,
  );
}

/** Waits until a run is ready, and its first images are there. */
export async function ready(page: Page): Promise<void> {
  await page.waitForSelector("#train:enabled");
  await shows(page, "#variety", /%/);
}

/** The step that the page shows. */
export async function stepOf(page: Page): Promise<number> {
  return Number((await page.textContent("#step-number"))!.replaceAll(",", ""));
}

/** Trains single steps up to one, and gives its losses. */
export async function trainTo(page: Page, step: number): Promise<[number, number]> {
  for (let at = await stepOf(page); at < step; at++) {
    await page.click("#step");
    await waitForStep(page, at + 1);
  }
  const loss = (id: string) => page.getAttribute(id, "title");
  return [Number(await loss("#loss-g")), Number(await loss("#loss-d"))];
}

/** Waits until a step is trained. */
export async function waitForStep(page: Page, step: number): Promise<void> {
  const shown = 'document.querySelector("#step-number").textContent.replaceAll(",", "")';
  await page.waitForFunction(`Number(${shown}) >= ${step}`);
}

/** Clicks what saves a file; gives its name and bytes. */
export async function download(page: Page, selector: string): Promise<[string, Uint8Array]> {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  return [file.suggestedFilename(), await Deno.readFile(await file.path())];
}

/** No message is a warning, and nothing was printed as an error. */
export async function assertQuiet(visit: Visit, page: Page): Promise<void> {
  assert.deepEqual(await page.locator("#messages .warning").allTextContents(), []);
  assert.deepEqual(visit.errors, []);
}

/** Draws a stroke with the mouse. */
export async function draw(page: Page): Promise<void> {
  await page.locator("#paper").scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await page.locator("#paper").boundingBox())!;
  await page.mouse.move(x + 0.3 * width, y + 0.3 * height);
  await page.mouse.down();
  await page.mouse.move(x + 0.6 * width, y + 0.8 * height, { steps: 5 });
  await page.mouse.up();
}
