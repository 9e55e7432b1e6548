// flags[slot] = 1 if any of x[0 .. count - 1] is NaN or infinite.
//
// By bits, since a compiler may take it that no float is NaN: all exponent bits are set in NaN and
// infinities and in nothing else. x: the bits of floats; what pads the buffer is not looked at.
// flags: whoever writes writes 1, so that the order does not matter.
// task: [count, slot], no constants, so that one pipeline serves all tests.
// One invocation tests four neighboring numbers; a workgroup 1,024.

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> flags: array<u32>;
@group(0) @binding(2) var<storage, read> task: array<u32>;

const EXPONENT: u32 = 0x7f800000;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let first = (id.y * groups.x * 256 + id.x) * 4;
  for (var i = first; i < min(first + 4, task[0]); i++) {
    if (x[i] & EXPONENT) == EXPONENT { flags[task[1]] = 1; }
  }
}
