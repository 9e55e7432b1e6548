/**
 * Visits to the page in a real browser: a run, its files, its return after a reload; images of one's
 * own; a lost device; a browser without WebGPU. `page_test.ts` runs them.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { decodePNG, decodeSafetensors, encodePNG, Generator, Gpu } from "../../../mod.ts";
import { loadMNIST, Trainer } from "../../../mod.ts";
import { decodeCheckpoint } from "../../../src/training/checkpoint.ts";
import { mnistPackageDir } from "../../../src/cli/mnist_package.ts";
import { fromAddress } from "../../../web/settings.ts";
import { commands } from "../../support/commands.ts";
import { idx } from "../../support/digits.ts";
import { inFolder, put } from "../../support/folder.ts";
import {
  assertQuiet,
  download,
  draw,
  dropFiles,
  IMAGES,
  isPainted,
  ready,
  shows,
} from "./visit.ts";
import { SHALLOW, SMALL, stepOf, swipe, trainTo, Visit, waitForStep } from "./visit.ts";

/** The first images of MNIST, as the visited page has them. */
async function digits() {
  const { images, height, width, channels } = await loadMNIST({ fallback: mnistPackageDir });
  const count = IMAGES;
  return { images: images.slice(0, count * height * width), count, height, width, channels };
}

