/**
 * The live grid of generated images, and the slider that goes back in time.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { count, get, paint } from "../dom.ts";
import type { ImageSize } from "../protocol.ts";

/** Milliseconds between two frames at least. */
const FRAME = 100;

/** Sets up the part. */
export function imagesPart(client: Client): void {
  const canvas = get<HTMLCanvasElement>("grid");
  const rewind = get<HTMLInputElement>("rewind");
  const more = get<HTMLButtonElement>("more");
  const snapshots = new Map<number, Uint8ClampedArray>();
  let steps: readonly number[] = [];
  let size: ImageSize = { height: 28, width: 28, channels: 1 };
  let images: Uint8ClampedArray | undefined;
  let shown = 16;
  let [last, step] = [0, 0];

  const draw = (bytes: Uint8ClampedArray | undefined, at: number) => {
    if (!bytes) return;
    paint(canvas, bytes, size, { count: shown, columns: Math.sqrt(shown), gap: 8, pixels: 900 });
    canvas.setAttribute("aria-label", `${shown} images of the generator at step ${count(at)}`);
  };
  const showSlider = () => {
    rewind.disabled = steps.length < 2;
    rewind.max = String(Math.max(0, steps.length - 1));
    if (document.activeElement !== rewind || rewind.disabled) rewind.value = rewind.max;
    get("rewind-step").textContent = steps.length ? `step ${count(step)}` : "–";
  };

  client.on("ready", ({ run }) => {
    size = run.data.image;
    [steps, step] = [[], run.step];
    snapshots.clear();
    canvas.classList.remove("stale");
    showSlider();
    client.order({ type: "frame" });
  });
  client.on("frame", ({ frame }) => {
    images = frame.images;
    step = frame.step;
    draw(images, step);
    get("rewind-step").textContent = steps.length ? `step ${count(step)}` : "–";
    const wait = Math.max(0, FRAME - (performance.now() - last));
    setTimeout(() =>
      requestAnimationFrame(() => {
        last = performance.now();
        client.order({ type: "frame" });
      }), wait);
  });
  client.on("snapshot", (event) => snapshots.set(event.step, event.images));
  client.on("snapshots", (event) => {
    steps = event.steps;
    for (const old of snapshots.keys()) if (!steps.includes(old)) snapshots.delete(old);
    showSlider();
  });

  more.addEventListener("click", () => {
    shown = shown === 16 ? 64 : 16;
    more.textContent = shown === 16 ? "Show 64" : "Show 16";
    more.setAttribute("aria-pressed", String(shown === 64));
    draw(images, step);
  });
  // Dragging shows the snapshot's images; letting go goes back to it.
  rewind.addEventListener("input", () => {
    const at = steps[rewind.valueAsNumber];
    client.order({ type: "pause" });
    draw(snapshots.get(at), at);
    get("rewind-step").textContent = `step ${count(at)}`;
  });
  rewind.addEventListener("change", () => {
    client.order({ type: "rewind", step: steps[rewind.valueAsNumber] });
    rewind.blur();
  });
}
