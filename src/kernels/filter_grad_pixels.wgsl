// Gradient of a convolution's kernel for images with few channels, operands in storage textures.
//
//   dw[ky, kx, c, n] = sum over b, oy, ox of x[b, oy*S - P + ky, ox*S - P + kx, c] * dy[b, oy, ox, n]
//
// S = STRIDE, P = PAD. Both operands have four floats per texel, texel i at (i % 4096, i / 4096).
// x:  [IN_H, IN_W, IN_C, BATCH], the batch innermost, as in `conv_pixels.wgsl`;
// dy: [BATCH, OUT_H, OUT_W, OUT_C]; BATCH and OUT_C are multiples of 4.
// dw: [SPLITS, KERNEL_H, KERNEL_W, IN_C, OUT_C] as vec4f; split s sums its part of the output
//     pixels of all images.
// One invocation: 8 rows (ky, kx, c) x 4 channels of dy. A workgroup: WIDTH such tiles.

@group(0) @binding(0) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> dw: array<vec4f>;

override BATCH: u32;
override IN_H: u32;
override IN_W: u32;
override IN_C: u32;
override OUT_H: u32;
override OUT_W: u32;
override OUT_C: u32;
override KERNEL_H: u32 = 1;
override KERNEL_W: u32 = 1;
override STRIDE_H: u32 = 1;
override STRIDE_W: u32 = 1;
override PAD_H: u32 = 0;
override PAD_W: u32 = 0;
override SPLITS: u32 = 1;
override WIDTH: u32 = 64;

fn load_x(i: u32) -> vec4f { return textureLoad(x, vec2u(i & 4095, i >> 12)); }
fn load_dy(i: u32) -> vec4f { return textureLoad(dy, vec2u(i & 4095, i >> 12)); }

fn store(at: u32, row: u32, sum: vec4f) {
  if row < KERNEL_H * KERNEL_W * IN_C { dw[at + row * (OUT_C / 4)] = sum; }
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = KERNEL_H * KERNEL_W * IN_C;
  let row_tiles = (rows + 7) / 8;
  let channels = OUT_C / 4;
  let tile = (group.y * groups.x + group.x) * WIDTH + lane;
  if tile >= row_tiles * channels { return; }
  let n = tile % channels;
  let row = tile / channels * 8;

  // Tap and channel of each of the eight rows; those beyond the last are not stored.
  let r0 = row + vec4u(0, 1, 2, 3);
  let r1 = r0 + 4;
  let y0 = vec4i(r0 / (IN_C * KERNEL_W)) - i32(PAD_H);
  let y1 = vec4i(r1 / (IN_C * KERNEL_W)) - i32(PAD_H);
  let x0 = vec4i(r0 / IN_C % KERNEL_W) - i32(PAD_W);
  let x1 = vec4i(r1 / IN_C % KERNEL_W) - i32(PAD_W);
  let c0 = r0 % IN_C;
  let c1 = r1 % IN_C;

  let pixels = OUT_H * OUT_W;
  let per_split = (pixels + SPLITS - 1) / SPLITS;
  let end = min(pixels, (group.z + 1) * per_split);
  let size = vec2i(i32(IN_H), i32(IN_W));
  let batches = BATCH / 4;
  let image = pixels * channels;

  var d0 = mat4x4f(); // each column sums four channels of one row of dw
  var d1 = mat4x4f();
  for (var p = group.z * per_split; p < end; p++) {
    let oy = i32(p / OUT_W * STRIDE_H);
    let ox = i32(p % OUT_W * STRIDE_W);
    let inside0 = (y0 + oy >= vec4i(0)) & (y0 + oy < vec4i(size.x)) & (x0 + ox >= vec4i(0)) & (x0 + ox < vec4i(size.y));
    let inside1 = (y1 + oy >= vec4i(0)) & (y1 + oy < vec4i(size.x)) & (x1 + ox >= vec4i(0)) & (x1 + ox < vec4i(size.y));
    let one0 = select(vec4f(0), vec4f(1), inside0);
    let one1 = select(vec4f(0), vec4f(1), inside1);
    let i0 = select(vec4u(0), (vec4u((y0 + oy) * size.y + x0 + ox) * IN_C + c0) * batches, inside0);
    let i1 = select(vec4u(0), (vec4u((y1 + oy) * size.y + x1 + ox) * IN_C + c1) * batches, inside1);
    for (var b = 0u; b < batches; b++) {
      let j = (b * 4 * pixels + p) * channels + n;
      let d = mat4x4f(load_dy(j), load_dy(j + image), load_dy(j + 2 * image), load_dy(j + 3 * image));
      d0 += d * mat4x4f(load_x(i0.x + b) * one0.x, load_x(i0.y + b) * one0.y, load_x(i0.z + b) * one0.z, load_x(i0.w + b) * one0.w);
      d1 += d * mat4x4f(load_x(i1.x + b) * one1.x, load_x(i1.y + b) * one1.y, load_x(i1.z + b) * one1.z, load_x(i1.w + b) * one1.w);
    }
  }

  let at = group.z * rows * channels + n;
  store(at, row, d0[0]);
  store(at, row + 1, d0[1]);
  store(at, row + 2, d0[2]);
  store(at, row + 3, d0[3]);
  store(at, row + 4, d1[0]);
  store(at, row + 5, d1[1]);
  store(at, row + 6, d1[2]);
  store(at, row + 7, d1[3]);
}