Deno.test("a run trains as in Deno, pauses, and returns after a reload to the bit", async (t) => {
  await using visited = await Visit.begin();
  const page = await visited.open(SMALL);
  await ready(page);
  const settings = fromAddress(SMALL, (text) => assert.fail(text));
  using trainer = await Trainer.create({ ...settings, dataset: await digits() });
  /** Losses of the first steps in Deno. */
  const losses: (readonly [number, number])[] = [];
  for (let step = 1; step <= 8; step++) {
    const { generatorLoss, discriminatorLoss } = await trainer.step();
    losses.push([generatorLoss, discriminatorLoss]);
  }
  const assertLosses = (step: number, got: readonly [number, number]) => {
    const [g, d] = losses[step - 1];
    // Another compiler and another adapter: sums in other orders.
    assert.ok(Math.abs(g - got[0]) < 1e-4, `step ${step}: ${got[0]}, Deno ${g}`);
    assert.ok(Math.abs(d - got[1]) < 1e-4, `step ${step}: ${got[1]}, Deno ${d}`);
  };
  let uninterrupted: Uint8Array;

  await t.step("losses are those of Deno", async () => {
    for (let step = 1; step <= 4; step++) assertLosses(step, await trainTo(page, step));
    [, uninterrupted] = await download(page, '[data-export="checkpoint"]');
  });

  await t.step(
    "a checkpoint goes on in the command line, and comes back",
    () =>
      inFolder(async (dir) => {
        const path = join(dir, "checkpoint.safetensors");
        await Deno.writeFile(path, uninterrupted);
        const name = "train-images-idx3-ubyte.gz";
        await Deno.copyFile(visited.file(`data/${name}`), join(dir, name));
        await Deno.writeFile(join(dir, "train-labels-idx1-ubyte"), idx([IMAGES], () => 0));
        const [{ code, stdout, stderr }] = await commands([
          `train --resume ${path} --data ${dir} --max-steps 6 --out ${dir}/out --json --no-calibrate`,
        ]);
        assert.equal(code, 0, stderr);
        const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
        const steps = events.filter(({ type }) => type === "step");
        assert.deepEqual(steps.map(({ step }) => step), [5, 6]);
        for (const event of steps) {
          assertLosses(event.step, [event.generatorLoss, event.discriminatorLoss]);
        }
        const [file] = [...Deno.readDirSync(join(dir, "out/training_checkpoints"))]
          .filter((entry) => entry.name.includes("6"));
        await page.setInputFiles("#open", join(dir, "out/training_checkpoints", file.name));
        await shows(page, "#step-number", /^6$/);
        for (let step = 7; step <= 8; step++) assertLosses(step, await trainTo(page, step));
      }),
  );

  await t.step("what is saved opens as what it is", async () => {
    await trainer.restore(decodeCheckpoint(uninterrupted, "the download"));
    assert.equal(trainer.steps, 4);
    using gpu = await Gpu.request();
    const [name, weights] = await download(page, '[data-export="safetensors"]');
    assert.equal(name, "generator-step-8.safetensors");
    assert.equal((await Generator.load(gpu, weights)).noiseDim, 8);
    const [onnx, model] = await download(page, '[data-export="onnx"]');
    assert.equal(onnx, "generator-step-8.onnx");
    assert.ok(new TextDecoder("latin1").decode(model).includes("@dcgan/webgpu"));
    const file = { name: "mine.safetensors", mimeType: "", buffer: Buffer.from(weights) };
    await page.setInputFiles("#open", file);
    await shows(page, "#messages", /a generator without its run: you can walk/);
    await shows(page, "#latent-source option:checked", /^mine\.safetensors/);
    await isPainted(page, "#walked", 99);
    await page.selectOption("#latent-source", "run");
  });

  await t.step("a reload goes on from the private file system to the bit", async () => {
    await page.click("#anew");
    await shows(page, "#step-number", /^0$/);
    await trainTo(page, 2);
    await shows(page, "#stored", /step 2/);
    await page.reload();
    await page.waitForSelector("#train:enabled");
    assert.equal(await stepOf(page), 2);
    assert.equal(await page.textContent("#train"), "Continue");
    await page.waitForSelector('#losses[aria-label$="steps 1 to 2"]');
    await trainTo(page, 4);
    const [, resumed] = await download(page, '[data-export="checkpoint"]');
    const tensors = (bytes: Uint8Array) => decodeSafetensors(bytes, "a download").tensors;
    assert.deepEqual(tensors(resumed), tensors(uninterrupted));
  });

  await t.step("it trains until it is paused, goes back, and opens a checkpoint", async () => {
    await page.click("#train");
    await waitForStep(page, 60);
    await page.click("#train");
    await shows(page, "#train", /Continue/);
    const paused = await stepOf(page);
    await page.waitForTimeout(500);
    assert.equal(await stepOf(page), paused);
    await page.focus("#rewind");
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(
      `Number(document.querySelector("#step-number").textContent) < ${paused}`,
    );
    const file = { name: "run.safetensors", mimeType: "", buffer: Buffer.from(uninterrupted) };
    await page.setInputFiles("#open", file);
    await shows(page, "#step-number", /^4$/);
  });

  await t.step("a drawing is judged, a walk is painted, a step is timed", async () => {
    await draw(page);
    await shows(page, "#verdict", /% real/);
    await page.click("#clear");
    await swipe(page, "#paper");
    await shows(page, "#verdict", /% real/);
    const style = page.locator("#dot");
    await swipe(page, "#pad");
    assert.match((await style.getAttribute("style"))!, /left: 60%; top: 80%|left: (59\.|60\.)/);
    await page.locator("#latent").scrollIntoViewIfNeeded();
    await isPainted(page, "#walked", 99);
    const [, png] = await download(page, "#save-png");
    assert.equal(decodePNG(png, "the download").width, 224);
    const [, gif] = await download(page, "#save-gif");
    assert.equal(new TextDecoder().decode(gif.subarray(0, 6)), "GIF89a");
    await page.click("#profile");
    await shows(page, "#profile-status", /in all|timestamp/);
    await assertQuiet(visited, page);
  });
});

Deno.test("images of one's own are read; what is no image, or too large, is skipped", async () => {
  await using visited = await Visit.begin();
  const page = await visited.open(SHALLOW);
  await ready(page);
  const image = (seed: number) =>
    encodePNG({
      ...{ width: 40, height: 50, channels: 3 },
      data: Uint8Array.from({ length: 6000 }, (_, i) => (i * seed) % 256),
    });
  const huge = image(1);
  new DataView(huge.buffer).setUint32(16, 20_000);
  new DataView(huge.buffer).setUint32(20, 20_000);
  await inFolder(async (dir) => {
    await put(dir, {
      "images/huge.png": huge,
      "images/notes.txt": "no image".repeat(20),
      "images/cut.png": image(1).subarray(0, 100),
      ...Object.fromEntries(
        Array.from({ length: 120 }, (_, i) => [`images/below/${i}.png`, image(i + 3)]),
      ),
    });
    const skipped = async () => (await page.locator("#skipped li").allTextContents()).sort();
    await page.setInputFiles("#folder", join(dir, "images"));
    await shows(page, "#data-status", /120 images/);
    const reasons = await skipped();
    assert.equal(reasons.length, 3);
    assert.match(reasons[0], /^cut\.png: damaged/);
    assert.match(reasons[1], /^huge\.png: 20000 × 20000 pixels are too many/);
    assert.match(reasons[2], /^notes\.txt: not a PNG/);
    await trainTo(page, 1);
    await page.click("#digits");
    await shows(page, "#data-status", /MNIST/);

    await page.locator("#drop").scrollIntoViewIfNeeded();
    await dropFiles(page, "#drop", [join(dir, "images")]);
    await shows(page, "#data-status", /120 images/);
    assert.deepEqual(await skipped(), reasons);
    await dropFiles(page, "#paper", [join(dir, "images/below/7.png")]);
    await shows(page, "#verdict", /% real/);
    await assertQuiet(visited, page);
    await dropFiles(page, "#paper", [join(dir, "images/huge.png")]);
    await shows(page, "#messages", /huge\.png: 20000 × 20000 pixels are too many/);
  });
});

