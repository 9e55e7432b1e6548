/** Whether a tfjs file computes what a network here does: with tfjs' own defaults, and Keras 3's names. */

import assert from "node:assert/strict";
import { type LayerFactory, layers } from "../../mod.ts";
import { architecture } from "../../src/model/architecture.ts";
import { requireSameModel } from "../../src/model/topology.ts";
import { layers as tfLayers, type Sequential, sequential } from "../support/tfjs.ts";

type Config = Record<string, unknown>;
type Case = readonly [
  inputShape: number[],
  ours: LayerFactory,
  theirs: Sequential["layers"][number],
  required: readonly string[],
];

/** Layers here and in tfjs, all settings at their defaults but those that a file must have. */
const CASES: Readonly<Record<string, Case>> = {
  dense: [[6], layers.dense(2), tfLayers.dense({ units: 2 }), ["units"]],
  conv2d: [
    [5, 4, 3],
    layers.conv2D(2, { kernelSize: 3 }),
    tfLayers.conv2d({ filters: 2, kernelSize: 3 }),
    ["filters", "kernel_size"],
  ],
  conv2dTranspose: [
    [5, 4, 3],
    layers.conv2DTranspose(2, { kernelSize: 3 }),
    tfLayers.conv2dTranspose({ filters: 2, kernelSize: 3 }),
    ["filters", "kernel_size"],
  ],
  batchNormalization: [[5, 4, 3], layers.batchNormalization(), tfLayers.batchNormalization(), []],
  leakyReLU: [[6], layers.leakyReLU(), tfLayers.leakyReLU(), []],
  reLU: [[6], layers.relu(), tfLayers.reLU(), []],
};

/** Refuses a file whose one layer has this type and these settings. */
function requireLayer([inputShape, ours]: Case, type: string, config: Config): void {
  const file = { path: "model.json", called: (name: string) => name, tensors: new Map() };
  const layer = { type, name: "layer", config };
  requireSameModel({ ...file, layers: [layer] }, architecture("model", inputShape, [ours]));
}

/** A layer of a tfjs model, as tfjs writes it. */
function written([inputShape, , theirs]: Case): { class_name: string; config: Config } {
  const model = sequential({ layers: [tfLayers.inputLayer({ inputShape }), theirs] });
  // deno-lint-ignore no-explicit-any
  return (model.toJSON(null, false) as any).config.layers[1];
}

for (const [name, test] of Object.entries(CASES)) {
  Deno.test(`topology: tfjs' defaults are ours, written or left out: ${name}`, () => {
    const { class_name: type, config } = written(test);
    requireLayer(test, type, config);
    for (const key of Object.keys(config).filter((key) => !test[3].includes(key))) {
      const { [key]: _, ...rest } = config;
      requireLayer(test, type, rest);
    }
  });
}

Deno.test("topology: a LeakyReLU has the slope of tfjs or Keras 3, 0.3 if it has none", () => {
  const slopeOf = (config: Config) => () => requireLayer(CASES.leakyReLU, "LeakyReLU", config);
  for (const config of [{}, { alpha: 0.3 }, { negative_slope: 0.3 }]) slopeOf(config)();
  for (const config of [{ alpha: 0.6 }, { negative_slope: 0.2 }]) {
    assert.throws(slopeOf(config), /has alpha 0\.[26], this network 0\.3/);
  }
});
