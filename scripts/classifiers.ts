/**
 * Trains the classifiers that ship with the library, whose features MNIST's and Fashion-MNIST's images
 * are compared in, and writes each as a module with the bytes of a safetensors file.
 *
 *   deno run -A --lock=src/cli/deno.lock --frozen scripts/classifiers.ts [NAME=DIR]...
 *
 * NAME is mnist or fashion-mnist; DIR has the IDX files. The same seed gives the same bits on the same
 * adapter.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { Gpu, loadMNIST } from "../mod.ts";
import { encodeBase64 } from "../src/formats/base64.ts";
import { trainClassifier } from "../src/metrics/train_classifier.ts";

const NAMES: Readonly<Record<string, { name: string; epochs: number }>> = {
  "mnist": { name: "MNIST", epochs: 6 },
  "fashion-mnist": { name: "Fashion-MNIST", epochs: 12 },
};

using gpu = await Gpu.request();
for (const [file, dir] of Deno.args.map((arg) => arg.split("="))) {
  const { name, epochs } = NAMES[file];
  const [train, test] = await Promise.all(
    (["train", "test"] as const).map((split) => loadMNIST({ dir, split })),
  );
  const begun = performance.now();
  using classifier = await trainClassifier(gpu, train, {
    name,
    test,
    steps: Math.ceil(epochs * train.count / 128),
    onProgress: ({ step, steps, loss }) =>
      console.log(`${name}  step ${step}/${steps}  loss ${loss.toFixed(4)}`),
  });
  const bytes = await classifier.toBytes();
  const path = fileURLToPath(new URL(`../src/metrics/classifiers/${file}.ts`, import.meta.url));
  await Deno.writeTextFile(path, `export default "${encodeBase64(bytes)}";\n`);
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  console.log(path, `${bytes.length} bytes`, classifier.name, `${seconds} s`);
}
