/** A long training of a tiny network, and what it holds on to meanwhile. */

import assert from "node:assert/strict";
import { join } from "node:path";
import v8 from "node:v8";
import vm from "node:vm";
import { type Dataset, Gpu, trainDCGAN, type TrainOptions } from "../../mod.ts";
import { readMetrics } from "../../src/training/metrics_log.ts";
import { scalarsIn } from "./tensorboard.ts";
import { namesIn, stepsTo } from "./training.ts";

v8.setFlagsFromString("--expose-gc");
const collectGarbage = vm.runInNewContext("gc") as () => void;

const BATCH = 4;

/** Noise in images of 8 x 8, for epochs of so many steps. */
function noise(steps: number): Dataset {
  const count = steps * BATCH;
  const images = Uint8Array.from({ length: count * 64 }, (_, i) => (i * i * 31) % 251);
  return { images, count, height: 8, width: 8, channels: 1 };
}

/** Options of a tiny run; it is a matter of some milliseconds a step. */
export const TINY = {
  dataset: noise(50),
  batchSize: BATCH,
  noiseDim: 4,
  generatorWidths: [2, 2, 2],
  discriminatorWidths: [2, 2],
  // Too small a network to learn anything; it must only stay finite for long.
  learningRate: 1e-5,
  evaluateEvery: Infinity,
} satisfies TrainOptions;

export interface Held {
  readonly steps: number;
  /** Milliseconds a step since the last one. */
  readonly milliseconds: number;
  /** Those as a share of what the same fixed work takes right then; NaN if it is not timed. */
  readonly relative: number;
  readonly rss: number;
  readonly heapUsed: number;
  /** The part of `heapUsed` that is objects, not code and what V8 knows of it. */
  readonly objects: number;
  readonly external: number;
  /** On the device. */
  readonly buffers: number;
  readonly bytes: number;
  /** Listeners added and not removed, of anything. */
  readonly listeners: number;
  /** Reactions that were ever put on the promises of devices that are lost. */
  readonly reactions: number;
}

function objectBytes(): number {
  return v8.getHeapSpaceStatistics()
    .filter(({ space_name: name }) => !/code|trusted/.test(name))
    .reduce((sum, { space_used_size: bytes }) => sum + bytes, 0);
}

/** Counts listeners from now on, until it is disposed. */
export function countListeners(): { readonly count: number } & Disposable {
  const { prototype } = EventTarget;
  const { addEventListener, removeEventListener } = prototype;
  const counter = {
    count: 0,
    [Symbol.dispose]: () => Object.assign(prototype, { addEventListener, removeEventListener }),
  };
  prototype.addEventListener = function (this: EventTarget, ...args) {
    counter.count++;
    return addEventListener.apply(this, args);
  };
  prototype.removeEventListener = function (this: EventTarget, ...args) {
    counter.count--;
    return removeEventListener.apply(this, args);
  };
  return counter;
}

/** A device; and what is hung on the promise that says when it is lost, which is pending for good. */
export async function countedDevice(): Promise<
  { device: GPUDevice; reactions: { count: number } }
> {
  const device = await (await navigator.gpu.requestAdapter())!.requestDevice();
  const reactions = { count: 0 };
  const { lost } = device;
  assert.equal(lost, device.lost, "always the same promise");
  const then = lost.then;
  Object.assign(lost, {
    then(...args: Parameters<typeof then>) {
      reactions.count++;
      return then.apply(lost, args);
    },
  });
  return { device, reactions };
}

