// Counter-based random numbers: Threefry-2x32, 20 rounds (Salmon et al. 2011, "Parallel random
// numbers: as easy as 1, 2, 3"). The same (seed, stream, step, element) gives the same bits.
//
//   words 2i and 2i + 1 of an op = threefry(counter = (i, step), key = (seed, STREAM))
//
// state: [seed, step]. y: COUNT elements, written as vec4f.
// bits: the words, one pair an invocation. The others make four elements an invocation:
// uniform: 24 bits of a word as a float in [0, 1), times SCALE, plus MINIMUM, and LAST, the largest
//   float below the maximum, where that was rounded up to it.
// normal: each pair of words makes a pair of standard normals (Box and Muller 1958).
// mask: 1 / (1 - RATE) where that float is at least RATE, else 0.
// known_answer: y[2i..] = threefry(x[4i], x[4i+1]; key x[4i+2], x[4i+3]), for the published vectors.
// advance: step += 1, by one invocation.

@group(0) @binding(0) var<storage, read> state: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<u32>;
@group(0) @binding(4) var<storage, read_write> counter: array<u32>;

override COUNT: u32 = 1;
override STREAM: u32 = 0;
override MINIMUM: f32 = 0;
override SCALE: f32 = 1;
override LAST: f32 = 1;
override RATE: f32 = 0;

fn rotate(v: u32, r: u32) -> u32 { return (v << r) | (v >> (32 - r)); }

fn round(v: vec2u, r: u32) -> vec2u {
  let sum = v.x + v.y;
  return vec2u(sum, rotate(v.y, r) ^ sum);
}

fn four_rounds(v: vec2u, r: vec4u) -> vec2u {
  return round(round(round(round(v, r.x), r.y), r.z), r.w);
}

fn threefry(counter: vec2u, key: vec2u) -> vec2u {
  let k0 = key.x;
  let k1 = key.y;
  let k2 = 0x1bd11bda ^ k0 ^ k1;
  let even = vec4u(13, 15, 26, 6);
  let odd = vec4u(17, 29, 16, 24);
  var v = counter + key;
  v = four_rounds(v, even) + vec2u(k1, k2 + 1);
  v = four_rounds(v, odd) + vec2u(k2, k0 + 2);
  v = four_rounds(v, even) + vec2u(k0, k1 + 3);
  v = four_rounds(v, odd) + vec2u(k1, k2 + 4);
  v = four_rounds(v, even) + vec2u(k2, k0 + 5);
  return v;
}

fn draw(pair: u32) -> vec2u {
  return threefry(vec2u(pair, state[1]), vec2u(state[0], STREAM));
}

// Four floats in [0, 1) from the upper 24 bits: every value is exact.
fn units(i: u32) -> vec4f {
  return vec4f(vec4u(draw(2 * i), draw(2 * i + 1)) >> vec4u(8)) * 0x1p-24;
}

// The pair of normals of two floats in [0, 1).
fn normals(u: vec2f) -> vec2f {
  // WGSL promises sine and cosine close only in [-pi, pi]; u - 1 is exact.
  let angle = 6.283185307179586 * select(u.y, u.y - 1, u.y > 0.5);
  return sqrt(-2 * log(1 - u.x)) * vec2f(cos(angle), sin(angle)); // 1 - u is never 0
}

@compute @workgroup_size(64)
fn bits(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let pair = id.y * groups.x * 64 + id.x;
  let v = draw(pair);
  if 2 * pair < COUNT { words[2 * pair] = v.x; }
  if 2 * pair + 1 < COUNT { words[2 * pair + 1] = v.y; }
}

@compute @workgroup_size(64)
fn uniform(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64 + id.x;
  if 4 * i < COUNT { y[i] = min(units(i) * SCALE + MINIMUM, vec4f(LAST)); }
}

@compute @workgroup_size(64)
fn normal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64 + id.x;
  let u = units(i);
  if 4 * i < COUNT { y[i] = vec4f(normals(u.xy), normals(u.zw)); }
}

@compute @workgroup_size(64)
fn mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64 + id.x;
  if 4 * i < COUNT { y[i] = select(vec4f(0), vec4f(1 / (1 - RATE)), units(i) >= vec4f(RATE)); }
}

@compute @workgroup_size(64)
fn known_answer(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if i >= COUNT { return; }
  let v = threefry(vec2u(x[4 * i], x[4 * i + 1]), vec2u(x[4 * i + 2], x[4 * i + 3]));
  words[2 * i] = v.x;
  words[2 * i + 1] = v.y;
}

@compute @workgroup_size(1)
fn advance() { counter[1] += 1; }
