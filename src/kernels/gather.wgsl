// y[i, j] = x[index[i], j]
//
// x: [N, ROW] of 32-bit elements, moved as bits; index: [COUNT], u32 or (FLOAT_INDEX) f32, which is
// rounded; beyond the last row it means the last row, below 0 or NaN the first. y: [COUNT, ROW]. One invocation moves one element.
//
// images: y[i, j] = (byte j of x[index[i]] - 127.5) / 127.5, the tutorial's scaling to [-1, 1];
// there x holds four bytes a word and one invocation makes one element of y.

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<storage, read_write> image: array<f32>;

override N: u32;
override ROW: u32;
override COUNT: u32;
override FLOAT_INDEX: bool = false;

fn row(i: u32) -> u32 {
  if !FLOAT_INDEX { return min(index[i], N - 1); }
  if (index[i] & 0x7fffffff) > 0x7f800000 { return 0; } // NaN
  let value = clamp(round(bitcast<f32>(index[i])), 0, f32(N - 1));
  return min(u32(value), N - 1); // f32 may have rounded N - 1 up
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * 64 + id.x;
  if e >= COUNT * ROW { return; }
  y[e] = x[row(e / ROW) * ROW + e % ROW];
}

@compute @workgroup_size(64)
fn images(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * 64 + id.x;
  if e >= COUNT * ROW { return; }
  let byte = row(e / ROW) * ROW + e % ROW;
  let value = (x[byte / 4] >> (byte % 4 * 8)) & 255;
  image[e] = (f32(value) - 127.5) / 127.5;
}
