/**
 * The tutorial's training step and its generator, in this library and in others, in one run.
 *
 *   deno task bench:peers [--batch N] [--rounds N] [--peers tfjs,jax-js,pytorch] [--data DIR]
 *                         [--python EXE] [--json FILE]
 *
 * Every contestant is a process of its own that works only when asked. First each has to compute
 * our losses from our weights; who does not is not timed. Then all take the full-size step at
 * batch N in turn, R rounds. tfjs and jax-js run on WebGPU, PyTorch on the CPU where a Python has
 * it (Debian: python3-torch and libopenblas0-openmp). Images are MNIST's from DIR, else noise.
 *
 * @module
 */

import { loadMNIST } from "../mod.ts";
import { seedNoise } from "../src/model/sampler.ts";
import { check, makeReference, type Verdict } from "./peers/check.ts";
import { type Contestant, startDeno, startTorch } from "./peers/process.ts";
import { writeFloats } from "./peers/protocol.ts";
import { race, type Row, table } from "./peers/timing.ts";
import { syntheticDataset } from "./support/model.ts";
import { list, options, path, whole, word } from "./support/options.ts";

const NAMES: readonly string[] = ["tfjs", "jax-js", "pytorch"];

const { batch, rounds, peers: wanted, data, python, json } = options("bench:peers", {
  batch: [64, "N", "images a step (64)", whole],
  rounds: [3, "N", "steps that are timed of each (3)", whole],
  peers: [NAMES, "A,B", "which ones (tfjs,jax-js,pytorch)", list(word(...NAMES))],
  data: [undefined, "DIR", "MNIST's IDX files (default: synthetic bytes)", path],
  python: [undefined, "EXE", "a Python with PyTorch (python3, /usr/bin/python3)", String],
  json: [undefined, "FILE", "where the results go as JSON", path],
});

// A Python of the user's own often comes before the system's and has no PyTorch.
const pythons = python ? [python] : ["python3", "/usr/bin/python3"];

interface Peer {
  readonly start: (name: string) => Contestant | Promise<Contestant | undefined>;
  /** Whether its generator is compared and timed, too. */
  readonly generates?: boolean;
}

const PEERS: Readonly<Record<string, Peer>> = {
  "tfjs": { start: (name) => startDeno(name, "tfjs.ts", scratch) },
  "jax-js": { start: (name) => startDeno(name, "jax_js.ts", scratch) },
  "pytorch": {
    start: (name) => startTorch(name, "torch_dcgan.py", pythons),
    generates: true,
  },
};
const report = (text: string) => console.error(text);
const scratch = await Deno.makeTempDir({ prefix: "dcgan-peers-" });
try {
  const result = await run();
  if (json) await Deno.writeTextFile(json, JSON.stringify(result, null, 2) + "\n");
} finally {
  await Deno.remove(scratch, { recursive: true });
}

async function run() {
  const { images, data } = await loadImages();
  await using contestants = new AsyncDisposableStack();
  const ours = contestants.use(startDeno("ours", "ours.ts", scratch));
  const about: Record<string, string> = { ours: (await ours.ask({ call: "describe" })).text! };
  const reference = await makeReference(ours, images, scratch);
  const peers: Contestant[] = [];
  const verdicts: Verdict[] = [];
  for (const name of wanted) {
    const { start, generates: wanted = false } = PEERS[name];
    const peer = await start(name);
    if (!peer) {
      about[name] = `skipped: none of ${pythons.join(", ")} has PyTorch`;
      continue;
    }
    contestants.use(peer);
    const verdict = await check(peer, reference, { images: wanted, scratch });
    verdicts.push(verdict);
    about[name] = verdict.about;
    report(`${name}: ${verdict.text}`);
    if (verdict.ok) peers.push(peer);
  }
  const rows = [
    ...await raceTraining(ours, peers, images),
    ...await raceGeneration(ours, peers.filter(({ name }) => PEERS[name].generates)),
  ];

  for (const [name, text] of Object.entries(about)) console.log(`${name.padEnd(8)} ${text}`);
  console.log(`images ${data}\n`);
  for (const { name, text } of verdicts) console.log(`check    ${name}: ${text}`);
  console.log(`\n${table(rows)}`);
  return { about, data, check: verdicts, rows };
}

async function loadImages() {
  const bytes = Math.max(batch, 4) * 784; // the check takes four
  if (data) {
    const { images, source } = await loadMNIST({ dir: data });
    if (images.length < bytes) throw new RangeError(`--data has fewer than ${batch} images`);
    return { images: images.subarray(0, bytes), data: source };
  }
  return { images: syntheticDataset(Math.max(batch, 4)).images, data: "synthetic bytes" };
}

async function raceTraining(
  ours: Contestant,
  peers: Contestant[],
  images: Uint8Array,
): Promise<Row[]> {
  const files = { weights: `${scratch}/weights.safetensors`, images: `${scratch}/images` };
  await ours.ask({ call: "initialWeights", disturbed: false, to: files.weights });
  await Deno.writeFile(files.images, images.subarray(0, batch * 784));
  const prepare = { call: "prepare", ...files, batch, dropout: 0.3, exact: false } as const;
  const task = {
    what: "training step",
    batch,
    prepare,
    request: { call: "step" },
    rounds,
  } as const;
  return await race(ours, peers, task, report);
}

/**
 * One call that is waited for has a wait of some 10 ms in Deno, whatever it computes; many calls
 * with one wait at their end show what the device does.
 */
async function raceGeneration(ours: Contestant, peers: Contestant[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [size, many] of [[256, 10], [16, 50]]) {
    const noise = `${scratch}/noise${size}`;
    await writeFloats(noise, seedNoise(size, 100, 0));
    const timeCalls = async (what: string, runs: number, least: number) => {
      const request = { call: "generate", noise, batch: size, runs } as const;
      const task = { what, batch: size, request, runs, rounds: Math.max(rounds, least) };
      rows.push(...await race(ours, peers, task, report));
    };
    await timeCalls("generation, each waited for", 1, 10);
    await timeCalls("generation, one wait for many", many, 3);
  }
  return rows;
}
