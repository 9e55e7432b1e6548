/** Valid files of weights and checkpoints, to be damaged. */

import fc from "npm:fast-check@4.10.2";
import type { Architecture } from "../../../src/model/architecture.ts";
import { generatorArchitecture } from "../../../src/model/generator.ts";
import { concat, utf8, word } from "./bytes.ts";
import { damagedJson, type Json, pretenders } from "./json.ts";
import { CONFIGURATION } from "./readers.ts";

export function safetensors(header: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = utf8(header);
  return concat(word(text.length).reverse(), new Uint8Array(4), text, data);
}

interface Spec {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** The header of tensors one after another, and how many bytes they have. */
export function headerOf(specs: readonly Spec[], metadata?: Json): { header: Json; size: number } {
  let size = 0;
  const entries = specs.map(({ name, dtype, shape }) => {
    const begin = size;
    size += shape.reduce((a, b) => a * b, 4);
    return [name, { dtype, shape, data_offsets: [begin, size] }];
  });
  const header = Object.fromEntries(entries);
  return { header: metadata ? { __metadata__: metadata, ...header } : header, size };
}

const name = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom("__proto__", "constructor", "1", "0", "\ud800", "a/b", "generator/x"),
);

const spec: fc.Arbitrary<Spec> = fc.record({
  name,
  dtype: fc.constantFrom("F32", "U32"),
  shape: fc.array(fc.nat(4), { maxLength: 4 }),
});

/** A header and its data, of which the header may be damaged; sometimes with one byte too many. */
function headed(content: fc.Arbitrary<{ header: Json; size: number }>, most = 2) {
  return content.chain(({ header, size }) =>
    fc.tuple(damagedJson(fc.constant(header), most), fc.constantFrom(0, 0, 0, 0, 0, 1, -1))
      .map(([text, more]) => safetensors(text, new Uint8Array(Math.max(0, size + more)).fill(63)))
  );
}

export const tensorFiles = headed(
  fc.tuple(
    fc.uniqueArray(spec, { maxLength: 5, selector: ({ name }) => name }),
    fc.option(fc.dictionary(name, fc.string({ maxLength: 5 })), { nil: undefined }),
  ).map(([specs, metadata]) => headerOf(specs, metadata)),
);

/** Tensors of the right length at any place. */
export const placedTensors = fc.tuple(
  fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.nat(4)), { minLength: 1, maxLength: 3 }),
  fc.nat(5),
).map(([places, words]) => {
  const entries = places.map(([begin, size], i) => [
    `t${i}`,
    { dtype: "F32", shape: [size], data_offsets: [4 * begin, 4 * (begin + size)] },
  ]);
  const header = JSON.stringify(Object.fromEntries(entries));
  return safetensors(header, new Uint8Array(4 * words));
});

const POSITION = {
  epoch: 3,
  at: 48,
  steps: 17,
  sums: { steps: 3, generator: 2.5, discriminator: "NaN" },
  history: [1, 2].map((epoch) => {
    const losses = { generatorLoss: 0.7, discriminatorLoss: "Infinity" };
    return { epoch, step: 7 * epoch, steps: 7, ...losses, seconds: 1.5, frechetDistance: 0.1 };
  }),
};

/** The state of a run without networks, most often; or tensors that no run has. */
const state: fc.Arbitrary<readonly Spec[]> = fc.oneof(
  { weight: 8, arbitrary: fc.constant([{ name: "random", dtype: "U32", shape: [2] }]) },
  fc.constantFrom("\u001b[31mred", "long ".repeat(20_000)).map((name) => [
    { name: "random", dtype: "U32", shape: [2] },
    { name, dtype: "F32", shape: [1] },
  ]),
  fc.constantFrom(0, 3, 3000).map((ones) => [
    { name: "random", dtype: "U32", shape: [...new Array(ones).fill(1), 2, 1] },
  ]),
);

/** Files of a run, with damage in the JSON of their metadata. */
export const checkpoints: fc.Arbitrary<Uint8Array> = fc.record({
  format: fc.oneof(
    { weight: 12, arbitrary: fc.constant("1") },
    fc.constantFrom("", "2", "0", "-1", "NaN", "1e0", " 1", "0x1"),
  ),
  version: fc.constantFrom("0.1.0", ""),
  configuration: damagedJson(fc.constant(CONFIGURATION), 1),
  position: damagedJson(fc.constant(POSITION), 1),
  kernels: fc.constantFrom("unknown", "{}", '{"adapter":"x","tuning":null}'),
  frechetDistance: fc.constantFrom("0.5", "NaN", "", " ", "abc", "-1", "Infinity"),
}).chain((metadata) => headed(state.map((specs) => headerOf(specs, metadata)), 1));

