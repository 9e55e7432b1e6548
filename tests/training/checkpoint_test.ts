/** Checkpoint files that are damaged or that a stranger made: each is refused by name and reason. */

import assert from "node:assert/strict";
import { CheckpointError } from "../../mod.ts";
import type { SafeTensor } from "../../src/formats/safetensors.ts";
import { decodeCheckpoint, requireState } from "../../src/training/checkpoint.ts";
import { type Position, requirePosition } from "../../src/training/position.ts";
import { errorOf } from "../support/errors.ts";
import { headerOf, safetensors } from "../support/fuzz/models.ts";

const position = { epoch: 1, at: 0, steps: 0, sums: { steps: 0, generator: 0, discriminator: 0 } };
const epoch = { epoch: 1, step: 7, steps: 7, generatorLoss: 1, discriminatorLoss: 1, seconds: 1 };
const withEpoch = (change: object) =>
  JSON.stringify({ ...position, history: [{ ...epoch, ...change }] });
const good = { format: "1", configuration: '{"seed":1}', position: withEpoch({}) };

const refusals: [metadata: object, reason: RegExp][] = [
  [{ configuration: "null" }, /configuration in .* is null/],
  [{ configuration: "[1]" }, /configuration in .* is \[1\]/],
  [{ position: "null" }, /its epoch is undefined/],
  [{ position: "[".repeat(1e5) }, /levels deep/],
  ...["", "0", "-1", "1.5", "NaN", "1e0", "2"].map((
    format,
  ): [object, RegExp] => [{ format }, /checkpoint format/]),
  // A distance that is no number must not be taken for 0, the best.
  ...["", " ", "abc"].map((
    frechetDistance,
  ): [object, RegExp] => [{ frechetDistance }, /Fréchet distance in/]),
  ...[{ step: "7" }, { steps: -1 }, { seconds: "x" }, { distance: "x" }, { recall: "x" }].map(
    (change): [object, RegExp] => [{ position: withEpoch(change) }, /history is/],
  ),
];

Deno.test("checkpoints: metadata of another kind are refused", () => {
  const path = "ckpt-0001.safetensors";
  for (const [metadata, reason] of refusals) {
    const { header } = headerOf([], { ...good, ...metadata });
    const bytes = safetensors(JSON.stringify(header), new Uint8Array());
    const read = () => requirePosition(decodeCheckpoint<Position>(bytes, path).position, 9, path);
    assert.throws(read, errorOf(CheckpointError, path, reason, /^[^]{1,999}$/));
  }
});

/** Checks tensors against a state of U32 or F32 pairs. */
function check(
  names: readonly string[],
  dtype: "u32" | "f32",
  tensors: Iterable<readonly [string, SafeTensor]>,
): void {
  const state = new Map(names.map((name) => [name, { shape: [2], dtype }]));
  requireState(new Map(tensors), state, "a.safetensors");
}

Deno.test("checkpoints: names and shapes are shown short, and without commands to a terminal", () => {
  const random = { dtype: "U32", shape: [2], data: new Uint32Array(2) } as const;
  const refused = (tensors: Record<string, SafeTensor>, reason: RegExp) =>
    assert.throws(
      () => check(["random"], "u32", Object.entries(tensors)),
      errorOf(CheckpointError, reason, /^[^]{1,499}$/),
    );
  check(["random"], "u32", [["random", random]]);
  refused({}, /^a\.safetensors has no tensor random: /);
  const shape = [...new Array(300_000).fill(1), 2];
  refused({ random: { ...random, shape } }, /^In a\.safetensors, random is U32 \[1, 1,/);
  const unknown = { random, "\u001b[31mred": random };
  refused(unknown, /^a\.safetensors has an unknown tensor \\u001b\[31mred: /);
});

Deno.test("checkpoints: a negative variance is refused, a negative mean is not", () => {
  const names = ["generator/batch_normalization/moving_mean", "generator/n/moving_variance"];
  const checkPair = (mean: number, variance: number) => {
    const data = [mean, variance].map((value) => Float32Array.of(0, value));
    check(
      names,
      "f32",
      names.map((name, i) => [name, { dtype: "F32", shape: [2], data: data[i] }]),
    );
  };
  checkPair(-1, 1);
  assert.throws(() => checkPair(-1, -0.5), {
    name: "CheckpointError",
    message: "In a.safetensors, generator/n/moving_variance [2] holds -0.5 at 1: " +
      "a variance is at least 0. Use another checkpoint",
  });
});
