/** TensorFlow.js models that a stranger made: each is refused with its reason. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError } from "../../mod.ts";
import { readTfjsModel } from "../../src/files/model_files.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put } from "../support/folder.ts";

const layer = { class_name: "Dense", config: { name: "dense" } };
const model = (change: { layers?: unknown; paths?: unknown; weights?: unknown }) => ({
  modelTopology: { class_name: "Sequential", config: { layers: change.layers ?? [layer] } },
  weightsManifest: [{ paths: change.paths ?? ["a.bin"], weights: change.weights ?? [] }],
});

/** Expects that a model is refused in a short sentence that names it and the reason. */
const refusedModel = (content: unknown, reason: RegExp) =>
  inFolder(async (dir) => {
    const path = join(dir, "model.json");
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await put(dir, { "model.json": text, "a.bin": new Uint8Array(400) });
    await assert.rejects(
      readTfjsModel(path),
      errorOf(CheckpointError, path, reason, /^[^]{0,1500}$/),
    );
  });

Deno.test("tfjs models: a shard that is named often does not grow", async () => {
  const weights = [{ name: "w", shape: [300], dtype: "float32" }];
  await refusedModel(model({ paths: ["a.bin", "a.bin", "a.bin"], weights }), /named twice/);
});

Deno.test("tfjs models: names of shards lead nowhere else", async () => {
  for (const path of ["../a.bin", "/etc/passwd", "..", "", "C:\\x", "x:y", "a\u0000", 3, null]) {
    await refusedModel(model({ paths: [path] }), /not the plain name/);
  }
});

Deno.test("tfjs models: more layers and weights than any have are refused", async () => {
  await refusedModel(model({ layers: new Array(1001).fill(layer) }), /1001 layers, at most 1000/);
  const weights = new Array(4001).fill({ name: "w", shape: [0], dtype: "float32" });
  await refusedModel(model({ weights }), /4001 weights, at most 4000/);
});

Deno.test("tfjs models: what is nested too deep is refused", async () => {
  await refusedModel(`{"format":${"[".repeat(1e5)}`, /levels deep/);
});

Deno.test("tfjs models: more shards than any has are refused, and the first missing one is", async () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}.bin`);
  await refusedModel(model({ paths: names(1001) }), /1001 shards, at most 1000/);
  const groups = [0, 1].map((i) => ({
    paths: i ? names(1000) : ["a.bin"],
    weights: i ? [] : [{ name: "w", shape: [100], dtype: "float32" }],
  }));
  await refusedModel({ ...model({}), weightsManifest: groups }, /1001 shards, at most 1000/);
  await refusedModel(model({ paths: ["a.bin", ...names(9)] }), /shard 0\.bin cannot be opened/);
});

Deno.test("tfjs models: only a list is taken for one", async () => {
  const bad = { toString: 1, valueOf: 1 };
  for (const list of [bad, { length: bad }, { length: 1, 0: "a.bin" }, "a.bin", -1]) {
    await refusedModel(model({ weights: list }), /no paths and weights/);
    await refusedModel(model({ paths: list }), /no paths and weights/);
    await refusedModel(model({ layers: list }), /no list of layers/);
    await refusedModel({ ...model({}), weightsManifest: list }, /no weightsManifest/);
    await refusedModel({ ...model({}), weightsManifest: [list] }, /no paths and weights/);
    const weight = { name: "w", shape: list, dtype: "float32" };
    await refusedModel(model({ weights: [weight] }), /no valid shape/);
    await refusedModel(model({ weights: [{ ...weight, shape: [list] }] }), /no valid shape/);
  }
});
