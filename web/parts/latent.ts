/**
 * Walks through the latent space: between two or four noises, and along directions.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { get, make, paint, save, tell, toBytes } from "../dom.ts";
import type { Questions, Source } from "../protocol.ts";
import { arc } from "../../src/model/latent.ts";

/** How far a direction's slider goes; noise is about sqrt(100) long. */
const REACH = 6;

/** Sets up the part. */
export function latentPart(client: Client): void {
  const source = get<HTMLSelectElement>("latent-source");
  const pad = get("pad");
  const dot = get("dot");
  const result = get<HTMLCanvasElement>("walked");
  const buttons = Array.from({ length: 16 }, (_, i) => pickButton(i));
  const corners = Array.from({ length: 4 }, () => make("canvas", { className: "corner" }));
  const sliders = Array.from({ length: 5 }, (_, i) => directionSlider(i));
  get("picker").append(...buttons);
  pad.append(...corners);
  get("directions").append(...sliders.map(({ row }) => row));

  let latent: Questions["latent"]["answer"] | undefined;
  let images: Float32Array | undefined;
  let picked = [0, 1, 4, 5];
  let [x, y] = [0.5, 0.5];
  let seed = 0;
  /** What the images shown are of: asked for again when the run has gone on. */
  let asked = "";
  let step = -1;
  const from = () => source.value as Source;

  /** Asks for the generator's noise, its directions and its images, if they are not the newest. */
  async function refresh(): Promise<void> {
    const wanted = `${from()} ${seed} ${from() === "run" ? step : ""}`;
    if (wanted === asked || (from() === "run" && step < 0)) return;
    asked = wanted;
    try {
      latent = await client.ask("latent", { from: from(), seed });
      ({ images } = await client.ask("generate", { noise: latent.noise, from: from() }));
      showPicked();
      await walk();
    } catch (error) {
      asked = "";
      tell((error as Error).message, true);
    }
  }

  const noiseOf = (i: number) => {
    const { noise, noiseDim } = latent!;
    return noise.subarray(i * noiseDim, (i + 1) * noiseDim);
  };

  function showPicked(): void {
    if (!latent || !images) return;
    const size = latent.image;
    const pixels = size.height * size.width * size.channels;
    const bytes = (i: number) => toBytes(images!.subarray(i * pixels, (i + 1) * pixels));
    buttons.forEach((button, i) => {
      const at = picked.indexOf(i);
      button.setAttribute("aria-pressed", String(at >= 0));
      paint(button.firstElementChild as HTMLCanvasElement, bytes(i), size, { pixels: 56 });
    });
    const line = picked.length < 4;
    pad.classList.toggle("line", line);
    corners.forEach((corner, i) => {
      corner.hidden = line ? i > 1 || picked[i] === undefined : false;
      if (!corner.hidden) paint(corner, bytes(picked[i]), size, { pixels: 112 });
    });
    move(x, line ? 0.5 : y);
  }

  function move(toX: number, toY: number): void {
    const inside = (value: number) => Math.min(1, Math.max(0, value));
    [x, y] = [inside(toX), picked.length < 4 ? 0.5 : inside(toY)];
    dot.style.left = `${100 * x}%`;
    dot.style.top = `${100 * y}%`;
  }

  /** The noise at the dot, with the directions added. */
  function noiseHere(): Float32Array<ArrayBuffer> {
    const { directions, noiseDim } = latent!;
    const [a, b, c, d] = picked.map((i) => Array.from(noiseOf(i)));
    const top = b ? arc(a, b, x) : a;
    const noise = Float32Array.from(d ? arc(top, arc(c, d, x), y) : top);
    sliders.forEach(({ input }, k) => {
      for (let i = 0; i < noiseDim; i++) {
        noise[i] += input.valueAsNumber * directions[k * noiseDim + i];
      }
    });
    return noise;
  }

  let busy = false;
  let again = false;
  /** Paints the image at the dot; while one is on its way, only the newest place is remembered. */
  async function walk(): Promise<void> {
    if (!latent) return;
    again = busy;
    if (busy) return;
    busy = true;
    try {
      const { images } = await client.ask("generate", { noise: noiseHere(), from: from() });
      paint(result, toBytes(images), latent.image, { pixels: 336 });
    } catch (error) {
      tell((error as Error).message, true);
    } finally {
      busy = false;
    }
    if (again) await walk();
  }

  buttons.forEach((button, i) =>
    button.addEventListener("click", () => {
      if (picked.includes(i)) picked = picked.filter((each) => each !== i);
      else picked = [...picked, i].slice(-4);
      if (!picked.length) picked = [i];
      showPicked();
      walk();
    })
  );
  const drag = (event: PointerEvent) => {
    const box = pad.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    walk();
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    drag(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) drag(event);
  });
  pad.addEventListener("keydown", (event) => {
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const by = moves[event.key];
    if (!by) return;
    event.preventDefault();
    move(x + 0.04 * by[0], y + 0.04 * by[1]);
    walk();
  });
  for (const { input } of sliders) input.addEventListener("input", walk);
  get("center").addEventListener("click", () => {
    for (const { input } of sliders) input.value = "0";
    walk();
  });
  source.addEventListener("change", refresh);
  document.addEventListener("generator", (event) => {
    const option = source.querySelector<HTMLOptionElement>('[value="opened"]')!;
    option.hidden = false;
    option.textContent = (event as CustomEvent<string>).detail;
    source.value = "opened";
    asked = "";
    refresh();
    get("latent").scrollIntoView();
  });

  const keep = async (form: "png" | "gif", noise: Float32Array, name: string) => {
    try {
      const { bytes } = await client.ask("render", { noise, from: from(), form });
      save(name, bytes, `image/${form}`);
    } catch (error) {
      tell((error as Error).message, true);
    }
  };
  get("save-png").addEventListener("click", () => latent && keep("png", noiseHere(), "digit.png"));
  get("save-gif").addEventListener("click", () => {
    if (!latent) return;
    if (picked.length < 2) return tell("Pick two digits at least to walk between");
    const noises = Float32Array.from(picked.flatMap((i) => [...noiseOf(i)]));
    keep("gif", noises, "walk.gif");
  });

  client.on("ready", ({ run }) => {
    seed = run.settings.seed;
    step = run.step;
    asked = "";
    refreshIfSeen();
  });
  client.on("unavailable", () => {
    source.value = "shipped";
    source.querySelector('[value="run"]')!.remove();
    refreshIfSeen();
  });
  client.on("frame", ({ frame }) => {
    step = frame.step;
    refreshIfSeen();
  });

  // A part that nobody sees costs no time of the GPU; one that is seen follows the run twice a second.
  let seen = false;
  let due = false;
  function refreshIfSeen(): void {
    if (!seen || due) return;
    due = true;
    setTimeout(async () => {
      await refresh();
      due = false;
    }, 500);
  }
  new IntersectionObserver(([entry]) => {
    seen = entry.isIntersecting;
    refreshIfSeen();
  }).observe(get("latent"));
}

function pickButton(i: number): HTMLButtonElement {
  const canvas = make("canvas", { width: 28, height: 28 });
  const button = make("button", { type: "button" }, canvas);
  button.setAttribute("aria-label", `Digit ${i + 1}`);
  return button;
}

function directionSlider(i: number) {
  const input = make("input", { type: "range", value: "0" });
  Object.assign(input, { min: String(-REACH), max: String(REACH), step: "0.1", value: "0" });
  return { input, row: make("label", {}, make("span", {}, `${i + 1}`), input) };
}
