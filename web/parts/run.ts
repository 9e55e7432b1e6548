/**
 * Buttons and numbers of the run, and what the worker is busy with.
 *
 * @module
 */

import type { Client } from "../client.ts";
import { count, get, percent, tell } from "../dom.ts";
import type { Frame, Losses, RunInfo } from "../protocol.ts";

/** Milliseconds between two steps in slow motion. */
const SLOW = 1500;

/** Sets up the part. */
export function runPart(client: Client): void {
  const [train, step, anew] = ["train", "step", "anew"].map((id) => get<HTMLButtonElement>(id));
  const slow = get<HTMLInputElement>("slow");
  let running = false;
  let run: RunInfo | undefined;

  const start = () => client.order({ type: "train", delay: slow.checked ? SLOW : 0 });
  const label = (steps: number) => {
    train.textContent = running ? "Pause" : steps ? "Continue" : "Train";
  };

  train.addEventListener("click", () => running ? client.order({ type: "pause" }) : start());
  step.addEventListener("click", () => client.order({ type: "step" }));
  anew.addEventListener("click", () => {
    if (run) client.order({ type: "begin", settings: run.settings });
  });
  slow.addEventListener("change", () => {
    get("story").hidden = !slow.checked;
    if (!running) return;
    client.order({ type: "pause" });
    start();
  });

  client.on("busy", ({ text, done }) => {
    const bar = get<HTMLProgressElement>("busy-bar");
    get("busy").classList.toggle("idle", text === undefined);
    get("busy-text").textContent = text ?? "";
    if (done === undefined) bar.removeAttribute("value");
    else bar.value = done;
  });
  client.on("ready", (event) => {
    run = event.run;
    running = false;
    for (const button of [train, step, anew]) button.disabled = false;
    for (const id of ["speed", "variety", "loss-g", "loss-d"]) get(id).textContent = "–";
    showLosses(run.losses.points.at(-1));
    get("step-number").textContent = count(run.step);
    get("epoch").textContent = count(Math.floor(run.step / run.stepsPerEpoch) + 1);
    get("story").textContent = "";
    label(run.step);
  });
  client.on("training", (event) => {
    running = event.running;
    train.classList.toggle("running", running);
    label(Number(get("step-number").textContent!.replaceAll(",", "")));
    if (!running) get("busy").classList.add("idle");
  });
  client.on("losses", ({ losses, imagesPerSecond }) => {
    const last = losses.at(-1);
    if (!last || !run) return;
    get("step-number").textContent = count(last.step);
    get("epoch").textContent = count(Math.ceil(last.step / run.stepsPerEpoch));
    get("speed").textContent = imagesPerSecond ? count(imagesPerSecond) : "–";
    showLosses(last);
    if (!running) label(last.step);
  });
  client.on("frame", ({ frame }) => {
    get("variety").textContent = percent(frame.variety);
    if (slow.checked && run) get("story").textContent = story(frame, run);
  });
  client.on("rewound", ({ step }) => {
    get("step-number").textContent = count(step);
    label(step);
  });
  client.on("kept", ({ step }) => {
    tell(
      `Another run, at step ${count(step)}, is kept in this browser until you train this one. ` +
        "To go on with it, open this page without settings in its address",
      true,
    );
  });
  client.on("message", ({ text, warning }) => tell(text, warning));

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") client.order({ type: "keep" });
  });
}

function showLosses(losses?: Losses): void {
  if (!losses) return;
  const { generator, discriminator } = losses;
  for (const [id, value] of [["loss-g", generator], ["loss-d", discriminator]] as const) {
    get(id).textContent = value.toFixed(3);
    get(id).title = String(value);
  }
}

/** What happened in a step, for slow motion. */
function story({ step, real, generated }: Frame, { settings }: RunInfo): string {
  const share = (decisions: Float32Array) => percent(mean(decisions));
  if (step === 0) return "Nothing is learned yet: the generator smears noise over the paper.";
  return `Step ${
    count(step)
  }: the generator painted ${settings.batchSize} images out of noise. The ` +
    `discriminator now gives generated images a chance of ${share(generated)} of being real, and ` +
    `real ones ${share(real)}. Both networks moved a little: one to be fooled less, the other to ` +
    "fool more.";
}

const mean = (values: Float32Array) =>
  values.reduce((sum, value) => sum + value / values.length, 0);
