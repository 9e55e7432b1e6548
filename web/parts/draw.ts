/**
 * Paper to draw on, what the discriminator thinks of the drawing, and where it looks.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { color, get, paint, percent, tell, toBytes, toImageData } from "../dom.ts";
import { requireImage } from "../image_size.ts";
import type { ImageSize } from "../protocol.ts";

/** Width of the pen as a share of the paper: about two pixels of MNIST's strokes. */
const PEN = 0.085;

/** Sets up the part. */
export function drawPart(client: Client): void {
  const paper = get<HTMLCanvasElement>("paper");
  const heat = get<HTMLCanvasElement>("heat");
  const pen = paper.getContext("2d", { willReadFrequently: true })!;
  let size: ImageSize = { height: 28, width: 28, channels: 1 };
  let blank = true;
  let gradient: Float32Array | undefined;

  function clear(): void {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, paper.width, paper.height);
    heat.getContext("2d")!.clearRect(0, 0, heat.width, heat.height);
    gradient = undefined;
    blank = true;
    get("verdict").textContent = "–";
    get("verdict-text").textContent = "Draw something.";
    get("verdict-mark").hidden = true;
  }

  /** The drawing in the size of the data, on [-1, 1]. */
  function read(): Float32Array {
    const { height, width, channels } = size;
    const small = new OffscreenCanvas(width, height).getContext("2d")!;
    small.imageSmoothingQuality = "high";
    small.drawImage(paper, 0, 0, width, height);
    const { data } = small.getImageData(0, 0, width, height);
    return Float32Array.from(
      { length: height * width * channels },
      (_, i) => data[4 * Math.floor(i / channels) + i % channels] / 127.5 - 1,
    );
  }

  let busy = false;
  let again = false;
  async function judge(): Promise<void> {
    again = busy;
    if (busy || blank) return;
    busy = true;
    try {
      const answer = await client.ask("judge", { image: read() });
      if (!blank) show(answer.probability, answer.gradient);
    } catch (error) {
      tell((error as Error).message, true);
    } finally {
      busy = false;
    }
    if (again) await judge();
  }

  function show(probability: number, found: Float32Array): void {
    gradient = found;
    get("verdict").textContent = `${percent(probability)} real`;
    get("verdict-text").textContent = probability > 0.65
      ? "You fooled it: it takes this for a real image."
      : probability > 0.35
      ? "It cannot tell."
      : "It takes this for a forgery.";
    get("verdict-mark").hidden = false;
    get("verdict-mark").style.left = percent(probability).replace(" ", "");
    showHeat();
  }

  /** The size of the gradient at each pixel, over all channels, as how opaque the accent is. */
  function showHeat(): void {
    const { height, width, channels } = size;
    heat.hidden = !get<HTMLInputElement>("show-heat").checked;
    if (!gradient) return;
    [heat.width, heat.height] = [width, height];
    const sizes = Float32Array.from(
      { length: height * width },
      (_, i) => Math.hypot(...gradient!.subarray(i * channels, (i + 1) * channels)),
    );
    const most = Math.max(...sizes) || 1;
    const context = heat.getContext("2d")!;
    context.fillStyle = color("g");
    sizes.forEach((value, i) => {
      context.globalAlpha = 0.85 * (value / most) ** 1.5;
      context.fillRect(i % width, Math.floor(i / width), 1, 1);
    });
  }

  let at: readonly [number, number] | undefined;
  const place = (event: PointerEvent): [number, number] => {
    const box = paper.getBoundingClientRect();
    return [
      (event.clientX - box.left) / box.width * paper.width,
      (event.clientY - box.top) / box.height * paper.height,
    ];
  };
  const stroke = (event: PointerEvent) => {
    if (!at) return;
    blank = false;
    pen.strokeStyle = "#fff";
    pen.lineWidth = PEN * paper.width;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...at);
    pen.lineTo(...(at = place(event)));
    pen.stroke();
    judge();
  };
  paper.addEventListener("pointerdown", (event) => {
    paper.setPointerCapture(event.pointerId);
    at = place(event);
    stroke(event);
  });
  paper.addEventListener("pointermove", (event) => {
    for (const each of event.getCoalescedEvents?.() ?? [event]) stroke(each);
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    paper.addEventListener(end, () => at = undefined);
  }

  get("clear").addEventListener("click", clear);
  get("show-heat").addEventListener("change", showHeat);
  for (const button of document.querySelectorAll<HTMLElement>("[data-example]")) {
    const kind = button.dataset.example as "real" | "generated" | "random";
    button.addEventListener("click", async () => {
      try {
        const { image } = await client.ask("example", { kind });
        const { width, height } = size;
        const small = new OffscreenCanvas(width, height);
        small.getContext("2d")!.putImageData(toImageData(toBytes(image), size), 0, 0);
        putImage(small, false);
      } catch (error) {
        tell((error as Error).message, true);
      }
    });
  }

  function putImage(image: CanvasImageSource, smooth: boolean): void {
    clear();
    pen.imageSmoothingEnabled = smooth;
    pen.drawImage(image, 0, 0, paper.width, paper.height);
    blank = false;
    judge();
  }

  const box = paper.parentElement!;
  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("drop", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    try {
      await requireImage(file);
      const resized = { resizeWidth: paper.width, resizeHeight: paper.height };
      const image = await createImageBitmap(file, resized).catch(() => {
        throw new Error("damaged: it cannot be decoded");
      });
      putImage(image, true);
    } catch (error) {
      tell(`${file.name}: ${(error as Error).message}`, true);
    }
  });

  client.on("ready", ({ run }) => {
    size = run.data.image;
    paper.height = Math.round(paper.width * size.height / size.width);
    paper.classList.toggle("ink", size.channels === 1);
    clear();
  });
  let seen = false;
  new IntersectionObserver(([entry]) => seen = entry.isIntersecting).observe(paper);
  client.on("frame", () => {
    if (seen) judge();
  });
  paint(paper, new Uint8ClampedArray(28 * 28), size, { pixels: 280 });
}
