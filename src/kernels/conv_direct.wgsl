// Convolution and transposed convolution straight from storage buffers, for any shape.
//
//   conv:        y[b, oy, ox, n] = sum over ky, kx, c of x[b, oy*S - P + ky, ox*S - P + kx, c] * w[ky, kx, c, n]
//   transposed:  y[b, oy, ox, n] = sum over ky, kx, c of x[b, iy, ix, c] * w[ky, kx, n, c]
//                                  where iy*S - P + ky = oy and ix*S - P + kx = ox
//
// The rows of a tile are images of the batch at one output pixel, so that all of them have the same
// taps: see `conv_texture.wgsl`. Operands are read float by float, so that any size will do.
//
// x: [BATCH, IN_H, IN_W, IN_C]; w: [KERNEL_H, KERNEL_W, IN_C, OUT_C], transposed [.., OUT_C, IN_C];
// y: [SPLITS, BATCH, OUT_H, OUT_W, OUT_C].
// The sum over the pairs (kernel row, input channel) is split: split s sums its part of them.
// One invocation: 4 images x 4 channels of y at one pixel. A workgroup: WIDTH such tiles.

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
override WIDTH: u32 = 64;

// The taps of one output coordinate along one axis: kernel index first + t*step meets input index
// start + t*direction, for t in [begin, end). As in `conv_texture.wgsl`: WGSL has no include.
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

fn store(at: u32, b: u32, n: u32, row: vec4f) {
  if b >= BATCH { return; }
  y[at] = row.x;
  if n + 1 < OUT_C { y[at + 1] = row.y; }
  if n + 2 < OUT_C { y[at + 2] = row.z; }
  if n + 3 < OUT_C { y[at + 3] = row.w; }
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row_tiles = (BATCH + 3) / 4;
  let column_tiles = (OUT_C + 3) / 4;
  let groups_per_pixel = (row_tiles * column_tiles + WIDTH - 1) / WIDTH;
  let linear = group.y * groups.x + group.x;
  let pixel = linear / groups_per_pixel;
  let tile = linear % groups_per_pixel * WIDTH + lane;
  if pixel >= OUT_H * OUT_W || tile >= row_tiles * column_tiles { return; }
  let b = tile % row_tiles * 4;
  let n = tile / row_tiles * 4;
  let ty = taps(pixel / OUT_W, IN_H, KERNEL_H, STRIDE_H, PAD_H);
  let tx = taps(pixel % OUT_W, IN_W, KERNEL_W, STRIDE_W, PAD_W);

  let pairs = KERNEL_H * IN_C;
  let per_split = (pairs + SPLITS - 1) / SPLITS;
  let begin = group.z * per_split;
  let end = min(pairs, begin + per_split);

  // Images and channels beyond the last repeat it; they are not stored.
  let image = IN_H * IN_W * IN_C;
  let rows = min(vec4u(b, b + 1, b + 2, b + 3), vec4u(BATCH - 1)) * image;
  let columns = min(vec4u(n, n + 1, n + 2, n + 3), vec4u(OUT_C - 1)) * select(1, IN_C, TRANSPOSED);
  let w_channel = select(OUT_C, 1u, TRANSPOSED);

  var sum = mat4x4f(); // a column is an image
  for (var pair = begin; pair < end; pair++) {
    let v = i32(pair / IN_C);
    let c = pair % IN_C;
    if v < ty.begin || v >= ty.end { continue; }
    for (var u = tx.begin; u < tx.end; u++) {
      let in_pixel = (ty.start + v * ty.direction) * i32(IN_W) + tx.start + u * tx.direction;
      let tap = (ty.first + v * ty.step) * i32(KERNEL_W) + tx.first + u * tx.step;
      let i = rows + u32(in_pixel) * IN_C + c;
      let j = columns + u32(tap) * (IN_C * OUT_C) + c * w_channel;
      let a = vec4f(x[i.x], x[i.y], x[i.z], x[i.w]);
      let k = vec4f(w[j.x], w[j.y], w[j.z], w[j.w]);
      sum += mat4x4f(k * a.x, k * a.y, k * a.z, k * a.w);
    }
  }

  let out_image = OUT_H * OUT_W * OUT_C;
  let at = (group.z * BATCH + b) * out_image + pixel * OUT_C + n;
  store(at, b, n, sum[0]);
  store(at + out_image, b + 1, n, sum[1]);
  store(at + 2 * out_image, b + 2, n, sum[2]);
  store(at + 3 * out_image, b + 3, n, sum[3]);
}
