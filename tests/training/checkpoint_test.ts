/** Checkpoint files that are damaged or that a stranger made: each is refused by name and reason. */

import assert from "node:assert/strict";
import { CheckpointError } from "../../mod.ts";
import type { SafeTensor } from "../../src/formats/safetensors.ts";
import { decodeCheckpoint, requireState } from "../../src/training/checkpoint.ts";
import { type Position, requirePosition } from "../../src/training/position.ts";
import { headerOf, safetensors } from "../support/fuzz/models.ts";

const position = { epoch: 1, at: 0, steps: 0, sums: { steps: 0, generator: 0, discriminator: 0 } };
const good = {
  format: "1",
  configuration: '{"seed":1}',
  position: JSON.stringify({ ...position, history: [] }),
};

function refusedCheckpoint(metadata: object, reason: RegExp): void {
  const path = "ckpt-0001.safetensors";
  const { header } = headerOf([], { ...good, ...metadata });
  const bytes = safetensors(JSON.stringify(header), new Uint8Array());
  const read = () => requirePosition(decodeCheckpoint<Position>(bytes, path).position, 9, path);
  assert.throws(read, (error: Error) => {
    assert.ok(error instanceof CheckpointError, error.stack);
    assert.ok(error.message.includes(path) && error.message.length < 1000, error.message);
    assert.match(error.message, reason);
    return true;
  });
}

Deno.test("checkpoints: metadata of another kind are refused", () => {
  refusedCheckpoint({ configuration: "null" }, /configuration in .* is null/);
  refusedCheckpoint({ configuration: "[1]" }, /configuration in .* is \[1\]/);
  refusedCheckpoint({ position: "null" }, /its epoch is undefined/);
  refusedCheckpoint({ position: "[".repeat(1e5) }, /levels deep/);
  for (const format of ["", "0", "-1", "1.5", "NaN", "1e0", "2"]) {
    refusedCheckpoint({ format }, /checkpoint format/);
  }
});

Deno.test("checkpoints: a distance that is no number is not taken for 0, the best", () => {
  for (const distance of ["", " ", "abc"]) refusedCheckpoint({ distance }, /distance in/);
});

Deno.test("checkpoints: an epoch of the history has all that one has", () => {
  const epoch = { epoch: 1, step: 7, steps: 7, generatorLoss: 1, discriminatorLoss: 1, seconds: 1 };
  for (const wrong of [{ step: "7" }, { steps: -1 }, { seconds: "x" }, { distance: "x" }]) {
    const history = [{ ...epoch, ...wrong }];
    refusedCheckpoint({ position: JSON.stringify({ ...position, history }) }, /history is/);
  }
});

Deno.test("checkpoints: names and shapes are shown short, and without commands to a terminal", () => {
  const state = new Map([["random", { shape: [2], dtype: "u32" as const }]]);
  const random = { dtype: "U32", shape: [2], data: new Uint32Array(2) } as const;
  const says = (tensors: Map<string, SafeTensor>, reason: RegExp) =>
    assert.throws(() => requireState(tensors, state, "a.safetensors"), (error: Error) => {
      assert.ok(error instanceof CheckpointError, error.stack);
      assert.match(error.message, reason);
      assert.ok(error.message.length < 500, error.message.slice(0, 1000));
      return true;
    });
  requireState(new Map([["random", random]]), state, "a.safetensors");
  says(new Map(), /^a\.safetensors has no tensor random: /);
  const shape = [...new Array(300_000).fill(1), 2];
  says(new Map([["random", { ...random, shape }]]), /^In a\.safetensors, random is U32 \[1, 1,/);
  const name = "\u001b[31mred";
  const unknown = new Map([["random", random], [name, random]]);
  says(unknown, /^a\.safetensors has an unknown tensor \\u001b\[31mred: /);
});

Deno.test("checkpoints: a negative variance is refused, a negative mean is not", () => {
  const names = ["generator/batch_normalization/moving_mean", "generator/n/moving_variance"];
  const state = new Map(names.map((name) => [name, { shape: [2], dtype: "f32" as const }]));
  const check = (mean: number, variance: number) =>
    requireState(
      new Map([mean, variance].map((value, i) =>
        [names[i], { dtype: "F32", shape: [2], data: Float32Array.of(0, value) }] as const
      )),
      state,
      "a.safetensors",
    );
  check(-1, 1);
  assert.throws(() => check(-1, -0.5), {
    name: "CheckpointError",
    message: "In a.safetensors, generator/n/moving_variance [2] holds -0.5 at 1: " +
      "a variance is at least 0. Use another checkpoint",
  });
});