Deno.test("a run goes on when its device is lost", async (t) => {
  await using visited = await Visit.begin();
  // The worker keeps its devices where the test finds them.
  await visited.patchWorkers(`const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (options) {
      const device = await request.call(this, options);
      (self.devices ??= []).push(device);
      return device;
    };`);
  const page = await visited.open(SHALLOW);
  await ready(page);
  const lose = () => page.workers()[0].evaluate("devices.at(-1).destroy()");
  const messages = page.locator("#messages .warning");
  /** The step at which it goes on; the sentence is the only one, and closed. */
  const goesOn = async () => {
    await messages.first().waitFor();
    const [text, ...others] = await messages.allInnerTexts();
    assert.deepEqual(others, []);
    const [, step] = /took the GPU away.*goes on with another one from step (\d+)/s.exec(text)!;
    await messages.getByRole("button").click();
    return Number(step);
  };
  const pause = async () => {
    await page.click("#train");
    await shows(page, "#train", /Continue/);
  };

  await t.step("while it trains", async () => {
    await page.click("#train");
    await waitForStep(page, 30);
    await lose();
    const step = await goesOn();
    await waitForStep(page, step + 2);
    await lose();
    await pause(); // It is kept then, on whichever device.
    const paused = await goesOn();
    assert.ok(paused >= step);
    await shows(page, "#stored", RegExp(`step ${await stepOf(page)}`));
  });

  await t.step("while it stands, and a drawing is judged", async () => {
    const paused = await stepOf(page);
    await lose();
    await draw(page);
    await shows(page, "#verdict", /% real/);
    assert.equal(await goesOn(), paused, "what was kept is the newest");
    assert.equal(await stepOf(page), paused);
    await trainTo(page, paused + 1);
    await shows(page, "#stored", RegExp(`step ${paused + 1}`));
  });

  await t.step("too often: it is kept, and a reload goes on with it", async () => {
    const kept = await stepOf(page);
    await lose();
    await page.click("#step");
    await messages.first().waitFor();
    assert.match((await messages.allInnerTexts()).join(), /4 times\. Reload the page to go on/);
    assert.equal(await messages.count(), 1);
    await page.reload();
    await page.waitForSelector("#train:enabled");
    assert.equal(await stepOf(page), kept);
    await trainTo(page, kept + 1);
    await assertQuiet(visited, page);
  });
});

Deno.test("without WebGPU the trained generator paints, and walks", async () => {
  await using visited = await Visit.begin();
  await visited.patchWorkers("GPU.prototype.requestAdapter = async () => null;");
  const page = await visited.open();
  await shows(page, ".notice", /found no GPU/);
  await isPainted(page, "#grid", 472);
  await page.locator("#latent").scrollIntoViewIfNeeded();
  await isPainted(page, "#walked", 99);
  const pixels = 'document.querySelector("#walked").toDataURL()';
  const before = await page.evaluate(pixels);
  await page.focus("#directions input");
  await page.keyboard.press("End");
  await page.waitForFunction(`${pixels} !== ${JSON.stringify(before)}`);
  await visited.patchWorkers(
    'Object.defineProperty(WorkerNavigator.prototype, "gpu", { value: undefined });',
  );
  await page.reload();
  await shows(page, ".notice", /has no WebGPU/);
  await isPainted(page, "#grid", 472);
  assert.deepEqual(visited.errors, []);
});
