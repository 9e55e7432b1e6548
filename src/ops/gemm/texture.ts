/**
 * The texture variant, for software adapters: operands in storage textures, which these adapters
 * read five times faster than buffers. A texel holds four values, so that some size must be a
 * multiple of four; `texture` gives nothing where none is.
 */

import convCode from "../../kernels/conv_texture.wgsl" with { type: "text" };
import convPixelsCode from "../../kernels/conv_pixels.wgsl" with { type: "text" };
import filterGradCode from "../../kernels/filter_grad_texture.wgsl" with { type: "text" };
import filterGradPixelsCode from "../../kernels/filter_grad_pixels.wgsl" with { type: "text" };
import { kernel } from "../../gpu/shader.ts";
import type { Lowering, TextureCopy } from "../../graph/lower.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { copyBox } from "../copy.ts";
import { type Gemm, type Launch, sidesOf, tilesPerPlace } from "./launch.ts";

const conv = kernel("conv_texture", convCode);
const convPixels = kernel("conv_pixels", convPixelsCode);
const filterGrad = kernel("filter_grad_texture", filterGradCode);
const filterGradPixels = kernel("filter_grad_pixels", filterGradPixelsCode);

const fours = (n: number) => n % 4 === 0;

/** How the texture kernels compute an op; nothing where they cannot. */
export function texture(gemm: Gemm): Launch | undefined {
  const { kind, geometry: { batch, large, small } } = gemm;
  if (!fours(small.channels)) return undefined;
  const wide = fours(large.channels);
  if (kind === "conv2dTranspose") return ofConv(gemm, wide ? "main" : "narrow");
  if (wide) return kind === "conv2d" ? ofConv(gemm, "main") : ofFilterGrad(gemm);
  if (!fours(batch)) return undefined;
  return kind === "conv2d" ? ofConvPixels(gemm) : ofFilterGradPixels(gemm);
}

/** All channels in fours; "narrow" transposes to a side of any number of channels. */
function ofConv(gemm: Gemm, entryPoint: "main" | "narrow"): Launch {
  const { geometry: { batch, kernel: [kh, kw] }, x, w } = gemm;
  const { input, output } = sidesOf(gemm);
  const columns = entryPoint === "main" ? Math.ceil(output.channels / 16) : output.channels;
  return {
    kernel: conv,
    entryPoint,
    ...tilesPerPlace(gemm, Math.ceil(batch / 8) * columns, output.height * output.width),
    steps: input.channels / 4,
    iterations: kh * kw,
    operands: (lowering) => ({ x: lowering.texture(x), w: lowering.texture(w) }),
    result: entryPoint === "main" ? "y" : "y_narrow",
  };
}

/** A large side of few channels, the batch in fours. */
function ofConvPixels(gemm: Gemm): Launch {
  const { geometry: { batch, kernel: [kh, kw], large, small }, x, w } = gemm;
  const tiles = Math.ceil(batch / 8) * Math.ceil(small.channels / 16);
  return {
    kernel: convPixels,
    ...tilesPerPlace(gemm, tiles, small.height * small.width),
    steps: 1,
    iterations: kh * kw * large.channels,
    operands: (lowering) => ({ x: batchInnermost(lowering, x), w: lowering.texture(w) }),
    result: "y",
  };
}

function ofFilterGrad(gemm: Gemm): Launch {
  const { geometry: { batch, kernel: [kh, kw], large, small }, x, w } = gemm;
  const tiles = Math.ceil(large.channels / 16) * Math.ceil(small.channels / 16);
  return {
    kernel: filterGrad,
    ...tilesPerPlace(gemm, tiles, kh * kw),
    steps: batch * small.height,
    iterations: small.width + 1,
    operands: (lowering) => ({ x: lowering.texture(x), dy: lowering.texture(w) }),
    result: "dw",
  };
}

/** A large side of few channels, the batch in fours. */
function ofFilterGradPixels(gemm: Gemm): Launch {
  const { geometry: { batch, kernel: [kh, kw], large, small }, x, w } = gemm;
  const tiles = Math.ceil(kh * kw * large.channels / 8) * Math.ceil(small.channels / 4);
  return {
    kernel: filterGradPixels,
    ...tilesPerPlace(gemm, tiles, 1),
    steps: small.height * small.width,
    iterations: batch / 4 + 1,
    operands: (lowering) => ({ x: batchInnermost(lowering, x), dy: lowering.texture(w) }),
    result: "dw",
  };
}

/** x [batch, ...] with the batch innermost, in a texture. */
function batchInnermost(lowering: Lowering, x: Tensor): TextureCopy {
  const rest = x.size / x.shape[0];
  const turned = lowering.scratch(x.size, "batch innermost");
  copyBox(lowering, [rest, x.shape[0]], x, turned, { from: { strides: [1, rest] } });
  return lowering.texture(turned);
}
