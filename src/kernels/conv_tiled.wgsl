// Convolution and transposed convolution as an implicit GEMM with operands staged in workgroup
// memory: the form for a GPU. For any shape.
//
//   conv:        y[b, oy, ox, n] = sum over ky, kx, c of x[b, oy*S - P + ky, ox*S - P + kx, c] * w[ky, kx, c, n]
//   transposed:  y[b, oy, ox, n] = sum over ky, kx, c of x[b, iy, ix, c] * w[ky, kx, n, c]
//                                  where iy*S - P + ky = oy and ix*S - P + kx = ox
//
// The rows of a tile are output pixels of all images in order. A transposed convolution is computed
// phase by phase: a phase has the output coordinates of one remainder modulo the stride, and all its
// pixels have the same taps.
//
// x: [BATCH, IN_H, IN_W, IN_C]; w: [KERNEL_H, KERNEL_W, IN_C, OUT_C], transposed [.., OUT_C, IN_C];
// y: [SPLITS, BATCH, OUT_H, OUT_W, OUT_C]; split s sums its part of the input channels.
// A workgroup of 64: 64 rows x 64 channels of y, 16 input channels at a time.
// One invocation: 8 rows x 8 channels, as four mat4x4f whose columns are rows of y.

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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

const TILE: u32 = 64;
const DEPTH: u32 = 16;

// Per row: first input pixel of its image, input coordinates at tap 0, and 1 if the row exists.
var<workgroup> rows: array<vec4i, 64>;
var<workgroup> row_out: array<u32, 64>;
var<workgroup> a_tile: array<f32, 1024>; // [DEPTH][TILE]
var<workgroup> b_tile: array<f32, 1024>;

fn store(row: u32, n: u32, first: u32, v: vec4f) {
  if rows[row].w == 0 { return; }
  let at = first + row_out[row] + n;
  if n < OUT_C { y[at] = v.x; }
  if n + 1 < OUT_C { y[at + 1] = v.y; }
  if n + 2 < OUT_C { y[at + 2] = v.z; }
  if n + 3 < OUT_C { y[at + 3] = v.w; }
}

