// Tile transforms of Winograd's convolution: points = T * tile * transpose(T), and back.
//
//   gather:  y[p, q; row, phase, c] = sum over i, j of T[p, i] * T[q, j] * x[b, Y(i), X(j), c]
//   scatter: y[b, Y(p), X(q), c] = sum over i, j of T[p, i] * T[q, j] * u[i, j; row, phase, c]
//
//   where row = (b, ty, tx) is a tile of an image, phase = (fy, fx) one of STRIDE x STRIDE, and
//   Y(i) = STRIDE * (STEP*ty + i) + fy - PAD, X(j) likewise.
//
// An image is read as zero outside of its borders, and not written there. A convolution's kernel is
// transformed as an image too: KERNEL_H x KERNEL_W pixels in one tile, in x out channels.
//
// T:     OUT x IN, at most 8 x 8: override constants, so that the compiler drops products with zero.
// x, y:  images are [all, HEIGHT, WIDTH, CHANNELS], of which the BATCH from BASE on are
//        transformed. u, y: points are [IN or OUT squared, BATCH * TILES_Y * TILES_X,
//        CHANNELS / TOGETHER, STRIDE^2, TOGETHER]. Row-major, as vec4f; CHANNELS and TOGETHER are
//        multiples of 4. x is a texture, texel i at (i % 4096, i / 4096), because its tiles overlap;
//        each point is read only once, so that a texture copy would cost more than it saves.
// One invocation: four channels of one tile and phase. A workgroup: 64 of them.

// No override constants: each set of those is another pipeline to compile.
struct Sizes {
  BASE: u32,
  BATCH: u32,
  HEIGHT: u32,
  WIDTH: u32,
  CHANNELS: u32,
  TOGETHER: u32,
  TILES_Y: u32,
  TILES_X: u32,
  STEP: u32,
  STRIDE: u32,
  PAD: i32,
}

@group(0) @binding(0) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read> sizes: Sizes;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> u: array<vec4f>;

// Sides of the square tile that is read, and of the one that is written.
override IN: u32;
override OUT: u32;
override T00: f32 = 0; override T01: f32 = 0; override T02: f32 = 0; override T03: f32 = 0; override T04: f32 = 0; override T05: f32 = 0; override T06: f32 = 0; override T07: f32 = 0;
override T10: f32 = 0; override T11: f32 = 0; override T12: f32 = 0; override T13: f32 = 0; override T14: f32 = 0; override T15: f32 = 0; override T16: f32 = 0; override T17: f32 = 0;
override T20: f32 = 0; override T21: f32 = 0; override T22: f32 = 0; override T23: f32 = 0; override T24: f32 = 0; override T25: f32 = 0; override T26: f32 = 0; override T27: f32 = 0;
override T30: f32 = 0; override T31: f32 = 0; override T32: f32 = 0; override T33: f32 = 0; override T34: f32 = 0; override T35: f32 = 0; override T36: f32 = 0; override T37: f32 = 0;
override T40: f32 = 0; override T41: f32 = 0; override T42: f32 = 0; override T43: f32 = 0; override T44: f32 = 0; override T45: f32 = 0; override T46: f32 = 0; override T47: f32 = 0;
override T50: f32 = 0; override T51: f32 = 0; override T52: f32 = 0; override T53: f32 = 0; override T54: f32 = 0; override T55: f32 = 0; override T56: f32 = 0; override T57: f32 = 0;
override T60: f32 = 0; override T61: f32 = 0; override T62: f32 = 0; override T63: f32 = 0; override T64: f32 = 0; override T65: f32 = 0; override T66: f32 = 0; override T67: f32 = 0;
override T70: f32 = 0; override T71: f32 = 0; override T72: f32 = 0; override T73: f32 = 0; override T74: f32 = 0; override T75: f32 = 0; override T76: f32 = 0; override T77: f32 = 0;

fn load(i: u32) -> vec4f { return textureLoad(x, vec2u(i & 4095, i >> 12)); }

// Where an invocation works, in elements of vec4f.
struct Place {
  // Image coordinates of element (0, 0) of the tile, and what one element further adds.
  top: i32,
  left: i32,
  stride: i32,
  height: i32,
  width: i32,
  // Index of pixel (0, 0) of the image, and elements of a pixel.
  image: i32,
  channels: i32,
  // Index of (tile, phase, c) in a point, and elements of a point.
  at: u32,
  point: u32,
  // Whether there is work for it.
  busy: bool,
}

