/** TensorFlow.js models that a stranger made: each is refused with its reason. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { CheckpointError } from "../../mod.ts";
import { readTfjsModel } from "../../src/files/model_files.ts";
import { errorOf } from "../support/errors.ts";
import { withFiles } from "../support/folder.ts";

const LAYER = { class_name: "Dense", config: { name: "dense" } };
const WEIGHT = { name: "w", shape: [100], dtype: "float32" };

/** A model with one layer, and no weight in its shard of 400 bytes; with other parts. */
const model = ({ layers = [LAYER], paths = ["a.bin"], weights = [] }: {
  readonly layers?: unknown;
  readonly paths?: unknown;
  readonly weights?: unknown;
}) => ({
  modelTopology: { class_name: "Sequential", config: { layers } },
  weightsManifest: [{ paths, weights }],
});
const weight = (change: object) => model({ weights: [{ ...WEIGHT, ...change }] });
const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}.bin`);

type Refused = readonly [reason: RegExp, content: unknown];

/** What is refused, in a short sentence that names the model and the reason. */
const REFUSED: Readonly<Record<string, readonly Refused[]>> = {
  "a shard that is named often does not grow": [
    [
      /named twice/,
      model({ paths: ["a.bin", "a.bin", "a.bin"], weights: [{ ...WEIGHT, shape: [300] }] }),
    ],
  ],
  "names of shards lead nowhere else": [
    ...["../a.bin", "sub/../../outside.bin", "..\\outside.bin", "/etc/passwd", "C:outside.bin"],
    ...["C:\\x", "x:y", "http://127.0.0.1/outside.bin", "..", ".", "", "a\0b", 3, null],
  ].map((path): Refused => [
    /its shard .* is not the plain name of a file beside it/,
    model({ paths: [path] }),
  ]),
  "shards are there, files, and as long as they should be": [
    [/its shard folder.bin is not a file/, model({ paths: ["folder.bin"] })],
    [/shard 0\.bin cannot be opened/, model({ paths: ["a.bin", ...names(9)] })],
    [
      /a.bin \(400 bytes\), b.bin \(8 bytes\) hold 408 bytes, its weights need 400/,
      model({ paths: ["a.bin", "b.bin"], weights: [WEIGHT] }),
    ],
    [/weights need \d+/, weight({ shape: [2 ** 30, 210] })],
  ],
  "more layers, weights and shards than any have are refused": [
    [/1001 layers, at most 1000/, model({ layers: new Array(1001).fill(LAYER) })],
    [/4001 weights, at most 4000/, model({ weights: new Array(4001).fill(WEIGHT) })],
    [/1001 shards, at most 1000/, model({ paths: names(1001) })],
    [/1001 shards, at most 1000/, {
      ...model({}),
      weightsManifest: [
        { paths: ["a.bin"], weights: [WEIGHT] },
        { paths: names(1000), weights: [] },
      ],
    }],
  ],
  "weights are of float32, with a name and a shape": [
    [/"w" is quantized, float32 is supported/, weight({ quantization: { scale: 0.1 } })],
    [/"w" is "int32", float32/, weight({ dtype: "int32" })],
    [/"w" has no valid shape/, weight({ shape: [-7, 210] })],
    [/"w" has no valid shape/, weight({ shape: [2 ** 40, 2 ** 40] })],
    [/a weight of its manifest has no name/, weight({ name: undefined })],
  ],
  "other kinds of files are refused": [
    [/is a "graph-model", layers models/, { ...model({}), format: "graph-model" }],
    [/no modelTopology/, { ...model({}), modelTopology: undefined }],
    [/no modelTopology: it is another kind of file/, { format: 1 }], // Such as run.json.
    [/its model is "Model", Sequential/, { modelTopology: { class_name: "Model" } }],
    [/no list of layers/, { modelTopology: { class_name: "Sequential", config: {} } }],
    [/its layer 0 has no class_name/, model({ layers: [1] })],
    [/has no weightsManifest/, { ...model({}), weightsManifest: undefined }],
    [/has no paths and weights/, { ...model({}), weightsManifest: [{ weights: [] }] }],
    [/JSON/, JSON.stringify(model({})).slice(0, 40)],
    [/not a JSON object/, "[]"],
    [/levels deep/, `{"format":${"[".repeat(1e5)}`],
  ],
  "only a list is taken for one": [
    { toString: 1, valueOf: 1 },
    { length: { toString: 1, valueOf: 1 } },
    { length: 1, 0: "a.bin" },
    ...["a.bin", -1],
  ].flatMap((list): Refused[] => [
    [/no paths and weights/, model({ weights: list })],
    [/no paths and weights/, model({ paths: list })],
    [/no list of layers/, model({ layers: list })],
    [/no weightsManifest/, { ...model({}), weightsManifest: list }],
    [/no paths and weights/, { ...model({}), weightsManifest: [list] }],
    [/no valid shape/, weight({ shape: list })],
    [/no valid shape/, weight({ shape: [list] })],
  ]),
};

const SHARDS = { "a.bin": new Uint8Array(400), "b.bin": new Uint8Array(8), "folder.bin/x": "" };

for (const [name, cases] of Object.entries(REFUSED)) {
  Deno.test(`tfjs models: ${name}`, async () => {
    for (const [reason, content] of cases) {
      const text = typeof content === "string" ? content : JSON.stringify(content);
      await withFiles({ ...SHARDS, "model.json": text }, async (dir) => {
        const path = join(dir, "model.json");
        const refused = errorOf(CheckpointError, path, reason, /^[^]{0,1500}$/);
        await assert.rejects(readTfjsModel(path), refused);
      });
    }
  });
}
