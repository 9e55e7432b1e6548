// Gradient of a convolution's kernel as an implicit GEMM, operands in storage textures.
//
//   dw[ky, kx, c, n] = sum over b, oy, ox of x[b, oy*S - P + ky, ox*S - P + kx, c] * dy[b, oy, ox, n]
//
// x, dy: row-major, four floats a texel, texel i at (i % 4096, i / 4096); IN_C and OUT_C are
//        multiples of 4.
// dw:    [SPLITS, KERNEL_H, KERNEL_W, IN_C, OUT_C] as vec4f; split s sums its part of the rows (b, oy),
//        and `reduce.wgsl` adds the splits, always in the same order.
// Output rows that meet only padding are skipped. transpose(a) * b is the case of 1 x 1 images.
// One invocation: 16 channels of x by 16 of dy for one tap. A workgroup: WIDTH such tiles of one tap.

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

// Output coordinates that meet the input at tap k: those o with 0 <= o*S - P + k < size.
fn valid(k: u32, size: u32, out: u32, stride: u32, pad: u32) -> vec2i {
  let s = i32(stride);
  let shift = i32(pad) - i32(k);
  let begin = max(0, shift + s - 1) / s;
  let end = max(0, i32(size) + shift + s - 1) / s;
  return vec2i(begin, min(i32(out), end));
}

fn store(at: u32, c: u32, n: u32, tile: mat4x4f) {
  if c >= IN_C || n >= OUT_C { return; }
  let i = at + c * (OUT_C / 4) + n / 4;
  let stride = OUT_C / 4;
  dw[i] = tile[0];
  dw[i + stride] = tile[1];
  dw[i + 2 * stride] = tile[2];
  dw[i + 3 * stride] = tile[3];
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let c_tiles = (IN_C + 15) / 16;
  let n_tiles = (OUT_C + 15) / 16;
  let groups_per_tap = (c_tiles * n_tiles + WIDTH - 1) / WIDTH;
  let linear = group.y * groups.x + group.x;
  let tap = linear / groups_per_tap;
  let tile = linear % groups_per_tap * WIDTH + lane;
  if tap >= KERNEL_H * KERNEL_W || tile >= c_tiles * n_tiles { return; }
  let c = tile % c_tiles * 16;
  let n = tile / c_tiles * 16;
  let ky = tap / KERNEL_W;
  let kx = tap % KERNEL_W;
  let oy = valid(ky, IN_H, OUT_H, STRIDE_H, PAD_H);
  let ox = valid(kx, IN_W, OUT_W, STRIDE_W, PAD_W);

  // The rows of this split, out of the BATCH * height rows that meet the input.
  let height = u32(max(0, oy.y - oy.x));
  let rows = BATCH * height;
  let per_split = (rows + SPLITS - 1) / SPLITS;
  let begin = group.z * per_split;
  let end = min(rows, begin + per_split);

  var d00 = mat4x4f();
  var d01 = mat4x4f();
  var d02 = mat4x4f();
  var d03 = mat4x4f();
  var d10 = mat4x4f();
  var d11 = mat4x4f();
  var d12 = mat4x4f();
  var d13 = mat4x4f();
  var d20 = mat4x4f();
  var d21 = mat4x4f();
  var d22 = mat4x4f();
  var d23 = mat4x4f();
  var d30 = mat4x4f();
  var d31 = mat4x4f();
  var d32 = mat4x4f();
  var d33 = mat4x4f();
  for (var row = begin; row < end; row++) {
    let b = row / height;
    let o = u32(oy.x) + row % height;
    let iy = i32(o * STRIDE_H + ky) - i32(PAD_H);
    let ix = ox.x * i32(STRIDE_W) + i32(kx) - i32(PAD_W);
    var i = ((b * IN_H + u32(iy)) * IN_W + u32(ix)) * (IN_C / 4) + c / 4;
    var j = ((b * OUT_H + o) * OUT_W + u32(ox.x)) * (OUT_C / 4) + n / 4;
    for (var p = ox.x; p < ox.y; p++) {
      let x0 = load_x(i);
      let x1 = load_x(i + 1);
      let x2 = load_x(i + 2);
      let x3 = load_x(i + 3);
      let y0 = load_dy(j);
      let y1 = load_dy(j + 1);
      let y2 = load_dy(j + 2);
      let y3 = load_dy(j + 3);
      d00 += mat4x4f(y0 * x0.x, y0 * x0.y, y0 * x0.z, y0 * x0.w);
      d01 += mat4x4f(y1 * x0.x, y1 * x0.y, y1 * x0.z, y1 * x0.w);
      d02 += mat4x4f(y2 * x0.x, y2 * x0.y, y2 * x0.z, y2 * x0.w);
      d03 += mat4x4f(y3 * x0.x, y3 * x0.y, y3 * x0.z, y3 * x0.w);
      d10 += mat4x4f(y0 * x1.x, y0 * x1.y, y0 * x1.z, y0 * x1.w);
      d11 += mat4x4f(y1 * x1.x, y1 * x1.y, y1 * x1.z, y1 * x1.w);
      d12 += mat4x4f(y2 * x1.x, y2 * x1.y, y2 * x1.z, y2 * x1.w);
      d13 += mat4x4f(y3 * x1.x, y3 * x1.y, y3 * x1.z, y3 * x1.w);
      d20 += mat4x4f(y0 * x2.x, y0 * x2.y, y0 * x2.z, y0 * x2.w);
      d21 += mat4x4f(y1 * x2.x, y1 * x2.y, y1 * x2.z, y1 * x2.w);
      d22 += mat4x4f(y2 * x2.x, y2 * x2.y, y2 * x2.z, y2 * x2.w);
      d23 += mat4x4f(y3 * x2.x, y3 * x2.y, y3 * x2.z, y3 * x2.w);
      d30 += mat4x4f(y0 * x3.x, y0 * x3.y, y0 * x3.z, y0 * x3.w);
      d31 += mat4x4f(y1 * x3.x, y1 * x3.y, y1 * x3.z, y1 * x3.w);
      d32 += mat4x4f(y2 * x3.x, y2 * x3.y, y2 * x3.z, y2 * x3.w);
      d33 += mat4x4f(y3 * x3.x, y3 * x3.y, y3 * x3.z, y3 * x3.w);
      i += STRIDE_W * (IN_C / 4);
      j += OUT_C / 4;
    }
  }

  let at = (group.z * KERNEL_H * KERNEL_W + tap) * (IN_C * OUT_C / 4);
  store(at, c, n, d00);
  store(at, c, n + 4, d01);
  store(at, c, n + 8, d02);
  store(at, c, n + 12, d03);
  store(at, c + 4, n, d10);
  store(at, c + 4, n + 4, d11);
  store(at, c + 4, n + 8, d12);
  store(at, c + 4, n + 12, d13);
  store(at, c + 8, n, d20);
  store(at, c + 8, n + 4, d21);
  store(at, c + 8, n + 8, d22);
  store(at, c + 8, n + 12, d23);
  store(at, c + 12, n, d30);
  store(at, c + 12, n + 4, d31);
  store(at, c + 12, n + 8, d32);
  store(at, c + 12, n + 12, d33);
}
