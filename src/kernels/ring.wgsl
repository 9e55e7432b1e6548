// ring[k mod SLOTS] = (a, b) where k = count[0]; then count[0] += 1.
//
// Keeps two scalars of every step on the device, so that the host reads many steps with one wait.
// ring: [SLOTS, 2]; a, b: one float each. One invocation does it all.

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> ring: array<f32>;
@group(0) @binding(3) var<storage, read_write> count: array<u32>;

override SLOTS: u32;

@compute @workgroup_size(1)
fn main() {
  let k = count[0];
  ring[k % SLOTS * 2] = a[0];
  ring[k % SLOTS * 2 + 1] = b[0];
  count[0] = k + 1;
}