fn store4(row: u32, n: u32, first: u32, tile: mat4x4f) {
  store(row, n, first, tile[0]);
  store(row + 1, n, first, tile[1]);
  store(row + 2, n, first, tile[2]);
  store(row + 3, n, first, tile[3]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let phases_h = select(1, STRIDE_H, TRANSPOSED);
  let phases_w = select(1, STRIDE_W, TRANSPOSED);
  let phase_height = (OUT_H + phases_h - 1) / phases_h;
  let phase_width = (OUT_W + phases_w - 1) / phases_w;
  let row_count = BATCH * phase_height * phase_width;
  let row_tiles = (row_count + TILE - 1) / TILE;
  let column_tiles = (OUT_C + TILE - 1) / TILE;
  let linear = group.y * groups.x + group.x;
  let column = linear % column_tiles * TILE;
  let row_tile = linear / column_tiles % row_tiles;
  let phase = linear / (column_tiles * row_tiles);
  let phase_y = phase / phases_w;
  let phase_x = phase % phases_w;

  // Each invocation describes one row.
  let r = row_tile * TILE + lane;
  let b = r / (phase_height * phase_width);
  let oy = r / phase_width % phase_height * phases_h + phase_y;
  let ox = r % phase_width * phases_w + phase_x;
  let exists = r < row_count && oy < OUT_H && ox < OUT_W && phase < phases_h * phases_w;
  var start = vec2i(i32(oy * STRIDE_H) - i32(PAD_H), i32(ox * STRIDE_W) - i32(PAD_W));
  if TRANSPOSED { start = vec2i(i32((oy + PAD_H) / STRIDE_H), i32((ox + PAD_W) / STRIDE_W)); }
  rows[lane] = vec4i(i32(b * IN_H * IN_W), start.x, start.y, select(0, 1, exists));
  row_out[lane] = ((b * OUT_H + oy) * OUT_W + ox) * OUT_C;

  // Taps of the phase: kernel index first + t*step meets input index start + t*direction.
  let first_y = select(0, (phase_y + PAD_H) % STRIDE_H, TRANSPOSED);
  let first_x = select(0, (phase_x + PAD_W) % STRIDE_W, TRANSPOSED);
  let step_y = select(1, STRIDE_H, TRANSPOSED);
  let step_x = select(1, STRIDE_W, TRANSPOSED);
  let direction = select(1, -1, TRANSPOSED);
  let per_split = ((IN_C + DEPTH - 1) / DEPTH + SPLITS - 1) / SPLITS * DEPTH;
  let c_begin = group.z * per_split;
  let c_end = min(IN_C, c_begin + per_split);
  let my_row = lane / 8 * 8;
  let my_column = lane % 8 * 8;

  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  workgroupBarrier();
  for (var ky = first_y; ky < KERNEL_H; ky += step_y) {
    let t_y = i32(ky / step_y) * direction;
    for (var kx = first_x; kx < KERNEL_W; kx += step_x) {
      let t_x = i32(kx / step_x) * direction;
      let w_at = (ky * KERNEL_W + kx) * IN_C * OUT_C;
      for (var c0 = c_begin; c0 < c_end; c0 += DEPTH) {
        for (var i = 0u; i < DEPTH; i++) {
          let e = i * 64 + lane;
          // Neighboring invocations read neighboring channels of x.
          let row = e / DEPTH;
          let c = c0 + e % DEPTH;
          let at = rows[row];
          let iy = at.y + t_y;
          let ix = at.z + t_x;
          var a = 0.0;
          if at.w != 0 && c < c_end && iy >= 0 && iy < i32(IN_H) && ix >= 0 && ix < i32(IN_W) {
            a = x[u32(at.x + iy * i32(IN_W) + ix) * IN_C + c];
          }
          a_tile[e % DEPTH * TILE + row] = a;
          // w's neighbors are output channels, or input channels where it is transposed.
          let k = select(e / TILE, e % DEPTH, TRANSPOSED);
          let n = select(e % TILE, e / DEPTH, TRANSPOSED);
          var v = 0.0;
          if c0 + k < c_end && column + n < OUT_C {
            v = w[w_at + select((c0 + k) * OUT_C + column + n, (column + n) * IN_C + c0 + k, TRANSPOSED)];
          }
          b_tile[k * TILE + n] = v;
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
          let i = k * TILE + my_row;
          let j = k * TILE + my_column;
          let a0 = vec4f(a_tile[i], a_tile[i + 1], a_tile[i + 2], a_tile[i + 3]);
          let a1 = vec4f(a_tile[i + 4], a_tile[i + 5], a_tile[i + 6], a_tile[i + 7]);
          let b0 = vec4f(b_tile[j], b_tile[j + 1], b_tile[j + 2], b_tile[j + 3]);
          let b1 = vec4f(b_tile[j + 4], b_tile[j + 5], b_tile[j + 6], b_tile[j + 7]);
          y00 += mat4x4f(b0 * a0.x, b0 * a0.y, b0 * a0.z, b0 * a0.w);
          y01 += mat4x4f(b1 * a0.x, b1 * a0.y, b1 * a0.z, b1 * a0.w);
          y10 += mat4x4f(b0 * a1.x, b0 * a1.y, b0 * a1.z, b0 * a1.w);
          y11 += mat4x4f(b1 * a1.x, b1 * a1.y, b1 * a1.z, b1 * a1.w);
        }
        workgroupBarrier();
      }
    }
  }

  let first = group.z * BATCH * OUT_H * OUT_W * OUT_C;
  store4(my_row, column + my_column, first, y00);
  store4(my_row, column + my_column + 4, first, y01);
  store4(my_row + 4, column + my_column, first, y10);
  store4(my_row + 4, column + my_column + 4, first, y11);
}
