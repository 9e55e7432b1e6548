/**
 * Every matrix product and convolution of a training step, each with the products of its gradient.
 *
 * @module
 */

import { type KernelCase, opCase, type OpOptions } from "./kernel_case.ts";

/** A side of a convolution: height (and width) and channels. */
type Side = readonly [size: number, channels: number];

const show = ([size, channels]: Side) => `${size}x${size}x${channels}`;

/** The three ops that one 5 x 5 kernel of padding "same" is part of. */
function convolutions(batch: number, large: Side, small: Side): KernelCase[] {
  const strides = large[0] / small[0];
  const options = { strides, padding: "same" as const };
  const shape = ([size, channels]: Side) => [batch, size, size, channels];
  const kernel = [5, 5, large[1], small[1]];
  const flops = 2 * batch * small[0] ** 2 * 25 * large[1] * small[1];
  const named = (op: string, from: Side, to: Side) =>
    `${op} ${batch} x ${show(from)} ${op.endsWith("Grad") ? "and" : "->"} ${show(to)}`;
  const cases: OpOptions<"a" | "b">[] = [
    {
      name: named("conv2d", large, small),
      flops,
      inputs: { a: shape(large), b: kernel },
      y: shape(small),
      sample: { a: [0], y: [0] },
      op: (f, { a, b }) => f.conv2d(a, b, options),
    },
    {
      name: named("conv2dTranspose", small, large),
      flops,
      inputs: { a: shape(small), b: kernel },
      y: shape(large),
      sample: { a: [0], y: [0] },
      op: (f, { a, b }) => f.conv2dTranspose(a, b, options),
    },
    {
      name: named("conv2dFilterGrad", large, small),
      flops,
      inputs: { a: shape(large), b: shape(small) },
      y: kernel,
      sample: { a: [3], b: [3], y: [2, 3] },
      op: (f, { a, b }) => f.conv2dFilterGrad(a, b, { ...options, kernelSize: 5 }),
    },
  ];
  return cases.map(opCase);
}

/** x * w, and the products that give the gradients of x and of w. */
function products(batch: number, from: number, to: number, inputGradient: boolean): KernelCase[] {
  const flops = 2 * batch * from * to;
  const cases: OpOptions<"a" | "b">[] = [{
    name: `matmul ${batch} x ${from} -> ${to}`,
    flops,
    inputs: { a: [batch, from], b: [from, to] },
    y: [batch, to],
    sample: { a: [0], b: [1], y: [0, 1] },
    op: (f, { a, b }) => f.matmul(a, b),
  }, {
    name: `matmul ${batch} x ${from} transposed and ${batch} x ${to}`,
    flops,
    inputs: { a: [batch, from], b: [batch, to] },
    y: [from, to],
    sample: { a: [1], b: [1], y: [0, 1] },
    op: (f, { a, b }) => f.matmul(a, b, { transposeA: true }),
  }];
  if (inputGradient) {
    cases.push({
      name: `matmul ${batch} x ${to} -> ${from}, weights transposed`,
      flops,
      inputs: { a: [batch, to], b: [from, to] },
      y: [batch, from],
      sample: { a: [0], b: [0], y: [0, 1] },
      op: (f, { a, b }) => f.matmul(a, b, { transposeB: true }),
    });
  }
  return cases.map(opCase);
}

/** All of them; the noise needs no gradient. */
export function gemmCases(batch: number): KernelCase[] {
  return [
    ...products(batch, 100, 12544, false),
    ...convolutions(batch, [7, 128], [7, 256]),
    ...convolutions(batch, [14, 64], [7, 128]),
    ...convolutions(batch, [28, 1], [14, 64]),
    ...products(batch, 6272, 1, true),
  ];
}
