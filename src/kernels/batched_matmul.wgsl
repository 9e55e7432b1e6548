// A batch of matrix products of the same sizes, operands in storage textures. Winograd's transform
// needs one product for each of its points p.
//
//   nn: y[p, r, n] = sum over k of x[p, r, k] * w[p, k, n]
//   tn: y[p, k, n] = sum over r of x[p, r, k] * w[p, r, n], added to what y holds if ACCUMULATE
//
// sizes: points, R, K, N, ACCUMULATE. They are no override constants: a compiler made code from those
//        that was a third slower at some sizes than at others, and each set is another pipeline.
// x, w:  row-major, four floats a texel, texel i at (i % 4096, i / 4096); K and N are multiples of 4.
//        On a software adapter a texture load is five times cheaper than a buffer's.
// y:     row-major, as vec4f.
// Neighboring lanes compute neighboring columns: they load the same x, and w side by side. (Rows, one
// for each lane, would be a power of two bytes apart and fall into the same few cache sets.)
// One invocation: 16 x 16 of y. A workgroup: 64 such tiles, point after point; id.y goes on where id.x
// ends. The tiles are written out as mat4x4f: see `conv_texture.wgsl`.

@group(0) @binding(0) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var w: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> sizes: array<u32>;

fn load_x(i: u32) -> vec4f { return textureLoad(x, vec2u(i & 4095, i >> 12)); }
fn load_w(i: u32) -> vec4f { return textureLoad(w, vec2u(i & 4095, i >> 12)); }

// Point and first row and column of a tile.
fn tile(i: u32, rows: u32, columns: u32) -> vec3u {
  let row_tiles = (rows + 15) / 16;
  let column_tiles = (columns + 15) / 16;
  return vec3u(i / (row_tiles * column_tiles), i / column_tiles % row_tiles * 16, i % column_tiles * 16);
}

// Four k (columns) by four n (components). Measure any change of these addresses: small ones have made
// the compiled loop a third slower.
fn weights(at: u32, n: u32, columns: u32) -> mat4x4f {
  let i = at + n / 4;
  let stride = columns / 4;
  return mat4x4f(load_w(i), load_w(i + stride), load_w(i + 2 * stride), load_w(i + 3 * stride));
}

// Four rows of y from `row` on, of `rows` in all.
fn store(at: u32, row: u32, rows: u32, n: u32, columns: u32, tile: mat4x4f) {
  if n >= columns { return; }
  let stride = columns / 4;
  let i = at + row * stride + n / 4;
  if row < rows { y[i] = tile[0]; }
  if row + 1 < rows { y[i + stride] = tile[1]; }
  if row + 2 < rows { y[i + 2 * stride] = tile[2]; }
  if row + 3 < rows { y[i + 3 * stride] = tile[3]; }
}

// What y holds at these four rows, or zeros.
fn before(at: u32, row: u32, n: u32, columns: u32) -> mat4x4f {
  if sizes[4] == 0 { return mat4x4f(); }
  let stride = columns / 4;
  let i = at + row * stride + n / 4;
  return mat4x4f(y[i], y[i + stride], y[i + 2 * stride], y[i + 3 * stride]);
}

