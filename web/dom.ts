/**
 * What the parts of the page share: elements, images on canvases, files to save, colors.
 *
 * @module
 */

import type { ImageSize } from "./protocol.ts";

/** The element with an id, which the page is known to have. */
export function get<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** A new element. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Values on [-1, 1] as bytes. */
export function toBytes(images: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  return Uint8ClampedArray.from(images, (value) => 127.5 * (value + 1));
}

/** One of several images as RGBA. */
export function toImageData(
  bytes: Uint8ClampedArray,
  { height, width, channels }: ImageSize,
  index = 0,
): ImageData {
  const rgba = new ImageData(width, height);
  const from = index * height * width * channels;
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let c = 0; c < 3; c++) {
      rgba.data[4 * pixel + c] = bytes[from + pixel * channels + Math.min(c, channels - 1)];
    }
    rgba.data[4 * pixel + 3] = 255;
  }
  return rgba;
}

/**
 * Paints images in rows, enlarged by a whole number so that every pixel is a square of one size. Gray
 * ones are shown as ink on paper where the page is light.
 */
export function paint(
  canvas: HTMLCanvasElement,
  bytes: Uint8ClampedArray,
  size: ImageSize,
  { count = 1, columns = 1, gap = 0, pixels = 480 } = {},
): void {
  const { height, width } = size;
  const scale = Math.max(1, Math.ceil(pixels / columns / width));
  const [across, down] = [width * scale + gap, height * scale + gap];
  const rows = Math.ceil(count / columns);
  if (canvas.width !== columns * across - gap || canvas.height !== rows * down - gap) {
    canvas.width = columns * across - gap;
    canvas.height = rows * down - gap;
  }
  canvas.classList.toggle("ink", size.channels === 1);
  const small = new OffscreenCanvas(width, height);
  const from = small.getContext("2d")!;
  const to = canvas.getContext("2d")!;
  to.imageSmoothingEnabled = false;
  for (let i = 0; i < count; i++) {
    from.putImageData(toImageData(bytes, size, i), 0, 0);
    const [x, y] = [i % columns * across, Math.floor(i / columns) * down];
    to.drawImage(small, x, y, width * scale, height * scale);
  }
}

/** Offers bytes as a file. */
export function save(name: string, bytes: Uint8Array<ArrayBuffer>, type: string): void {
  const href = URL.createObjectURL(new Blob([bytes], { type }));
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** A color of the style sheet as it is at present. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls a function now and whenever the page turns dark or light. */
export function onScheme(body: () => void): void {
  body();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", body);
}

/** A number as people read it: 12,345. */
export const count = (value: number) => Math.round(value).toLocaleString("en");

/** A share as a percentage. */
export const percent = (share: number) => `${Math.round(100 * share)} %`;

const log = () => get("messages");

/** Scrolls to where the run is. */
export const showRun = () => scrollTo({ top: 0 });

/** Shows a sentence, if it is one, until it is closed; one that is no warning goes by itself. */
export function tell(text: string, warning = false): void {
  if (!text) return;
  const sentence = text.replace(/^step /, "Step ");
  if ([...log().children].some((child) => child.firstChild?.textContent === sentence)) return;
  const close = make("button", { type: "button", className: "link", textContent: "Close" });
  const entry = make(
    "p",
    { className: warning ? "warning" : "" },
    make("span", {}, sentence),
    close,
  );
  close.addEventListener("click", () => entry.remove());
  if (!warning) setTimeout(() => entry.remove(), 8000);
  log().append(entry);
  while (log().children.length > 3) log().firstElementChild!.remove();
}
