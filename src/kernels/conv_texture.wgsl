// Convolution and transposed convolution as one implicit GEMM, operands in storage textures.
//
//   conv:        y[b, oy, ox, n] = sum over ky, kx, c of x[b, oy*S - P + ky, ox*S - P + kx, c] * w[ky, kx, c, n]
//   transposed:  y[b, oy, ox, n] = sum over ky, kx, c of x[b, iy, ix, c] * w[ky, kx, n, c]
//                                  where iy*S - P + ky = oy and ix*S - P + kx = ox
//
// The rows of a tile are eight images of the batch at one output pixel, so that all of them have the
// same taps. Taps that fall into the padding, or between the strides of a transposed convolution, are
// skipped. A matrix product is a convolution of 1 x 1 images.
//
// x, w: row-major, four floats a texel, texel i at (i % 4096, i / 4096); IN_C and OUT_C are
//       multiples of 4. On a software adapter a texture load is five times cheaper than a buffer's.
// y:    [SPLITS, BATCH, OUT_H, OUT_W, OUT_C] as vec4f; split s sums its part of the input channels.
// main: one invocation computes 8 images x 16 channels of y at one pixel.
// narrow: one invocation computes 8 images x 1 channel, transposed only; OUT_C may be anything.
// A workgroup: WIDTH such tiles of one pixel. Workgroups count along x, and on along y where x ends:
// first the tiles of a pixel, then the pixels. Along z they count the splits.
//
// The tile is written out as mat4x4f: an array with loops over it is 8 to 10 times slower on a
// software adapter.

@group(0) @binding(0) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var w: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y_narrow: array<f32>;

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
override TRANSPOSED: bool = false;
override SPLITS: u32 = 1;
override WIDTH: u32 = 64;

// The taps of one output coordinate along one axis: kernel index first + t*step meets input index
// start + t*direction, for t in [begin, end).
struct Taps { begin: i32, end: i32, first: i32, step: i32, start: i32, direction: i32 }

fn taps(o: u32, size: u32, kernel: u32, stride: u32, pad: u32) -> Taps {
  let n = i32(size);
  let k = i32(kernel);
  let s = i32(stride);
  if TRANSPOSED {
    let first = (i32(o) + i32(pad)) % s;
    let start = (i32(o) + i32(pad)) / s;
    return Taps(max(0, start - n + 1), min((k - first + s - 1) / s, start + 1), first, s, start, -1);
  }
  let start = i32(o) * s - i32(pad);
  return Taps(max(0, -start), min(k, n - start), 0, 1, start, 1);
}

fn load_x(i: u32) -> vec4f { return textureLoad(x, vec2u(i & 4095, i >> 12)); }
fn load_w(i: u32) -> vec4f { return textureLoad(w, vec2u(i & 4095, i >> 12)); }

// Four input channels (columns) by four output channels (components).
fn weights(at: u32, n: u32) -> mat4x4f {
  if TRANSPOSED {
    let i = at + n * (IN_C / 4);
    let stride = IN_C / 4;
    return transpose(mat4x4f(load_w(i), load_w(i + stride), load_w(i + 2 * stride), load_w(i + 3 * stride)));
  }
  let i = at + n / 4;
  let stride = OUT_C / 4;
  return mat4x4f(load_w(i), load_w(i + stride), load_w(i + 2 * stride), load_w(i + 3 * stride));
}

