// Gradient of a convolution's kernel as an implicit GEMM with operands staged in workgroup memory:
// the form for a GPU. For any shape.
//
//   dw[ky, kx, c, n] = sum over b, oy, ox of x[b, oy*S - P + ky, ox*S - P + kx, c] * dy[b, oy, ox, n]
//
// x: [BATCH, IN_H, IN_W, IN_C]; dy: [BATCH, OUT_H, OUT_W, OUT_C];
// dw: [SPLITS, KERNEL_H, KERNEL_W, IN_C, OUT_C]; split s sums its part of the pixels (b, oy, ox).
// A workgroup of 64: 64 rows (ky, kx, c) x 64 channels of dy, 16 output pixels at a time.
// One invocation: 8 rows x 8 channels, as four mat4x4f whose columns are rows of dw.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;

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

const TILE: u32 = 64;
const DEPTH: u32 = 16;

var<workgroup> a_tile: array<f32, 1024>; // [DEPTH][TILE]
var<workgroup> b_tile: array<f32, 1024>;

fn store(row: u32, n: u32, first: u32, v: vec4f) {
  if row >= KERNEL_H * KERNEL_W * IN_C { return; }
  let at = first + row * OUT_C + n;
  if n < OUT_C { dw[at] = v.x; }
  if n + 1 < OUT_C { dw[at + 1] = v.y; }
  if n + 2 < OUT_C { dw[at + 2] = v.z; }
  if n + 3 < OUT_C { dw[at + 3] = v.w; }
}

fn store4(row: u32, n: u32, first: u32, tile: mat4x4f) {
  store(row, n, first, tile[0]);
  store(row + 1, n, first, tile[1]);
  store(row + 2, n, first, tile[2]);
  store(row + 3, n, first, tile[3]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_count = KERNEL_H * KERNEL_W * IN_C;
  let column_tiles = (OUT_C + TILE - 1) / TILE;
  let linear = group.y * groups.x + group.x;
  let column = linear % column_tiles * TILE;
  let row = linear / column_tiles * TILE;

  // Each invocation stages one row (tap and channel) and one column.
  let r = row + lane;
  let c = r % IN_C;
  let tap_y = i32(r / IN_C / KERNEL_W) - i32(PAD_H);
  let tap_x = i32(r / IN_C % KERNEL_W) - i32(PAD_W);
  let n = column + lane;

  let pixels = BATCH * OUT_H * OUT_W;
  let per_split = (pixels + SPLITS - 1) / SPLITS;
  let begin = group.z * per_split;
  let end = min(pixels, begin + per_split);
  let my_row = lane / 8 * 8;
  let my_column = lane % 8 * 8;

  var d00 = mat4x4f();
  var d01 = mat4x4f();
  var d10 = mat4x4f();
  var d11 = mat4x4f();
  for (var p0 = begin; p0 < end; p0 += DEPTH) {
    for (var k = 0u; k < DEPTH; k++) {
      let p = p0 + k;
      let b = p / (OUT_H * OUT_W);
      let iy = i32(p / OUT_W % OUT_H * STRIDE_H) + tap_y;
      let ix = i32(p % OUT_W * STRIDE_W) + tap_x;
      var a = 0.0;
      if p < end && r < row_count && iy >= 0 && iy < i32(IN_H) && ix >= 0 && ix < i32(IN_W) {
        a = x[((b * IN_H + u32(iy)) * IN_W + u32(ix)) * IN_C + c];
      }
      a_tile[k * TILE + lane] = a;
      var v = 0.0;
      if p < end && n < OUT_C { v = dy[p * OUT_C + n]; }
      b_tile[k * TILE + lane] = v;
    }
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let i = k * TILE + my_row;
      let j = k * TILE + my_column;
      let a0 = vec4f(a_tile[i], a_tile[i + 1], a_tile[i + 2], a_tile[i + 3]);
      let a1 = vec4f(a_tile[i + 4], a_tile[i + 5], a_tile[i + 6], a_tile[i + 7]);
      let b0 = vec4f(b_tile[j], b_tile[j + 1], b_tile[j + 2], b_tile[j + 3]);
      let b1 = vec4f(b_tile[j + 4], b_tile[j + 5], b_tile[j + 6], b_tile[j + 7]);
      d00 += mat4x4f(b0 * a0.x, b0 * a0.y, b0 * a0.z, b0 * a0.w);
      d01 += mat4x4f(b1 * a0.x, b1 * a0.y, b1 * a0.z, b1 * a0.w);
      d10 += mat4x4f(b0 * a1.x, b0 * a1.y, b0 * a1.z, b0 * a1.w);
      d11 += mat4x4f(b1 * a1.x, b1 * a1.y, b1 * a1.z, b1 * a1.w);
    }
    workgroupBarrier();
  }

  let first = group.z * row_count * OUT_C;
  store4(row + my_row, column + my_column, first, d00);
  store4(row + my_row, column + my_column + 4, first, d01);
  store4(row + my_row + 4, column + my_column, first, d10);
  store4(row + my_row + 4, column + my_column + 4, first, d11);
}