@compute @workgroup_size(64)
fn nn(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let points = sizes[0];
  let R = sizes[1];
  let K = sizes[2];
  let N = sizes[3];
  let at = tile(id.y * groups.x * 64 + id.x, R, N);
  let p = at.x;
  let r = at.y;
  let n = at.z;
  if p >= points { return; }
  let quads = K / 4;
  // Rows beyond the last repeat it; they are not stored.
  let r0 = (p * R + min(r, R - 1)) * quads;
  let r1 = (p * R + min(r + 1, R - 1)) * quads;
  let r2 = (p * R + min(r + 2, R - 1)) * quads;
  let r3 = (p * R + min(r + 3, R - 1)) * quads;
  let r4 = (p * R + min(r + 4, R - 1)) * quads;
  let r5 = (p * R + min(r + 5, R - 1)) * quads;
  let r6 = (p * R + min(r + 6, R - 1)) * quads;
  let r7 = (p * R + min(r + 7, R - 1)) * quads;
  let r8 = (p * R + min(r + 8, R - 1)) * quads;
  let r9 = (p * R + min(r + 9, R - 1)) * quads;
  let r10 = (p * R + min(r + 10, R - 1)) * quads;
  let r11 = (p * R + min(r + 11, R - 1)) * quads;
  let r12 = (p * R + min(r + 12, R - 1)) * quads;
  let r13 = (p * R + min(r + 13, R - 1)) * quads;
  let r14 = (p * R + min(r + 14, R - 1)) * quads;
  let r15 = (p * R + min(r + 15, R - 1)) * quads;
  var y00 = mat4x4f();
  var y01 = mat4x4f();
  var y02 = mat4x4f();
  var y03 = mat4x4f();
  var y10 = mat4x4f();
  var y11 = mat4x4f();
  var y12 = mat4x4f();
  var y13 = mat4x4f();
  var y20 = mat4x4f();
  var y21 = mat4x4f();
  var y22 = mat4x4f();
  var y23 = mat4x4f();
  var y30 = mat4x4f();
  var y31 = mat4x4f();
  var y32 = mat4x4f();
  var y33 = mat4x4f();
  for (var k = 0u; k < quads; k++) {
    let x0 = mat4x4f(load_x(r0 + k), load_x(r1 + k), load_x(r2 + k), load_x(r3 + k));
    let x1 = mat4x4f(load_x(r4 + k), load_x(r5 + k), load_x(r6 + k), load_x(r7 + k));
    let x2 = mat4x4f(load_x(r8 + k), load_x(r9 + k), load_x(r10 + k), load_x(r11 + k));
    let x3 = mat4x4f(load_x(r12 + k), load_x(r13 + k), load_x(r14 + k), load_x(r15 + k));
    let j = p * (K * N / 4) + k * N;
    let w0 = weights(j, n, N);
    let w1 = weights(j, n + 4, N);
    let w2 = weights(j, n + 8, N);
    let w3 = weights(j, n + 12, N);
    y00 += w0 * x0;
    y10 += w0 * x1;
    y20 += w0 * x2;
    y30 += w0 * x3;
    y01 += w1 * x0;
    y11 += w1 * x1;
    y21 += w1 * x2;
    y31 += w1 * x3;
    y02 += w2 * x0;
    y12 += w2 * x1;
    y22 += w2 * x2;
    y32 += w2 * x3;
    y03 += w3 * x0;
    y13 += w3 * x1;
    y23 += w3 * x2;
    y33 += w3 * x3;
  }
  let out = p * (R * N / 4);
  store(out, r, R, n, N, y00);
  store(out, r, R, n + 4, N, y01);
  store(out, r, R, n + 8, N, y02);
  store(out, r, R, n + 12, N, y03);
  store(out, r + 4, R, n, N, y10);
  store(out, r + 4, R, n + 4, N, y11);
  store(out, r + 4, R, n + 8, N, y12);
  store(out, r + 4, R, n + 12, N, y13);
  store(out, r + 8, R, n, N, y20);
  store(out, r + 8, R, n + 4, N, y21);
  store(out, r + 8, R, n + 8, N, y22);
  store(out, r + 8, R, n + 12, N, y23);
  store(out, r + 12, R, n, N, y30);
  store(out, r + 12, R, n + 4, N, y31);
  store(out, r + 12, R, n + 8, N, y32);
  store(out, r + 12, R, n + 12, N, y33);
}