/** Trains so many steps, and gives what was held after each epoch. All losses must come, in order. */
export async function longRun(
  steps: number,
  { outDir, stepsAnEpoch = 50, fixedWork }: {
    readonly outDir?: string;
    readonly stepsAnEpoch?: number;
    /** Times fixed work after each epoch, too: a machine is not equally fast all the time. */
    readonly fixedWork?: () => Promise<number>;
  } = {},
): Promise<Held[]> {
  using listeners = countListeners();
  const { device, reactions } = await countedDevice();
  using gpu = Gpu.from(device);
  const held: Held[] = [];
  const losses = new Float64Array(2 * steps);
  let seen = 0;
  let since = performance.now();
  const common = {
    ...TINY,
    dataset: noise(stepsAnEpoch),
    gpu,
    epochs: Math.ceil(steps / stepsAnEpoch),
    signal: new AbortController().signal,
    imageCount: 4,
    onStep: ({ step, generatorLoss, discriminatorLoss }) => {
      assert.equal(step, seen + 1, "steps come in order, each once");
      losses.set([generatorLoss, discriminatorLoss], 2 * seen++);
    },
    onEpoch: async ({ step }) => {
      const milliseconds = (performance.now() - since) / stepsAnEpoch;
      const relative = fixedWork ? milliseconds / await fixedWork() : NaN;
      // Twice, with a turn between: what finalizers let go of goes with the second.
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 0));
      collectGarbage();
      const { rss, heapUsed, external } = Deno.memoryUsage();
      const { count: buffers, bytes } = gpu.context.memory;
      held.push({
        steps: step,
        ...{ milliseconds, relative, rss, heapUsed, objects: objectBytes(), external },
        ...{ buffers, bytes, listeners: listeners.count, reactions: reactions.count },
      });
      since = performance.now();
    },
  } satisfies TrainOptions;
  const files = outDir === undefined ? {} : { outDir, checkpoint: { everyEpochs: 10, keep: 2 } };
  {
    using run = await trainDCGAN({ ...common, ...files });
    assert.equal(run.steps, steps);
  }
  assert.equal(seen, steps);
  assert.ok(losses.every((loss) => loss > 0 && loss < 100), "all losses are there");
  // A ring that lost count would give those of another step.
  assert.ok(new Set(losses).size > 0.9 * losses.length, "and each step's are its own");
  if (outDir !== undefined) await checkFolder(outDir, stepsAnEpoch, losses);
  gpu[Symbol.dispose]();
  assert.equal(gpu.context.memory.count, 0);
  assert.ok(listeners.count <= 0, `${listeners.count} listeners are left`);
  device.destroy();
  return held;
}

/** The logs of a run have every step once, in order, with the losses of the events. */
async function checkFolder(outDir: string, stepsAnEpoch: number, losses: Float64Array) {
  let [step, epoch] = [0, 0];
  for await (const row of readMetrics(join(outDir, "metrics.jsonl"))) {
    if (row.type === "step") {
      assert.equal(row.step, ++step);
      const expected = [...losses.subarray(2 * step - 2, 2 * step)];
      assert.deepEqual([row.generatorLoss, row.discriminatorLoss], expected, `step ${step}`);
    } else {
      assert.equal(row.epoch, ++epoch);
      assert.equal(row.step, step);
      assert.equal(step, Math.min(losses.length / 2, epoch * stepsAnEpoch));
    }
  }
  assert.equal(step, losses.length / 2);
  assert.equal(epoch, Math.ceil(step / stepsAnEpoch));
  assert.equal(namesIn(join(outDir, "tensorboard")).length, 1);
  const shown = await scalarsIn(join(outDir, "tensorboard"));
  const ends = stepsTo(epoch).map((n) => Math.min(step, n * stepsAnEpoch));
  const all = stepsTo(step);
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(shown).map(([tag, values]) => [tag, values.map(([at]) => at)]),
    ),
    { "loss/generator": all, "loss/discriminator": all, images: ends },
  );
  const svg = await Deno.readTextFile(join(outDir, "losses.svg"));
  assert.ok(svg.length < 200_000, `${svg.length} characters`);
  const checkpoints = namesIn(join(outDir, "training_checkpoints"))
    .filter((name) => name.endsWith(".safetensors"));
  assert.ok(checkpoints.length <= 3, checkpoints.join());
}

/** Median of one quantity in a quarter of a run, 0 to 3. */
export function inQuarter(held: readonly Held[], quarter: number, key: keyof Held): number {
  const [from, to] = [quarter, quarter + 1].map((n) => Math.floor(n * held.length / 4));
  const values = held.slice(from, to).map((one) => one[key]).sort((a, b) => a - b);
  return values[values.length >> 1];
}

/** What must never change once a run is under way. */
export function assertConstant(held: readonly Held[]): void {
  for (const key of ["buffers", "bytes", "listeners", "reactions"] as const) {
    const values = new Set(held.slice(1).map((one) => one[key]));
    assert.equal(values.size, 1, `${key}: ${[...values].join(", ")}`);
  }
}