const FACTS = {
  ...{ dataset: "MNIST", image: [28, 28, 1], classes: 10, accuracy: 0.99 },
  ...{ images: ["00ff"], made: "by hand" },
};

/** Files of a classifier, with damage in the JSON of their metadata. */
export const classifiers: fc.Arbitrary<Uint8Array> = damagedJson(fc.constant(FACTS), 1).chain(
  (classifier) => headed(fc.constant(headerOf([], { classifier })), 1),
);

const SIZES = { noiseDim: 3, widths: [4, 2, 3], channels: 1, height: 4, width: 8 } as const;

const specsOf = ({ layers }: Architecture): Spec[] =>
  layers.flatMap(({ name: of, layer }) =>
    layer.weights.map(({ name, shape }) => ({ name: `${of}/${name}`, dtype: "F32", shape }))
  );
const generator = generatorArchitecture(SIZES);
const weights: readonly Spec[] = specsOf(generator);
const conditional = specsOf(
  generatorArchitecture({ ...SIZES, widths: [4, 2], classes: 2, normalization: "none" }),
);

/** The weights, of which one may have another shape or type. */
const otherWeights = fc.tuple(
  fc.constantFrom(weights, conditional),
  fc.nat(3 * weights.length),
  fc.constantFrom("F32", "F32", "U32"),
  fc.array(fc.nat(5), { maxLength: 5 }),
).map(([weights, at, dtype, shape]) =>
  weights.map((spec, i) => i === at ? { ...spec, dtype, shape } : spec)
);

/** Safetensors files of a generator, alone or beside a run's. */
export const generators: fc.Arbitrary<Uint8Array> = headed(fc.oneof(
  otherWeights.map((weights) => headerOf(weights, { image: "[4, 8, 1]" })),
  otherWeights.map((weights) => {
    const ofRun = weights.map((spec) => ({ ...spec, name: `generator/${spec.name}` }));
    return headerOf(ofRun, { configuration: JSON.stringify({ dataset: [100, 4, 8, 1] }) });
  }),
));

const MODEL = {
  format: "layers-model",
  modelTopology: {
    class_name: "Sequential",
    config: {
      layers: generator.layers.map(({ name, layer }) => ({
        class_name: layer.type,
        config: { name, ...layer.config },
      })),
    },
  },
  weightsManifest: [{
    paths: ["a.bin", "b.bin"],
    weights: weights.map(({ name, shape }) => ({ name, shape, dtype: "float32" })),
  }],
};

const total = headerOf(weights).size;

/** Models whose shards are named often, or lie elsewhere, and are as long as they should be. */
export const elsewhere = fc.tuple(
  fc.constantFrom("a.bin", "./a.bin", "../outside.bin", "sub/../a.bin"),
  fc.integer({ min: 1, max: 200 }),
  fc.boolean(),
).map(([path, times, inGroups]) => {
  const weight = (n: number) => ({ name: "w", shape: [n], dtype: "float32" });
  const weightsManifest = inGroups
    ? Array.from({ length: times }, () => ({ paths: [path], weights: [weight(100)] }))
    : [{ paths: new Array(times).fill(path), weights: [weight(100 * times)] }];
  return {
    "model.json": utf8(JSON.stringify({ ...MODEL, weightsManifest })),
    "a.bin": new Uint8Array(400),
  };
});

/** Models in which one value is an object that may be taken for what should be there. */
export const pretending = fc.tuple(
  fc.constantFrom(
    ...["format", "modelTopology", "class_name", "config", "layers", "name", "target_shape"],
    ...["weightsManifest", "paths", "weights", "shape", "dtype"],
  ),
  fc.nat(3),
  fc.constantFrom(...pretenders),
).map(([key, skipped, value]) => {
  let at = -skipped;
  const replace = (name: string, old: Json) => name === key && at++ >= 0 ? value : old;
  return {
    "model.json": utf8(JSON.stringify(MODEL, replace)),
    "a.bin": new Uint8Array(total),
    "b.bin": new Uint8Array(),
  };
});

export const tfjsModels = fc.tuple(
  damagedJson(fc.constant<Json>(MODEL)),
  fc.nat(total),
  fc.constantFrom(0, 0, 0, 0, 1, -1),
).map(([text, cut, more]) => ({
  "model.json": utf8(text),
  "a.bin": new Uint8Array(cut).fill(63),
  "b.bin": new Uint8Array(Math.max(0, total - cut + more)).fill(63),
}));