fn store(at: u32, b: u32, n: u32, tile: mat4x4f) {
  if n >= OUT_C { return; }
  let image = OUT_H * OUT_W * OUT_C / 4;
  let i = at + n / 4;
  if b < BATCH { y[i] = tile[0]; }
  if b + 1 < BATCH { y[i + image] = tile[1]; }
  if b + 2 < BATCH { y[i + 2 * image] = tile[2]; }
  if b + 3 < BATCH { y[i + 3 * image] = tile[3]; }
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (BATCH + 7) / 8;
  let column_tiles = (OUT_C + 15) / 16;
  let groups_per_pixel = (row_tiles * column_tiles + WIDTH - 1) / WIDTH;
  let linear = group.y * groups.x + group.x;
  let pixel = linear / groups_per_pixel;
  let tile = linear % groups_per_pixel * WIDTH + lane;
  if pixel >= OUT_H * OUT_W || tile >= row_tiles * column_tiles { return; }
  let b = tile % row_tiles * 8;
  let n = tile / row_tiles * 16;
  let ty = taps(pixel / OUT_W, IN_H, KERNEL_H, STRIDE_H, PAD_H);
  let tx = taps(pixel % OUT_W, IN_W, KERNEL_W, STRIDE_W, PAD_W);

  let channels = IN_C / 4;
  let per_split = (channels + SPLITS - 1) / SPLITS;
  let c_begin = group.z * per_split;
  let c_end = min(channels, c_begin + per_split);

  let image = IN_H * IN_W * channels;
  // Images beyond the batch repeat the last one; they are not stored.
  let r0 = b * image;
  let r1 = min(b + 1, BATCH - 1) * image;
  let r2 = min(b + 2, BATCH - 1) * image;
  let r3 = min(b + 3, BATCH - 1) * image;
  let r4 = min(b + 4, BATCH - 1) * image;
  let r5 = min(b + 5, BATCH - 1) * image;
  let r6 = min(b + 6, BATCH - 1) * image;
  let r7 = min(b + 7, BATCH - 1) * image;
  // Floats between the weights of neighboring input channels, four at a time.
  let w_channel = select(OUT_C, 1u, TRANSPOSED);

  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y02 = mat4x4f();
  var y03 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  var y12 = mat4x4f();
  var y13 = mat4x4f();
  for (var v = ty.begin; v < ty.end; v++) {
    for (var u = tx.begin; u < tx.end; u++) {
      let in_pixel = (ty.start + v * ty.direction) * i32(IN_W) + tx.start + u * tx.direction;
      let tap = (ty.first + v * ty.step) * i32(KERNEL_W) + tx.first + u * tx.step;
      let x_at = u32(in_pixel) * channels;
      let w_at = u32(tap) * (IN_C * OUT_C / 4);
      for (var c = c_begin; c < c_end; c++) {
        let i = x_at + c;
        let x0 = mat4x4f(load_x(r0 + i), load_x(r1 + i), load_x(r2 + i), load_x(r3 + i));
        let x1 = mat4x4f(load_x(r4 + i), load_x(r5 + i), load_x(r6 + i), load_x(r7 + i));
        let j = w_at + c * w_channel;
        let w0 = weights(j, n);
        let w1 = weights(j, n + 4);
        let w2 = weights(j, n + 8);
        let w3 = weights(j, n + 12);
        y00 += w0 * x0;
        y10 += w0 * x1;
        y01 += w1 * x0;
        y11 += w1 * x1;
        y02 += w2 * x0;
        y12 += w2 * x1;
        y03 += w3 * x0;
        y13 += w3 * x1;
      }
    }
  }

  let out_image = OUT_H * OUT_W * OUT_C / 4;
  let at = (group.z * BATCH + b) * out_image + pixel * (OUT_C / 4);
  store(at, b, n, y00);
  store(at, b, n + 4, y01);
  store(at, b, n + 8, y02);
  store(at, b, n + 12, y03);
  store(at + 4 * out_image, b + 4, n, y10);
  store(at + 4 * out_image, b + 4, n + 4, y11);
  store(at + 4 * out_image, b + 4, n + 8, y12);
  store(at + 4 * out_image, b + 4, n + 12, y13);
}

@compute @workgroup_size(WIDTH)
fn narrow(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (BATCH + 7) / 8;
  let groups_per_pixel = (row_tiles * OUT_C + WIDTH - 1) / WIDTH;
  let linear = group.y * groups.x + group.x;
  let pixel = linear / groups_per_pixel;
  let tile = linear % groups_per_pixel * WIDTH + lane;
  if pixel >= OUT_H * OUT_W || tile >= row_tiles * OUT_C { return; }
  let b = tile % row_tiles * 8;
  let n = tile / row_tiles;
  let ty = taps(pixel / OUT_W, IN_H, KERNEL_H, STRIDE_H, PAD_H);
  let tx = taps(pixel % OUT_W, IN_W, KERNEL_W, STRIDE_W, PAD_W);

  let channels = IN_C / 4;
  let per_split = (channels + SPLITS - 1) / SPLITS;
  let c_begin = group.z * per_split;
  let c_end = min(channels, c_begin + per_split);
  let image = IN_H * IN_W * channels;
  let rows0 = min(b + vec4u(0, 1, 2, 3), vec4u(BATCH - 1)) * image;
  let rows1 = min(b + vec4u(4, 5, 6, 7), vec4u(BATCH - 1)) * image;

  var sum0 = vec4f();
  var sum1 = vec4f();
  for (var v = ty.begin; v < ty.end; v++) {
    for (var u = tx.begin; u < tx.end; u++) {
      let in_pixel = (ty.start + v * ty.direction) * i32(IN_W) + tx.start + u * tx.direction;
      let tap = (ty.first + v * ty.step) * i32(KERNEL_W) + tx.first + u * tx.step;
      let x_at = u32(in_pixel) * channels;
      let w_at = (u32(tap) * OUT_C + n) * channels;
      for (var c = c_begin; c < c_end; c++) {
        let i0 = rows0 + x_at + c;
        let i1 = rows1 + x_at + c;
        let k = load_w(w_at + c);
        sum0 += k * mat4x4f(load_x(i0.x), load_x(i0.y), load_x(i0.z), load_x(i0.w));
        sum1 += k * mat4x4f(load_x(i1.x), load_x(i1.y), load_x(i1.z), load_x(i1.w));
      }
    }
  }

  let out_image = OUT_H * OUT_W * OUT_C;
  let at = (group.z * BATCH + b) * out_image + pixel * OUT_C + n;
  for (var r = 0u; r < 4; r++) {
    if b + r < BATCH { y_narrow[at + r * out_image] = sum0[r]; }
    if b + r + 4 < BATCH { y_narrow[at + (r + 4) * out_image] = sum1[r]; }
  }
}
