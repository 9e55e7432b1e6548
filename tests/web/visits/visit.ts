/**
 * A visit to the page in Chromium, with WebGPU on its software adapter.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "npm:playwright-core@1.65.1";
import { ARGUMENTS, CHROMIUM, WEBGPU } from "../../support/browser/runtime.ts";
import { buildPage, servePage } from "../../../scripts/web.ts";

/** Networks that compile and train in little time on a CPU, as an address has them. */
export const SMALL = "?g=8,8,8&d=4,4&batch=8&noise=8&lr=0.0001";

/** Shallow ones, for where only the page matters. */
export const SHALLOW = "?g=4,4&d=4&batch=8&noise=8&lr=0.0001";

/** First steps compile for up to a minute on a slow machine. */
const PATIENCE = 240_000;

/** Images of MNIST that the visited page has. */
export const IMAGES = 512;

let site: { readonly folder: string; readonly server: ReturnType<typeof servePage> };
let browser: Browser;

// All visits share a built page and a browser, and have a profile each.
Deno.test.beforeAll(async () => {
  const folder = await Deno.makeTempDir();
  await buildPage(folder, { images: IMAGES });
  site = { folder, server: servePage(folder, 0) };
  browser = await chromium.launch({ executablePath: CHROMIUM, args: [...ARGUMENTS, ...WEBGPU] });
});

Deno.test.afterAll(async () => {
  await browser.close();
  await site.server.shutdown();
  await Deno.remove(site.folder, { recursive: true });
});

/** A browser that visits the page. */
export class Visit implements AsyncDisposable {
  /** Errors of pages and their workers, and what they printed as one. */
  readonly errors: string[] = [];

  private constructor(readonly context: BrowserContext) {}

  /** Begins with a profile that knows nothing of the page. */
  static async begin(): Promise<Visit> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 720 },
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE);
    return new Visit(context);
  }

  /** A file of the page, as it is served. */
  file(name: string): string {
    return join(site.folder, name);
  }

  /** Runs code in workers before the page's own. */
  async patchWorkers(code: string): Promise<void> {
    await this.context.unroute("**/worker.js");
    await this.context.route("**/worker.js", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `{ ${code} } ${await response.text()}` });
    });
  }

  /** Opens the page. */
  async open(address = ""): Promise<Page> {
    const page = await this.context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    page.on("pageerror", ({ message }) => this.errors.push(message));
    await page.goto(`http://127.0.0.1:${site.server.addr.port}/${address}`);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
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

/** Where a point of an element is, from 0 to 1 across and down. */
async function pointsOf(page: Page, selector: string, ...points: (readonly [number, number])[]) {
  await page.locator(selector).scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await page.locator(selector).boundingBox())!;
  return points.map(([across, down]) => ({ x: x + across * width, y: y + down * height }));
}

/** Draws a stroke with the mouse. */
export async function draw(page: Page): Promise<void> {
  const [from, to] = await pointsOf(page, "#paper", [0.3, 0.3], [0.6, 0.8]);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 5 });
  await page.mouse.up();
}

/** Moves a finger over an element. */
export async function swipe(page: Page, selector: string): Promise<void> {
  const points = await pointsOf(page, selector, [0.3, 0.3], [0.4, 0.5], [0.6, 0.8]);
  const screen = await page.context().newCDPSession(page);
  await screen.send("Emulation.setTouchEmulationEnabled", { enabled: true });
  for (const [i, point] of points.entries()) {
    const type = i === 0 ? "touchStart" : "touchMove";
    await screen.send("Input.dispatchTouchEvent", { type, touchPoints: [point] });
  }
  await screen.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await screen.detach();
}

/** Drops files and folders of the disk onto an element, as a person does. */
export async function dropFiles(page: Page, selector: string, files: string[]): Promise<void> {
  const [point] = await pointsOf(page, selector, [0.5, 0.1]);
  const hand = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await hand.send("Input.dispatchDragEvent", { type, ...point, data });
  }
  await hand.detach();
}
