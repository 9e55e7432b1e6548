// dx[n, j] = sum over i with index[i] = n of dy[i, j]: the gradient of gather.
//
// dx: [N, ROW]; index: [COUNT], u32 or (FLOAT_INDEX) f32; dy: [COUNT, ROW].
// One invocation computes one element of dx and looks through a share of COUNT (BEGIN .. END), in
// order: slower than scattering, but without float atomics the result is the same every time.
// ACCUMULATE adds to what dx holds.

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

override N: u32;
override ROW: u32;
override COUNT: u32;
override BEGIN: u32 = 0;
override END: u32;
override FLOAT_INDEX: bool = false;
override ACCUMULATE: bool = false;

fn row(i: u32) -> u32 {
  if !FLOAT_INDEX { return min(index[i], N - 1); }
  if (index[i] & 0x7fffffff) > 0x7f800000 { return 0; } // NaN
  let value = clamp(round(bitcast<f32>(index[i])), 0, f32(N - 1));
  return min(u32(value), N - 1); // f32 may have rounded N - 1 up
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * 64 + id.x;
  if e >= N * ROW { return; }
  let n = e / ROW;
  let j = e % ROW;
  var sum = 0.0;
  if ACCUMULATE { sum = dx[e]; }
  for (var i = BEGIN; i < END; i++) {
    if row(i) == n { sum += dy[i * ROW + j]; }
  }
  dx[e] = sum;
}
