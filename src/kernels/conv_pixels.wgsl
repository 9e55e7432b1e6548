// Convolution of images with few channels (1 or 3), operands in storage textures.
//
//   y[b, oy, ox, n] = sum over ky, kx, c of x[b, oy*S - P + ky, ox*S - P + kx, c] * w[ky, kx, c, n]
//
// A texel of four channels would be almost empty, so that here it holds one channel of one pixel of
// four images.
//
// x: [IN_H, IN_W, IN_C, BATCH], the batch innermost; w: [KERNEL_H, KERNEL_W, IN_C, OUT_C]; four
//    floats a texel, texel i at (i % 4096, i / 4096); BATCH and OUT_C are multiples of 4.
// y: [BATCH, OUT_H, OUT_W, OUT_C] as vec4f.
// One invocation: 8 images x 16 channels of y at one pixel. A workgroup: WIDTH such tiles of one
// pixel, as in `conv_texture.wgsl`.

@group(0) @binding(0) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var w: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

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
override WIDTH: u32 = 64;

fn load_x(i: u32) -> vec4f { return textureLoad(x, vec2u(i & 4095, i >> 12)); }
fn load_w(i: u32) -> vec4f { return textureLoad(w, vec2u(i & 4095, i >> 12)); }

// Four images (columns) by four channels (components).
fn outer(n: vec4f, b: vec4f) -> mat4x4f { return mat4x4f(n * b.x, n * b.y, n * b.z, n * b.w); }

fn store(at: u32, b: u32, n: u32, tile: mat4x4f) {
  if n >= OUT_C || b >= BATCH { return; }
  let image = OUT_H * OUT_W * OUT_C / 4;
  let i = at + n / 4;
  y[i] = tile[0];
  y[i + image] = tile[1];
  y[i + 2 * image] = tile[2];
  y[i + 3 * image] = tile[3];
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
  let start_y = i32(pixel / OUT_W * STRIDE_H) - i32(PAD_H);
  let start_x = i32(pixel % OUT_W * STRIDE_W) - i32(PAD_W);
  let end_y = min(i32(KERNEL_H), i32(IN_H) - start_y);
  let end_x = min(i32(KERNEL_W), i32(IN_W) - start_x);

  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y02 = mat4x4f();
  var y03 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  var y12 = mat4x4f();
  var y13 = mat4x4f();
  for (var v = max(0, -start_y); v < end_y; v++) {
    for (var u = max(0, -start_x); u < end_x; u++) {
      var i = u32((start_y + v) * i32(IN_W) + start_x + u) * IN_C * (BATCH / 4) + b / 4;
      var j = u32(v * i32(KERNEL_W) + u) * IN_C * (OUT_C / 4) + n / 4;
      for (var c = 0u; c < IN_C; c++) {
        let x0 = load_x(i);
        let x1 = load_x(i + 1);
        let w0 = load_w(j);
        let w1 = load_w(j + 1);
        let w2 = load_w(j + 2);
        let w3 = load_w(j + 3);
        y00 += outer(w0, x0);
        y10 += outer(w0, x1);
        y01 += outer(w1, x0);
        y11 += outer(w1, x1);
        y02 += outer(w2, x0);
        y12 += outer(w2, x1);
        y03 += outer(w3, x0);
        y13 += outer(w3, x1);
        i += BATCH / 4;
        j += OUT_C / 4;
      }
    }
  }

  let at = (b * OUT_H * OUT_W + pixel) * (OUT_C / 4);
  let four = OUT_H * OUT_W * OUT_C;
  store(at, b, n, y00);
  store(at, b, n + 4, y01);
  store(at, b, n + 8, y02);
  store(at, b, n + 12, y03);
  store(at + four, b + 4, n, y10);
  store(at + four, b + 4, n + 4, y11);
  store(at + four, b + 4, n + 8, y12);
  store(at + four, b + 4, n + 12, y13);
}
