// y[e] = x[e] as another type.
//
// x: 32-bit elements, or (BYTES) four bytes a word; floats where FROM_FLOAT is set. y: f32 or
// (TO_FLOAT false) u32: a float is cut to a whole number; below 0 and NaN give 0, above the largest
// u32 the largest. One invocation makes one element.

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

override COUNT: u32;
override BYTES: bool = false;
override FROM_FLOAT: bool = false;
override TO_FLOAT: bool = true;

fn whole(bits: u32) -> u32 {
  let value = bitcast<f32>(bits);
  if bits >= 0x7f800000 { return select(0u, 0xffffffffu, bits == 0x7f800000); } // negative, NaN, infinite
  return select(u32(min(value, 4294967040.0)), 0xffffffffu, value >= 4294967296.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * 64 + id.x;
  if e >= COUNT { return; }
  if FROM_FLOAT {
    y[e] = whole(x[e]);
    return;
  }
  var value: u32;
  if BYTES { value = (x[e / 4] >> (e % 4 * 8)) & 255; } else { value = x[e]; }
  y[e] = select(value, bitcast<u32>(f32(value)), TO_FLOAT);
}
