// The adapter's arithmetic peak: multiply-adds on registers, three independent chains of vec4f,
// unrolled 16 times. 384 operations a round for each invocation.
//
// y: one float an invocation, so that nothing is optimized away. A workgroup: 64 invocations.

@group(0) @binding(0) var<storage, read_write> y: array<f32>;

override ROUNDS: u32;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = vec4f(0.999);
  let z = vec4f(1e-3);
  var a = vec4f(f32(id.x));
  var b = a + 1;
  var c = a + 2;
  for (var i = 0u; i < ROUNDS; i++) {
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
    a = a * x + z;
    b = b * x + z;
    c = c * x + z;
  }
  store(id.x, a + b + c);
}

fn store(i: u32, v: vec4f) { y[i] = v.x + v.y + v.z + v.w; }
