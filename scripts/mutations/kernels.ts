/**
 * Faults in the kernels of convolutions and products.
 *
 * @module
 */

import { type Fault, faultsOf } from "./fault.ts";

const CONV = ["ops conv2d", "ops matmul"];
const DIRECT = ["ops (direct)", "ops"];
const TILED = ["ops (tiled)"];
const FILTER_GRAD = ["ops conv2dFilterGrad", "ops conv2d"];
const WINOGRAD = ["winograd", "ops (winograd)"];

export const KERNELS: readonly Fault[] = [
  ...faultsOf("src/kernels/conv_direct.wgsl", DIRECT, {
    "the last tap is missing": ["min(k, n - start)", "min(k - 1, n - start)"],
    "the padding is off by one": [
      "let start = i32(o) * s - i32(pad);",
      "let start = i32(o) * s - i32(pad) + 1;",
    ],
    "transposed: a phase begins without the padding": [
      "let first = (i32(o) + i32(pad)) % s;",
      "let first = i32(o) % s;",
    ],
    "transposed: the last pixel of the input is left out": [
      "max(0, start - n + 1)",
      "max(0, start - n + 2)",
    ],
    "splits overlap by one": ["min(pairs, begin + share)", "min(pairs, begin + share + 1)"],
    "the last channel is not stored": ["if n + 3 < OUT_C", "if n + 4 < OUT_C"],
    "a picture gets another's value": ["k * a.z, k * a.w)", "k * a.z, k * a.z)"],
  }),
  ...faultsOf("src/kernels/conv_pixels.wgsl", CONV, {
    "rows are padded as columns": [
      "let start_y = i32(pixel / OUT_W * STRIDE_H) - i32(PAD_H);",
      "let start_y = i32(pixel / OUT_W * STRIDE_H) - i32(PAD_W);",
    ],
    "the last column of taps is missing": [
      "min(i32(KERNEL_W), i32(IN_W) - start_x)",
      "min(i32(KERNEL_W) - 1, i32(IN_W) - start_x)",
    ],
    "all channels take the first one's weights": ["j += OUT_C / 4;", "j += 0u;"],
    "pictures 5 to 8 get what 1 to 4 have": [
      "store(at + four, b + 4, n + 12, y13);",
      "store(at + four, b + 4, n + 12, y03);",
    ],
  }),
  ...faultsOf("src/kernels/conv_texture.wgsl", CONV, {
    "the last tap is missing": ["min(k, n - start)", "min(k - 1, n - start)"],
    "transposed: phases lose their last tap": ["(k - first + s - 1) / s", "(k - first) / s"],
    "transposed: weights are not transposed": ["return transpose(mat4x4f(", "return (mat4x4f("],
    "a split drops its last channels": [
      "let c_end = min(channels, c_begin + share);\n\n",
      "let c_end = min(channels, c_begin + share) - 1;\n\n",
    ],
    "a picture is read twice": [
      "let r5 = min(b + 5, BATCH - 1) * picture;",
      "let r5 = min(b + 4, BATCH - 1) * picture;",
    ],
    "a sign": ["y12 += w2 * x1;", "y12 -= w2 * x1;"],
    "narrow: a picture is read twice": ["min(b + vec4u(4, 5, 6, 7)", "min(b + vec4u(4, 5, 6, 6)"],
    "narrow: the last picture is not stored": ["if b + r + 4 < BATCH", "if b + r + 5 < BATCH"],
  }),
  ...faultsOf("src/kernels/conv_tiled.wgsl", TILED, {
    "transposed: a phase begins without the padding": [
      "(phase_y + PAD_H) % STRIDE_H, TRANSPOSED",
      "phase_y % STRIDE_H, TRANSPOSED",
    ],
    "the row below the picture is read": ["iy < i32(IN_H)", "iy <= i32(IN_H)"],
    "a slice of the depth is dropped": [
      "for (var k = 0u; k < DEPTH; k++)",
      "for (var k = 1u; k < DEPTH; k++)",
    ],
    "a barrier is missing": [
      "b_tile[k * TILE + n] = v;\n        }\n        workgroupBarrier();",
      "b_tile[k * TILE + n] = v;\n        }",
    ],
    "the last channel is dropped": ["min(IN_C, c_begin + share)", "min(IN_C - 1, c_begin + share)"],
    "rows that do not exist are stored": ["if rows[row].w == 0 { return; }", ""],
  }),
  ...faultsOf("src/kernels/filter_grad_direct.wgsl", DIRECT, {
    "the padding is forgotten": ["vec4i(tap / KERNEL_W) - i32(PAD_H)", "vec4i(tap / KERNEL_W)"],
    "a share drops its last pixel": [
      "min(pixels, begin + share)",
      "min(pixels, begin + share - 1)",
    ],
    "the column right of the picture is read": ["ix < vec4i(i32(IN_W))", "ix <= vec4i(i32(IN_W))"],
  }),
  ...faultsOf("src/kernels/filter_grad_pixels.wgsl", FILTER_GRAD, {
    "rows 5 to 8 take another channel": ["let c1 = r1 % IN_C;", "let c1 = r0 % IN_C;"],
    "the last four pictures are dropped": ["b < batches; b++", "b < batches - 1; b++"],
    "rows 5 to 8 forget the padding": [
      "vec4i(r1 / IN_C % KERNEL_W) - i32(PAD_W)",
      "vec4i(r1 / IN_C % KERNEL_W)",
    ],
  }),
  ...faultsOf("src/kernels/filter_grad_texture.wgsl", FILTER_GRAD, {
    "the last row that meets a tap is missing": [
      "max(0, i32(size) + shift + s - 1) / s",
      "max(0, i32(size) + shift) / s",
    ],
    "a row that meets padding only is taken": ["max(0, shift + s - 1) / s", "max(0, shift) / s"],
    "the last row and column are dropped": [
      "vec2i(begin, min(i32(out), end))",
      "vec2i(begin, min(i32(out) - 1, end))",
    ],
    "a sign": ["d21 += mat4x4f(", "d21 -= mat4x4f("],
    "a share drops its last row": ["min(rows, begin + share)", "min(rows, begin + share - 1)"],
  }),
  ...faultsOf("src/kernels/filter_grad_tiled.wgsl", TILED, {
    "a share drops the last pixel's gradient": [
      "if p < end && n < OUT_C",
      "if p + 1 < end && n < OUT_C",
    ],
    "columns are padded as rows": [
      "i32(r / IN_C % KERNEL_W) - i32(PAD_W)",
      "i32(r / IN_C % KERNEL_W) - i32(PAD_H)",
    ],
    "a sign": ["d11 += mat4x4f(", "d11 -= mat4x4f("],
  }),
  ...faultsOf("src/kernels/point_matmul.wgsl", WINOGRAD, {
    "a row is read twice": ["min(r + 9, R - 1)", "min(r + 8, R - 1)"],
    "the last four of the depth are dropped": ["k < quads; k++", "k + 1 < quads; k++"],
    "rows beyond the last are counted": [
      "let s3 = select(0.0, 1.0, r + 3 <= last);",
      "let s3 = 1.0;",
    ],
    "what was there is not added": ["if sizes[4] == 0", "if sizes[4] < 2"],
    "a sign": ["y33 += w3 * x3;\n  }\n  let out", "y33 -= w3 * x3;\n  }\n  let out"],
  }),
  ...faultsOf("src/kernels/winograd.wgsl", WINOGRAD, {
    "the first row of a picture is taken for padding": [
      "let inside = row >= 0",
      "let inside = row >= 1",
    ],
    "a block of the transform is dropped": [
      "if IN > 4 { result.b += line.b * high_high; }",
      "",
    ],
    "a sign": ["result.a += line.b * low_high;", "result.a -= line.b * low_high;"],
    "an output is stored twice": [
      "put_pixel(at, 3, q, line.a[3]);",
      "put_pixel(at, 3, q, line.a[2]);",
    ],
    "phases of rows and columns are mixed": [
      "+ phase % s.STRIDE) - s.PAD",
      "+ phase / s.STRIDE) - s.PAD",
    ],
  }),
  ...faultsOf("src/ops/winograd.ts", WINOGRAD, {
    "a transposed convolution's padding is not skipped": [
      "const skip = Math.floor(pad / stride);",
      "const skip = 0;",
    ],
    "slabs overwrite each other's sums": ["accumulate: first > 0", "accumulate: false"],
    "transposed: taps are not reversed": ["row.toReversed()", "row"],
    "the point at infinity takes the first tap": ["i === count - 1 ? 1 : 0", "i === 0 ? 1 : 0"],
    "the last slab goes beyond the batch": ["Math.min(size, batch - i * size)", "size"],
  }),
  ...faultsOf("src/ops/gemm.ts", ["ops"], {
    "a convolution's last partial sum is dropped": [
      "reduceMiddle(lowering, target, y, [1, splits, y.size])",
      "reduceMiddle(lowering, target, y, [1, splits - 1, y.size])",
    ],
    "a filter gradient's last partial sum is dropped": [
      "reduceMiddle(lowering, target, dw, [1, splits, dw.size])",
      "reduceMiddle(lowering, target, dw, [1, splits - 1, dw.size])",
    ],
    "loops may cross the adapter's limit": [
      "const MAX_ITERATIONS = 16000;",
      "const MAX_ITERATIONS = 16000000;",
    ],
  }),
  ...faultsOf("src/ops/geometry.ts", CONV, {
    "the larger half of the padding is before": ["Math.floor(total / 2)", "Math.ceil(total / 2)"],
    "the padding is a stride too much": [
      "(small - 1) * stride + kernel - size",
      "small * stride + kernel - size",
    ],
  }),
];
