// Gradient of a convolution's kernel straight from storage buffers, for any shape.
//
//   dw[ky, kx, c, n] = sum over b, oy, ox of x[b, oy*S - P + ky, ox*S - P + kx, c] * dy[b, oy, ox, n]
//
// x: [BATCH, IN_H, IN_W, IN_C]; dy: [BATCH, OUT_H, OUT_W, OUT_C];
// dw: [SPLITS, KERNEL_H, KERNEL_W, IN_C, OUT_C]; split s sums its part of the pixels (b, oy, ox).
// One invocation: 4 rows (tap, c) by 4 channels of dy. A workgroup: WIDTH such tiles.

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
override WIDTH: u32 = 64;

fn store(first: u32, row: u32, n: u32, sum: vec4f) {
  if row >= KERNEL_H * KERNEL_W * IN_C { return; }
  let at = first + row * OUT_C + n;
  dw[at] = sum.x;
  if n + 1 < OUT_C { dw[at + 1] = sum.y; }
  if n + 2 < OUT_C { dw[at + 2] = sum.z; }
  if n + 3 < OUT_C { dw[at + 3] = sum.w; }
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = KERNEL_H * KERNEL_W * IN_C;
  let row_tiles = (rows + 3) / 4;
  let column_tiles = (OUT_C + 3) / 4;
  let tile = (group.y * groups.x + group.x) * WIDTH + lane;
  if tile >= row_tiles * column_tiles { return; }
  let row = tile % row_tiles * 4;
  let n = tile / row_tiles * 4;
  let columns = min(vec4u(n, n + 1, n + 2, n + 3), vec4u(OUT_C - 1));
  // The four rows' taps and channels; rows beyond the last repeat it and are not stored.
  let r = min(vec4u(row, row + 1, row + 2, row + 3), vec4u(rows - 1));
  let c = r % IN_C;
  let tap = r / IN_C;
  let dy_tap = vec4i(tap / KERNEL_W) - i32(PAD_H);
  let dx_tap = vec4i(tap % KERNEL_W) - i32(PAD_W);

  let pixels = BATCH * OUT_H * OUT_W;
  let per_split = (pixels + SPLITS - 1) / SPLITS;
  let begin = group.z * per_split;
  let end = min(pixels, begin + per_split);

  var sum = mat4x4f(); // a column is a row of dw
  for (var p = begin; p < end; p++) {
    let b = p / (OUT_H * OUT_W);
    let iy = i32(p / OUT_W % OUT_H * STRIDE_H) + dy_tap;
    let ix = i32(p % OUT_W * STRIDE_W) + dx_tap;
    let inside = (iy >= vec4i(0)) & (iy < vec4i(i32(IN_H))) & (ix >= vec4i(0)) & (ix < vec4i(i32(IN_W)));
    let at = (vec4i(i32(b * IN_H)) + iy) * i32(IN_W) + ix;
    let i = select(vec4u(0), vec4u(at) * IN_C + c, inside);
    let a = select(vec4f(0), vec4f(x[i.x], x[i.y], x[i.z], x[i.w]), inside);
    let j = p * OUT_C + columns;
    let d = vec4f(dy[j.x], dy[j.y], dy[j.z], dy[j.w]);
    sum += mat4x4f(d * a.x, d * a.y, d * a.z, d * a.w);
  }

  let first = group.z * rows * OUT_C;
  store(first, row, n, sum[0]);
  store(first, row + 1, n, sum[1]);
  store(first, row + 2, n, sum[2]);
  store(first, row + 3, n, sum[3]);
}