// The sizes are read here, once: a compiler cannot know that writing y leaves them alone.
fn place(id: u32) -> Place {
  let s = sizes;
  let phases = s.STRIDE * s.STRIDE;
  let channels = s.CHANNELS / 4;
  let c = id % channels;
  let phase = id / channels % phases;
  let row = id / channels / phases;
  let b = row / (s.TILES_Y * s.TILES_X);
  let tile = row % (s.TILES_Y * s.TILES_X);
  // Channels that stay together, and the group of them.
  let together = s.TOGETHER / 4;
  let group = row * (channels / together) + c / together;
  return Place(
    i32(s.STRIDE * s.STEP * (tile / s.TILES_X) + phase / s.STRIDE) - s.PAD,
    i32(s.STRIDE * s.STEP * (tile % s.TILES_X) + phase % s.STRIDE) - s.PAD,
    i32(s.STRIDE),
    i32(s.HEIGHT),
    i32(s.WIDTH),
    i32((s.BASE + b) * s.HEIGHT * s.WIDTH * channels + c),
    i32(channels),
    (group * phases + phase) * together + c % together,
    s.BATCH * s.TILES_Y * s.TILES_X * phases * channels,
    b < s.BATCH,
  );
}

fn pixel(at: Place, i: i32, j: i32) -> vec4f {
  if i >= i32(IN) || j >= i32(IN) { return vec4f(); }
  let row = at.top + i * at.stride;
  let col = at.left + j * at.stride;
  let inside = row >= 0 && row < at.height && col >= 0 && col < at.width;
  let index = at.image + (row * at.width + col) * at.channels;
  return select(vec4f(), load(u32(select(0, index, inside))), inside);
}

fn point(at: Place, i: u32, j: u32) -> vec4f {
  if i >= IN || j >= IN { return vec4f(); }
  return u[(i * IN + j) * at.point + at.at];
}

// Eight elements in a line of the tile, four channels each.
struct Line { a: mat4x4f, b: mat4x4f }

fn pixels(at: Place, i: i32) -> Line {
  return Line(
    mat4x4f(pixel(at, i, 0), pixel(at, i, 1), pixel(at, i, 2), pixel(at, i, 3)),
    mat4x4f(pixel(at, i, 4), pixel(at, i, 5), pixel(at, i, 6), pixel(at, i, 7)),
  );
}

fn points(at: Place, i: u32) -> Line {
  return Line(
    mat4x4f(point(at, i, 0), point(at, i, 1), point(at, i, 2), point(at, i, 3)),
    mat4x4f(point(at, i, 4), point(at, i, 5), point(at, i, 6), point(at, i, 7)),
  );
}

// A line of the tile times transpose(T), in blocks of 4 x 4.
fn transform(line: Line) -> Line {
  let low_low = mat4x4f(
    T00, T01, T02, T03,
    T10, T11, T12, T13,
    T20, T21, T22, T23,
    T30, T31, T32, T33,
  );
  let low_high = mat4x4f(
    T04, T05, T06, T07,
    T14, T15, T16, T17,
    T24, T25, T26, T27,
    T34, T35, T36, T37,
  );
  let high_low = mat4x4f(
    T40, T41, T42, T43,
    T50, T51, T52, T53,
    T60, T61, T62, T63,
    T70, T71, T72, T73,
  );
  let high_high = mat4x4f(
    T44, T45, T46, T47,
    T54, T55, T56, T57,
    T64, T65, T66, T67,
    T74, T75, T76, T77,
  );
  var result = Line(line.a * low_low, mat4x4f());
  if IN > 4 { result.a += line.b * low_high; }
  if OUT > 4 {
    result.b = line.a * high_low;
    if IN > 4 { result.b += line.b * high_high; }
  }
  return result;
}

// Column j of eight lines, transformed.
fn column(j: u32, r0: Line, r1: Line, r2: Line, r3: Line, r4: Line, r5: Line, r6: Line, r7: Line) -> Line {
  if j < 4 {
    return transform(Line(mat4x4f(r0.a[j], r1.a[j], r2.a[j], r3.a[j]), mat4x4f(r4.a[j], r5.a[j], r6.a[j], r7.a[j])));
  }
  let k = j - 4;
  return transform(Line(mat4x4f(r0.b[k], r1.b[k], r2.b[k], r3.b[k]), mat4x4f(r4.b[k], r5.b[k], r6.b[k], r7.b[k])));
}

