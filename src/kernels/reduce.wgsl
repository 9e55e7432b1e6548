// y[o, k, i] = sum (or maximum) over r in chunk k of x[o, r, i]
//
// x: [OUTER, R, INNER]; y: [OUTER, CHUNKS, INNER], row-major. Chunk k holds the rows
// k*CHUNK .. min((k+1)*CHUNK, R) - 1. The host repeats it until one chunk is left: a tree whose
// shape depends on nothing but the sizes, so the same bits come out every time.
//
// main: one invocation computes one element of y; main4: four neighbors (INNER a multiple of 4).

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> x4: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y4: array<vec4f>;

override OUTER: u32;
override R: u32;
override INNER: u32; // in main4: a quarter of it
override CHUNK: u32;
override MAXIMUM: bool = false;

// The larger one; NaN if one is NaN, by its bits, since max may drop it.
fn larger(a: vec4f, b: vec4f) -> vec4f {
  let nan = max(bitcast<vec4u>(a) & vec4u(0x7fffffff), bitcast<vec4u>(b) & vec4u(0x7fffffff)) > vec4u(0x7f800000);
  return select(max(a, b), a + b, nan);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let chunks = (R + CHUNK - 1) / CHUNK;
  let e = id.y * groups.x * 64 + id.x;
  if e >= OUTER * chunks * INNER { return; }
  let i = e % INNER;
  let k = e / INNER % chunks;
  let o = e / (INNER * chunks);
  let begin = k * CHUNK;
  let end = min(R, begin + CHUNK);
  var at = (o * R + begin) * INNER + i;
  var result = x[at];
  for (var r = begin + 1; r < end; r++) {
    at += INNER;
    let value = x[at];
    result = select(result + value, larger(vec4f(result), vec4f(value)).x, MAXIMUM);
  }
  y[e] = result;
}

@compute @workgroup_size(64)
fn main4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let chunks = (R + CHUNK - 1) / CHUNK;
  let e = id.y * groups.x * 64 + id.x;
  if e >= OUTER * chunks * INNER { return; }
  let i = e % INNER;
  let k = e / INNER % chunks;
  let o = e / (INNER * chunks);
  let begin = k * CHUNK;
  let end = min(R, begin + CHUNK);
  var at = (o * R + begin) * INNER + i;
  var result = x4[at];
  for (var r = begin + 1; r < end; r++) {
    at += INNER;
    let value = x4[at];
    result = select(result + value, larger(result, value), MAXIMUM);
  }
  y4[e] = result;
}
