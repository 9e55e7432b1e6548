// Statistics of batch normalization, and the two sums of its gradient, over the rows of [ROWS, C].
//
//   mean[c] = sum over r of x[r, c] / ROWS         variance[c] = sum of (x[r, c] - mean[c])^2 / ROWS
//   dbeta[c] = sum of dy[r, c]                     dgamma[c] = sum of dy[r, c] * xhat[r, c]
//   with xhat = (x - mean) / sqrt(variance + EPSILON)
//
// x, dy: row-major, read as vec4f. partial: [2, CHUNKS, C4] vec4f, C4 = ceil(C / 4).
// The statistics of a chunk are its own mean and sum of squared deviations; `combine` joins them by
// the formula of Chan, Golub and LeVeque (1979), which does not cancel as E[x^2] - E[x]^2 does.
//
// A sum of many x rounds in proportion to the mean, which matters where the deviation is far smaller.
// The deviations are exact there, and their mean is what the rounded mean lacks (the corrected
// two-pass algorithm). Where the mean is at most 256 deviations from 0, the sum is exact enough, and
// its bits stay those of earlier versions: chunks of four rows in training never reach that.
//
// statistics, gradient: one invocation takes four channels of one chunk of rows, four rows at once.
// combine, combine_gradient: one invocation takes four channels of all chunks.

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> mean: array<vec4f>;
@group(0) @binding(3) var<storage, read> variance: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(5) var<storage, read> partials: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> first: array<vec4f>; // mean or dbeta
@group(0) @binding(7) var<storage, read_write> second: array<vec4f>; // variance or dgamma

override ROWS: u32;
override C: u32;
override CHUNK: u32; // rows a chunk
override CHUNKS: u32;
override EPSILON: f32 = 0;

// Four channels of row r, wherever they lie.
fn load_x(r: u32, c4: u32) -> vec4f {
  if C % 4 == 0 { return x[r * (C / 4) + c4]; }
  let i = r * C + min(vec4u(0, 1, 2, 3) + c4 * 4, vec4u(C - 1));
  return vec4f(x[i.x / 4][i.x % 4], x[i.y / 4][i.y % 4], x[i.z / 4][i.z % 4], x[i.w / 4][i.w % 4]);
}

fn load_dy(r: u32, c4: u32) -> vec4f {
  if C % 4 == 0 { return dy[r * (C / 4) + c4]; }
  let i = r * C + min(vec4u(0, 1, 2, 3) + c4 * 4, vec4u(C - 1));
  return vec4f(dy[i.x / 4][i.x % 4], dy[i.y / 4][i.y % 4], dy[i.z / 4][i.z % 4], dy[i.w / 4][i.w % 4]);
}

// What a rounded mean lacks, `rest` of it, where it is far from 0; else 0.
fn correction(mean: vec4f, rest: vec4f, variance: vec4f) -> vec4f {
  return select(vec4f(), rest, mean * mean > 65536 * variance);
}

@compute @workgroup_size(16)
fn statistics(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channels = (C + 3) / 4;
  let i = id.y * groups.x * 16 + id.x;
  let k = i / channels;
  let c = i % channels;
  if k >= CHUNKS { return; }
  let begin = k * CHUNK;
  let end = min(ROWS, begin + CHUNK);
  var sum = vec4f();
  var r = begin;
  for (; r + 4 <= end; r += 4) {
    sum += (load_x(r, c) + load_x(r + 1, c)) + (load_x(r + 2, c) + load_x(r + 3, c));
  }
  for (; r < end; r++) { sum += load_x(r, c); }
  let middle = sum / f32(end - begin);
  var rest = vec4f();
  var squares = vec4f();
  for (r = begin; r + 4 <= end; r += 4) {
    let d0 = load_x(r, c) - middle;
    let d1 = load_x(r + 1, c) - middle;
    let d2 = load_x(r + 2, c) - middle;
    let d3 = load_x(r + 3, c) - middle;
    rest += (d0 + d1) + (d2 + d3);
    squares += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
  }
  for (; r < end; r++) {
    let d = load_x(r, c) - middle;
    rest += d;
    squares += d * d;
  }
  let rows = f32(end - begin);
  let lacking = correction(middle, rest / rows, squares / rows);
  partial[k * channels + c] = middle + lacking;
  partial[(CHUNKS + k) * channels + c] = squares - rows * lacking * lacking;
}

@compute @workgroup_size(16)
fn combine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channels = (C + 3) / 4;
  let c = id.y * groups.x * 16 + id.x;
  if c >= channels { return; }
  var middle = vec4f();
  for (var k = 0u; k < CHUNKS; k++) {
    let rows = f32(min(ROWS, (k + 1) * CHUNK) - k * CHUNK);
    middle += partials[k * channels + c] * (rows / f32(ROWS));
  }
  var rest = vec4f();
  var squares = vec4f();
  for (var k = 0u; k < CHUNKS; k++) {
    let rows = f32(min(ROWS, (k + 1) * CHUNK) - k * CHUNK);
    let shift = partials[k * channels + c] - middle;
    rest += shift * (rows / f32(ROWS));
    squares += partials[(CHUNKS + k) * channels + c] + rows * shift * shift;
  }
  let variance_about_middle = squares / f32(ROWS);
  let lacking = correction(middle, rest, variance_about_middle);
  first[c] = middle + lacking;
  second[c] = variance_about_middle - lacking * lacking;
}

@compute @workgroup_size(16)
fn gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channels = (C + 3) / 4;
  let i = id.y * groups.x * 16 + id.x;
  let k = i / channels;
  let c = i % channels;
  if k >= CHUNKS { return; }
  let begin = k * CHUNK;
  let end = min(ROWS, begin + CHUNK);
  let middle = mean[c];
  var sum = vec4f();
  var product = vec4f();
  var r = begin;
  for (; r + 4 <= end; r += 4) {
    let d0 = load_dy(r, c);
    let d1 = load_dy(r + 1, c);
    let d2 = load_dy(r + 2, c);
    let d3 = load_dy(r + 3, c);
    sum += (d0 + d1) + (d2 + d3);
    product += (d0 * (load_x(r, c) - middle) + d1 * (load_x(r + 1, c) - middle)) +
      (d2 * (load_x(r + 2, c) - middle) + d3 * (load_x(r + 3, c) - middle));
  }
  for (; r < end; r++) {
    let d = load_dy(r, c);
    sum += d;
    product += d * (load_x(r, c) - middle);
  }
  partial[k * channels + c] = sum;
  partial[(CHUNKS + k) * channels + c] = product * inverseSqrt(variance[c] + EPSILON);
}

@compute @workgroup_size(16)
fn combine_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channels = (C + 3) / 4;
  let c = id.y * groups.x * 16 + id.x;
  if c >= channels { return; }
  var sum = vec4f();
  var product = vec4f();
  for (var k = 0u; k < CHUNKS; k++) {
    sum += partials[k * channels + c];
    product += partials[(CHUNKS + k) * channels + c];
  }
  first[c] = sum;
  second[c] = product;
}