fn put_point(at: Place, p: u32, q: u32, value: vec4f) {
  if p < OUT && q < OUT { y[(p * OUT + q) * at.point + at.at] = value; }
}

fn put_points(at: Place, q: u32, line: Line) {
  put_point(at, 0, q, line.a[0]);
  put_point(at, 1, q, line.a[1]);
  put_point(at, 2, q, line.a[2]);
  put_point(at, 3, q, line.a[3]);
  put_point(at, 4, q, line.b[0]);
  put_point(at, 5, q, line.b[1]);
  put_point(at, 6, q, line.b[2]);
  put_point(at, 7, q, line.b[3]);
}

fn put_pixel(at: Place, p: i32, q: i32, value: vec4f) {
  if p >= i32(OUT) || q >= i32(OUT) { return; }
  let row = at.top + p * at.stride;
  let col = at.left + q * at.stride;
  if row >= 0 && row < at.height && col >= 0 && col < at.width {
    y[at.image + (row * at.width + col) * at.channels] = value;
  }
}

fn put_pixels(at: Place, q: i32, line: Line) {
  put_pixel(at, 0, q, line.a[0]);
  put_pixel(at, 1, q, line.a[1]);
  put_pixel(at, 2, q, line.a[2]);
  put_pixel(at, 3, q, line.a[3]);
  put_pixel(at, 4, q, line.b[0]);
  put_pixel(at, 5, q, line.b[1]);
  put_pixel(at, 6, q, line.b[2]);
  put_pixel(at, 7, q, line.b[3]);
}

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = place(id.y * groups.x * 64 + id.x);
  if !at.busy { return; }
  let r0 = transform(pixels(at, 0));
  let r1 = transform(pixels(at, 1));
  let r2 = transform(pixels(at, 2));
  let r3 = transform(pixels(at, 3));
  let r4 = transform(pixels(at, 4));
  let r5 = transform(pixels(at, 5));
  let r6 = transform(pixels(at, 6));
  let r7 = transform(pixels(at, 7));
  put_points(at, 0, column(0, r0, r1, r2, r3, r4, r5, r6, r7));
  put_points(at, 1, column(1, r0, r1, r2, r3, r4, r5, r6, r7));
  put_points(at, 2, column(2, r0, r1, r2, r3, r4, r5, r6, r7));
  put_points(at, 3, column(3, r0, r1, r2, r3, r4, r5, r6, r7));
  put_points(at, 4, column(4, r0, r1, r2, r3, r4, r5, r6, r7));
  put_points(at, 5, column(5, r0, r1, r2, r3, r4, r5, r6, r7));
  put_points(at, 6, column(6, r0, r1, r2, r3, r4, r5, r6, r7));
  put_points(at, 7, column(7, r0, r1, r2, r3, r4, r5, r6, r7));
}

@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = place(id.y * groups.x * 64 + id.x);
  if !at.busy { return; }
  let r0 = transform(points(at, 0));
  let r1 = transform(points(at, 1));
  let r2 = transform(points(at, 2));
  let r3 = transform(points(at, 3));
  let r4 = transform(points(at, 4));
  let r5 = transform(points(at, 5));
  let r6 = transform(points(at, 6));
  let r7 = transform(points(at, 7));
  put_pixels(at, 0, column(0, r0, r1, r2, r3, r4, r5, r6, r7));
  put_pixels(at, 1, column(1, r0, r1, r2, r3, r4, r5, r6, r7));
  put_pixels(at, 2, column(2, r0, r1, r2, r3, r4, r5, r6, r7));
  put_pixels(at, 3, column(3, r0, r1, r2, r3, r4, r5, r6, r7));
  put_pixels(at, 4, column(4, r0, r1, r2, r3, r4, r5, r6, r7));
  put_pixels(at, 5, column(5, r0, r1, r2, r3, r4, r5, r6, r7));
  put_pixels(at, 6, column(6, r0, r1, r2, r3, r4, r5, r6, r7));
  put_pixels(at, 7, column(7, r0, r1, r2, r3, r4, r5, r6, r7));
}
