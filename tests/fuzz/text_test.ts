/** Files with JSON in them, whole and damaged: safetensors files, tfjs models, logs, records, caches. */

import fc from "npm:fast-check@4.10.2";
import { damaged, utf8 } from "../support/fuzz/bytes.ts";
import { damagedJson } from "../support/fuzz/json.ts";
import {
  checkpoints,
  classifiers,
  elsewhere,
  generators,
  placedTensors,
  pretending,
  tensorFiles,
  tfjsModels,
} from "../support/fuzz/models.ts";
import { CONFIGURATION, IDENTITY } from "../support/fuzz/readers.ts";
import { fuzz, named } from "../support/fuzz/victim.ts";

/** What a reader throws, and the most that it makes: so many times the files, and nothing beyond. */
const promises = (error: string | undefined, times: number, constant = 0) => ({
  errors: error === undefined ? [] : [error],
  allowed: (bytes: number) => times * bytes + constant,
});
const OF_WEIGHTS = promises("CheckpointError", 1); // the values

const anyTensors = named("file", fc.oneof(tensorFiles, placedTensors, damaged(tensorFiles)));
fuzz("safetensors files", "safetensors", anyTensors, 4000, OF_WEIGHTS);

const ofRuns = fc.oneof(checkpoints, checkpoints, checkpoints, damaged(checkpoints));
fuzz("checkpoints", "checkpoint", named("ckpt-0001.safetensors", ofRuns), 3000, OF_WEIGHTS);

const ofGenerators = named("generator.safetensors", fc.oneof(generators, damaged(generators)));
fuzz("generators in safetensors files", "weights", ofGenerators, 1500, OF_WEIGHTS);

const ofClassifiers = named("file", fc.oneof(classifiers, damaged(classifiers)));
fuzz("classifiers", "classifier", ofClassifiers, 1500, OF_WEIGHTS);

const models = fc.oneof(
  { weight: 9, arbitrary: tfjsModels },
  { weight: 1, arbitrary: elsewhere },
  { weight: 1, arbitrary: pretending },
);
// All weights of a group side by side, a shard, and the values.
fuzz("tfjs models", "weights", models, 3000, promises("CheckpointError", 3));

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

// A buffer of 64 KiB, and each line at most twice.
const logs = named("metrics.jsonl", fc.oneof(log, damaged(log)));
fuzz("metrics logs", "metrics", logs, 2000, promises("DataError", 2, 65_536));

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

const text = damagedJson(fc.constant(record)).map(utf8);
const records = named("run.json", fc.oneof(text, text, damaged(text)));
// It throws nothing: a record that cannot be read is as if there were none.
fuzz("records of runs", "run", records, 800, promises(undefined, 0));

const rows = [1, 2].map((i) => ({
  key: `conv2d ${i}`,
  flops: 1e9,
  choice: "texture",
  milliseconds: { texture: 1, winograd: 2 },
}));

const cache = damagedJson(fc.constant({ identity: IDENTITY, rows })).map(utf8);
const caches = named("file", fc.oneof(cache, damaged(cache)));
fuzz("caches of kernels", "kernels", caches, 2000, promises(undefined, 0));
