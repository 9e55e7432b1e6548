// y[Y0 + sum i_d*T_d] = x[X0 + sum i_d*S_d] for every index i of a box D0 x .. x D5
//
// Transposes, cuts, joins and embeds: the host chooses strides and offsets, in elements. Elements
// are moved as bits, so that any 32-bit type (and any NaN) passes unchanged.
// main: one invocation moves one element. fill: one invocation zeroes one element of y.

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

override COUNT: u32;
override D1: u32 = 1;
override D2: u32 = 1;
override D3: u32 = 1;
override D4: u32 = 1;
override D5: u32 = 1;
override X0: u32 = 0;
override Y0: u32 = 0;
override S0: u32 = 0;
override S1: u32 = 0;
override S2: u32 = 0;
override S3: u32 = 0;
override S4: u32 = 0;
override S5: u32 = 0;
override T0: u32 = 0;
override T1: u32 = 0;
override T2: u32 = 0;
override T3: u32 = 0;
override T4: u32 = 0;
override T5: u32 = 0;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var e = id.y * groups.x * 64 + id.x;
  if e >= COUNT { return; }
  let i5 = e % D5;
  e /= D5;
  let i4 = e % D4;
  e /= D4;
  let i3 = e % D3;
  e /= D3;
  let i2 = e % D2;
  e /= D2;
  let i1 = e % D1;
  let i0 = e / D1;
  y[Y0 + i0 * T0 + i1 * T1 + i2 * T2 + i3 * T3 + i4 * T4 + i5 * T5] = x[X0 + i0 * S0 + i1 * S1 + i2 * S2 + i3 * S3 + i4 * S4 + i5 * S5];
}

@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * 64 + id.x;
  if e < COUNT { y[e] = 0; }
}
