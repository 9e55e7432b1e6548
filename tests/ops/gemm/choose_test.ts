/** Which kernel computes which op. */

import { equal } from "node:assert/strict";
import type { GemmUse } from "../../../src/graph/tuning.ts";
import { chooseKernel, resolveVariant } from "../../../src/ops/gemm/choose.ts";
import { geometry } from "../../../src/ops/gemm/geometry.ts";
import { MAX_ITERATIONS } from "../../../src/ops/gemm/launch.ts";

type Sizes = [large: number[], kernel: number[], strides?: number];

const sizes = ([large, kernel, strides = 1]: Sizes) =>
  geometry(large, kernel, { strides, padding: "same" });

const CHOICES: [
  variant: "texture" | "tiled" | "direct",
  kind: GemmUse["kind"],
  sizes: Sizes,
  kernel: string,
][] = [
  // Channels in fours, or else the batch.
  ["texture", "conv2d", [[5, 14, 14, 8], [5, 5, 8, 12]], "conv_texture.main"],
  ["texture", "conv2d", [[8, 14, 14, 3], [5, 5, 3, 12]], "conv_pixels.main"],
  ["texture", "conv2d", [[5, 14, 14, 3], [5, 5, 3, 12]], "conv_direct.main"],
  ["texture", "conv2d", [[8, 14, 14, 8], [5, 5, 8, 3]], "conv_direct.main"],
  ["texture", "conv2dTranspose", [[5, 14, 14, 8], [5, 5, 8, 12]], "conv_texture.main"],
  ["texture", "conv2dTranspose", [[5, 14, 14, 3], [5, 5, 3, 12]], "conv_texture.narrow"],
  ["texture", "conv2dTranspose", [[8, 14, 14, 8], [5, 5, 8, 3]], "conv_direct.main"],
  ["texture", "conv2dFilterGrad", [[5, 14, 14, 8], [5, 5, 8, 12]], "filter_grad_texture.main"],
  ["texture", "conv2dFilterGrad", [[8, 14, 14, 3], [5, 5, 3, 12]], "filter_grad_pixels.main"],
  ["texture", "conv2dFilterGrad", [[5, 14, 14, 3], [5, 5, 3, 12]], "filter_grad_direct.main"],
  // A sum of one split that is longer than one invocation may take.
  ["texture", "conv2d", [[8, 1, 1, 4], [1, 16001, 4, 4]], "conv_direct.main"],
  ["tiled", "conv2d", [[64, 14, 14, 64], [23, 23, 64, 64]], "conv_direct.main"],
  // Tiles that would be almost empty, unless all of them are little work.
  ["tiled", "conv2d", [[2, 200, 190, 1], [7, 7, 1, 1]], "conv_direct.main"],
  ["tiled", "conv2d", [[2, 200, 190, 1], [7, 7, 1, 64]], "conv_direct.main"],
  ["tiled", "conv2dTranspose", [[2, 200, 190, 1], [7, 7, 1, 8]], "conv_direct.main"],
  ["tiled", "conv2d", [[2, 20, 19, 1], [7, 7, 1, 8]], "conv_tiled.main"],
  ["tiled", "conv2d", [[2, 200, 190, 3], [7, 7, 3, 64]], "conv_tiled.main"],
  ["tiled", "conv2dTranspose", [[2, 200, 190, 16], [7, 7, 16, 64]], "conv_tiled.main"],
  ["tiled", "conv2dFilterGrad", [[2, 200, 190, 1], [7, 7, 1, 8]], "filter_grad_tiled.main"],
  ["direct", "conv2dFilterGrad", [[8, 14, 14, 8], [5, 5, 8, 8]], "filter_grad_direct.main"],
];

const none = undefined as never; // tensors that a choice does not look at

for (const [variant, kind, of, expected] of CHOICES) {
  Deno.test(`${variant} ${kind} of ${of.map((n) => `[${n}]`).join(" ")}: ${expected}`, () => {
    const gemm = { kind, geometry: sizes(of), x: none, w: none, y: none };
    const { kernel, entryPoint = "main", iterations } = chooseKernel(variant, gemm);
    equal(`${kernel.name}.${entryPoint}`, expected);
    equal(iterations <= MAX_ITERATIONS || expected === "conv_direct.main", true);
  });
}

Deno.test("winograd where it is asked for, auto where it pays, texture where it cannot", () => {
  const variants = (of: Sizes) =>
    (["winograd", "auto", "tiled"] as const).map((v) => resolveVariant(v, sizes(of))).join(" ");
  equal(variants([[64, 28, 28, 64], [5, 5, 64, 64]]), "winograd winograd tiled");
  equal(variants([[2, 28, 28, 64], [5, 5, 64, 8]]), "winograd texture tiled"); // few operations
  equal(variants([[15, 7, 7, 512], [5, 5, 512, 512]]), "winograd texture tiled"); // 60 tiles
  equal(variants([[64, 28, 28, 64], [6, 6, 64, 64]]), "texture texture tiled"); // 6 taps
  equal(variants([[64, 28, 28, 64], [6, 6, 64, 64], 2]), "winograd winograd tiled"); // 3 each
  equal(variants([[64, 28, 28, 64], [5, 4, 64, 64]]), "texture texture tiled");
  equal(variants([[64, 28, 28, 63], [5, 5, 63, 64]]), "texture texture tiled");
});