@compute @workgroup_size(64)
fn tn(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let points = sizes[0];
  let R = sizes[1];
  let K = sizes[2];
  let N = sizes[3];
  let at = tile(id.y * groups.x * 64 + id.x, K, N);
  let p = at.x;
  let k = at.y;
  let n = at.z;
  if p >= points { return; }
  let out = p * (K * N / 4);
  var y00 = before(out, k, n, N);
  var y01 = before(out, k, n + 4, N);
  var y02 = before(out, k, n + 8, N);
  var y03 = before(out, k, n + 12, N);
  var y10 = before(out, k + 4, n, N);
  var y11 = before(out, k + 4, n + 4, N);
  var y12 = before(out, k + 4, n + 8, N);
  var y13 = before(out, k + 4, n + 12, N);
  var y20 = before(out, k + 8, n, N);
  var y21 = before(out, k + 8, n + 4, N);
  var y22 = before(out, k + 8, n + 8, N);
  var y23 = before(out, k + 8, n + 12, N);
  var y30 = before(out, k + 12, n, N);
  var y31 = before(out, k + 12, n + 4, N);
  var y32 = before(out, k + 12, n + 8, N);
  var y33 = before(out, k + 12, n + 12, N);
  for (var r = 0u; r < R; r += 4) {
    // Rows beyond the last repeat it, times zero.
    let last = R - 1;
    let i0 = (p * R + r) * (K / 4) + k / 4;
    let i1 = (p * R + min(r + 1, last)) * (K / 4) + k / 4;
    let i2 = (p * R + min(r + 2, last)) * (K / 4) + k / 4;
    let i3 = (p * R + min(r + 3, last)) * (K / 4) + k / 4;
    let j0 = (p * R + r) * (N / 4) + n / 4;
    let j1 = (p * R + min(r + 1, last)) * (N / 4) + n / 4;
    let j2 = (p * R + min(r + 2, last)) * (N / 4) + n / 4;
    let j3 = (p * R + min(r + 3, last)) * (N / 4) + n / 4;
    let s1 = select(0.0, 1.0, r + 1 <= last);
    let s2 = select(0.0, 1.0, r + 2 <= last);
    let s3 = select(0.0, 1.0, r + 3 <= last);
    let x0 = transpose(mat4x4f(load_x(i0), load_x(i1), load_x(i2), load_x(i3)));
    let x1 = transpose(mat4x4f(load_x(i0 + 1), load_x(i1 + 1), load_x(i2 + 1), load_x(i3 + 1)));
    let x2 = transpose(mat4x4f(load_x(i0 + 2), load_x(i1 + 2), load_x(i2 + 2), load_x(i3 + 2)));
    let x3 = transpose(mat4x4f(load_x(i0 + 3), load_x(i1 + 3), load_x(i2 + 3), load_x(i3 + 3)));
    let w0 = mat4x4f(load_w(j0), s1 * load_w(j1), s2 * load_w(j2), s3 * load_w(j3));
    y00 += w0 * x0;
    y10 += w0 * x1;
    y20 += w0 * x2;
    y30 += w0 * x3;
    let w1 = mat4x4f(load_w(j0 + 1), s1 * load_w(j1 + 1), s2 * load_w(j2 + 1), s3 * load_w(j3 + 1));
    y01 += w1 * x0;
    y11 += w1 * x1;
    y21 += w1 * x2;
    y31 += w1 * x3;
    let w2 = mat4x4f(load_w(j0 + 2), s1 * load_w(j1 + 2), s2 * load_w(j2 + 2), s3 * load_w(j3 + 2));
    y02 += w2 * x0;
    y12 += w2 * x1;
    y22 += w2 * x2;
    y32 += w2 * x3;
    let w3 = mat4x4f(load_w(j0 + 3), s1 * load_w(j1 + 3), s2 * load_w(j2 + 3), s3 * load_w(j3 + 3));
    y03 += w3 * x0;
    y13 += w3 * x1;
    y23 += w3 * x2;
    y33 += w3 * x3;
  }
  store(out, k, K, n, N, y00);
  store(out, k, K, n + 4, N, y01);
  store(out, k, K, n + 8, N, y02);
  store(out, k, K, n + 12, N, y03);
  store(out, k + 4, K, n, N, y10);
  store(out, k + 4, K, n + 4, N, y11);
  store(out, k + 4, K, n + 8, N, y12);
  store(out, k + 4, K, n + 12, N, y13);
  store(out, k + 8, K, n, N, y20);
  store(out, k + 8, K, n + 4, N, y21);
  store(out, k + 8, K, n + 8, N, y22);
  store(out, k + 8, K, n + 12, N, y23);
  store(out, k + 12, K, n, N, y30);
  store(out, k + 12, K, n + 4, N, y31);
  store(out, k + 12, K, n + 8, N, y32);
  store(out, k + 12, K, n + 12, N, y33);
}
