/**
 * Files with JSON in them, whole and damaged: headers of safetensors files, checkpoints, tfjs models,
 * logs, records and caches.
 */

import fc from "npm:fast-check@4.10.2";
import { damaged, utf8 } from "../support/fuzz/bytes.ts";
import { damagedJson } from "../support/fuzz/json.ts";
import {
  checkpoints,
  elsewhere,
  generators,
  placedTensors,
  pretending,
  tensorFiles,
  tfjsModels,
} from "../support/fuzz/models.ts";
import { CONFIGURATION, IDENTITY } from "../support/fuzz/readers.ts";
import { Victim } from "../support/fuzz/victim.ts";

const victim = new Victim();
Deno.test.afterAll(() => victim[Symbol.dispose]());

/** What these make is at most so many times the files, and nothing beyond. */
const times = (factor: number, constant = 0) => (bytes: number) => factor * bytes + constant;

Deno.test("fuzz: safetensors files", async () => {
  const files = fc.oneof(tensorFiles, placedTensors, damaged(tensorFiles));
  const promises = { errors: ["CheckpointError"], allowed: times(1) }; // the values
  await victim.holds("safetensors", files.map((file) => ({ file })), promises, 4000);
});

Deno.test("fuzz: checkpoints", async () => {
  const files = fc.oneof(checkpoints, checkpoints, checkpoints, damaged(checkpoints));
  const promises = { errors: ["CheckpointError"], allowed: times(1) };
  await victim.holds(
    "checkpoint",
    files.map((file) => ({ "ckpt-0001.safetensors": file })),
    promises,
    3000,
  );
});

Deno.test("fuzz: generators in safetensors files", async () => {
  const files = fc.oneof(generators, damaged(generators));
  const promises = { errors: ["CheckpointError"], allowed: times(1) };
  await victim.holds(
    "weights",
    files.map((file) => ({ "generator.safetensors": file })),
    promises,
    1500,
  );
});

Deno.test("fuzz: tfjs models", async () => {
  // All weights of a group side by side, a shard, and the values.
  const promises = { errors: ["CheckpointError"], allowed: times(3) };
  const files = fc.oneof(
    { weight: 9, arbitrary: tfjsModels },
    { weight: 1, arbitrary: elsewhere },
    { weight: 1, arbitrary: pretending },
  );
  await victim.holds("weights", files, promises, 3000);
});

const time = "2026-11-24T14:40:00.000Z";
const losses = { generatorLoss: 0.69, discriminatorLoss: "NaN" };

/** Lines of a log, in order or nearly so. */
const log = fc.array(
  fc.tuple(fc.constantFrom(1, 1, 1, 1, 1, 0, -1), fc.nat(9)),
  { maxLength: 6 },
).chain((moves) => {
  let step = 0;
  const lines = moves.map(([move, kind]) => {
    step += kind === 0 ? 0 : move;
    const row = kind === 0
      ? { type: "epoch", time, step, epoch: 1, steps: step, ...losses, seconds: 1 }
      : { type: "step", time, step, epoch: 1, images: step, ...losses };
    return damagedJson(fc.constant(row), kind === 9 ? 1 : 0);
  });
  return fc.tuple(...lines).map((all) => utf8(all.map((line) => line + "\n").join("")));
});

Deno.test("fuzz: metrics logs", async () => {
  const files = fc.oneof(log, damaged(log)).map((file) => ({ "metrics.jsonl": file }));
  // A buffer of 64 KiB, and each line at most twice.
  const promises = { errors: ["DataError"], allowed: times(2, 65_536) };
  await victim.holds("metrics", files, promises, 2000);
});

const session = {
  started: time,
  fromStep: 0,
  command: ["train"],
  versions: { library: "0.1.0", deno: "2", v8: "1", typescript: "5" },
  revision: null,
  os: "linux",
  arch: "x86_64",
  adapter: { description: "x" },
  kernels: {},
};
const record = { format: 1, configuration: CONFIGURATION, seed: 1, sessions: [session, session] };

Deno.test("fuzz: records of runs", async () => {
  const text = damagedJson(fc.constant(record)).map(utf8);
  const files = fc.oneof(text, text, damaged(text)).map((file) => ({ "run.json": file }));
  // It throws nothing: a record that cannot be read is as if there were none.
  await victim.holds("run", files, { errors: [], allowed: times(0) }, 800);
});

const rows = [1, 2].map((i) => ({
  key: `conv2d ${i}`,
  flops: 1e9,
  choice: "texture",
  milliseconds: { texture: 1, winograd: 2 },
}));

Deno.test("fuzz: caches of kernels", async () => {
  const text = damagedJson(fc.constant({ identity: IDENTITY, rows })).map(utf8);
  const files = fc.oneof(text, damaged(text)).map((file) => ({ file }));
  await victim.holds("kernels", files, { errors: [], allowed: times(0) }, 2000);
});
