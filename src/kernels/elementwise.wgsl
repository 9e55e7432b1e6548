// y[e] = f(x0[e0], x1[e1], ...): a fused chain of elementwise instructions with broadcasting.
//
// The chain is data, not text: each instruction is an override constant, so that a pipeline is
// specialised to its chain and the compiler folds every switch below away. Numbers are no part of
// it: chains that differ in numbers alone share a pipeline.
//
//   I{n} = code | a << 8 | b << 16 | c << 24   codes are the cases of `apply`, which the host reads
//   registers: 0..5 the inputs, 6 + n the result of I{n}, 22 + n the number in words[n]
//
// y and every x: row-major, read as vec4f. Shapes are collapsed by the host to four axes
// [.., D1, D2, D3]; S{i}_{d} is input i's stride along axis d, 0 where it is broadcast.
// words: two zeros, then the numbers of the chain, as bits.
// One invocation computes four neighboring elements of y; a workgroup 1,024.

@group(0) @binding(0) var<storage, read> x0: array<vec4f>;
@group(0) @binding(1) var<storage, read> x1: array<vec4f>;
@group(0) @binding(2) var<storage, read> x2: array<vec4f>;
@group(0) @binding(3) var<storage, read> x3: array<vec4f>;
@group(0) @binding(4) var<storage, read> x4: array<vec4f>;
@group(0) @binding(5) var<storage, read> x5: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(7) var<uniform> words: array<vec4u, 5>;

override COUNT: u32; // groups of four elements in y
override LENGTH: u32 = 1; // instructions
override D1: u32 = 1;
override D2: u32 = 1;
override D3: u32 = 1;

// How input i is read: 0 not at all, 1 at e itself, 2 four along the last axis, 3 one value for
// all four, 4 element by element.
override M0: u32 = 0;
override M1: u32 = 0;
override M2: u32 = 0;
override M3: u32 = 0;
override M4: u32 = 0;
override M5: u32 = 0;

override S0_0: u32 = 0;
override S0_1: u32 = 0;
override S0_2: u32 = 0;
override S0_3: u32 = 0;
override S1_0: u32 = 0;
override S1_1: u32 = 0;
override S1_2: u32 = 0;
override S1_3: u32 = 0;
override S2_0: u32 = 0;
override S2_1: u32 = 0;
override S2_2: u32 = 0;
override S2_3: u32 = 0;
override S3_0: u32 = 0;
override S3_1: u32 = 0;
override S3_2: u32 = 0;
override S3_3: u32 = 0;
override S4_0: u32 = 0;
override S4_1: u32 = 0;
override S4_2: u32 = 0;
override S4_3: u32 = 0;
override S5_0: u32 = 0;
override S5_1: u32 = 0;
override S5_2: u32 = 0;
override S5_3: u32 = 0;

override I0: u32 = 0;
override I1: u32 = 0;
override I2: u32 = 0;
override I3: u32 = 0;
override I4: u32 = 0;
override I5: u32 = 0;
override I6: u32 = 0;
override I7: u32 = 0;
override I8: u32 = 0;
override I9: u32 = 0;
override I10: u32 = 0;
override I11: u32 = 0;
override I12: u32 = 0;
override I13: u32 = 0;
override I14: u32 = 0;
override I15: u32 = 0;

// log(1 + z) for z in [0, 1]; the series keeps the digits that 1 + z would lose.
fn log1p(z: vec4f) -> vec4f {
  let series = z * (1 - z * (0.5 - z * (1.0 / 3 - z * (0.25 - z * 0.2))));
  return select(log(1 + z), series, z < vec4f(0.03));
}

// Stable for any x: exp never sees a positive argument.
fn sigmoid_of(x: vec4f) -> vec4f {
  let z = exp(-abs(x));
  return select(z, vec4f(1), x >= vec4f(0)) / (1 + z);
}

fn tanh_of(x: vec4f) -> vec4f {
  let z = exp(-2 * abs(x));
  let large = sign(x) * (1 - z) / (1 + z);
  let s = x * x;
  let small = x * (1 - s * (1.0 / 3 - s * (2.0 / 15 - s * (17.0 / 315 - s * (62.0 / 2835)))));
  return select(large, small, abs(x) < vec4f(0.2));
}

// log(x). Near 1 by a series in (x - 1) / (x + 1), where the adapter's own loses digits.
fn log_of(x: vec4f) -> vec4f {
  let t = (x - 1) / (x + 1);
  let s = t * t;
  let near = 2 * t * (1 + s * (1.0 / 3 + s * (0.2 + s * (1.0 / 7))));
  return select(log(x), near, abs(x - 1) < vec4f(0.1));
}

// By its bits: a compiler may take any float for a number.
fn is_nan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffff)) > vec4u(0x7f800000);
}

fn is_zero(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) << vec4u(1)) == vec4u(0);
}

// 0 for -infinity to -0, whose bits are 0x80000000 to 0xff800000; anything else, NaN too, is kept.
fn relu_of(x: vec4f) -> vec4f {
  return select(x, vec4f(0), (bitcast<vec4u>(x) ^ vec4u(0x80000000)) <= vec4u(0x7f800000));
}

// max(x, 0) - x t + log(1 + exp(-|x|)); the product with 0 is 0 for an infinite x, too.
fn cross_entropy(x: vec4f, t: vec4f) -> vec4f {
  let slope = select(-t, 1 - t, x > vec4f(0));
  return select(x * slope, vec4f(0), is_zero(slope)) + log1p(exp(-abs(x)));
}

// One instruction a line; the name behind it is how an op asks for it.
fn apply(code: u32, a: vec4f, b: vec4f, c: vec4f) -> vec4f {
  switch code {
    case 0 { return a; } // copy
    case 1 { return a + b; } // add
    case 2 { return a - b; } // sub
    case 3 { return a * b; } // mul
    case 4 { return a / b; } // div
    case 5 { return -a; } // neg
    case 6 { return exp(a); } // exp
    case 7 { return log_of(a); } // log
    case 8 { return sqrt(a); } // sqrt
    case 9 { return abs(a); } // abs
    case 10 { return select(sign(a), a, is_nan(a)); } // sign
    case 11 { return tanh_of(a); } // tanh
    case 12 { return sigmoid_of(a); } // sigmoid
    case 13 { return relu_of(a) + log1p(exp(-abs(a))); } // softplus
    case 14 { return relu_of(a); } // relu
    case 15 { return select(b * a, a, a > vec4f(0)); } // leakyRelu
    case 16 { return select(b, vec4f(1), a > vec4f(0)); } // step
    case 17 { return select(max(a, b), a + b, is_nan(a) | is_nan(b)); } // maximum
    case 18 { return select(min(a, b), a + b, is_nan(a) | is_nan(b)); } // minimum
    case 19 { return select(select(vec4f(0), vec4f(0.5), a == b), vec4f(1), a > b); } // above
    case 20 { return select(b, c, is_zero(a)); } // where
    case 21 { return cross_entropy(a, b); } // sigmoidCrossEntropy
    case 22 { return inverseSqrt(a + b); } // inverseSqrt
    default { return a; }
  }
}

fn offset(e: u32, s0: u32, s1: u32, s2: u32, s3: u32) -> u32 {
  let i3 = e % D3;
  let i2 = e / D3 % D2;
  let i1 = e / (D3 * D2) % D1;
  let i0 = e / (D3 * D2 * D1);
  return i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3;
}

alias Registers = array<vec4f, 22>;

// The inputs at elements 4i to 4i + 3.
fn load(i: u32, r: ptr<function, Registers>) {
  let e = i * 4;
  switch M0 {
    case 1 { (*r)[0] = x0[i]; }
    case 2 { (*r)[0] = x0[offset(e, S0_0, S0_1, S0_2, 1) / 4]; }
    case 3 { let j = offset(e, S0_0, S0_1, S0_2, 0); (*r)[0] = vec4f(x0[j / 4][j % 4]); }
    case 4 {
      let j = vec4u(offset(e, S0_0, S0_1, S0_2, S0_3), offset(e + 1, S0_0, S0_1, S0_2, S0_3), offset(e + 2, S0_0, S0_1, S0_2, S0_3), offset(e + 3, S0_0, S0_1, S0_2, S0_3));
      (*r)[0] = vec4f(x0[j.x / 4][j.x % 4], x0[j.y / 4][j.y % 4], x0[j.z / 4][j.z % 4], x0[j.w / 4][j.w % 4]);
    }
    default {}
  }
  switch M1 {
    case 1 { (*r)[1] = x1[i]; }
    case 2 { (*r)[1] = x1[offset(e, S1_0, S1_1, S1_2, 1) / 4]; }
    case 3 { let j = offset(e, S1_0, S1_1, S1_2, 0); (*r)[1] = vec4f(x1[j / 4][j % 4]); }
    case 4 {
      let j = vec4u(offset(e, S1_0, S1_1, S1_2, S1_3), offset(e + 1, S1_0, S1_1, S1_2, S1_3), offset(e + 2, S1_0, S1_1, S1_2, S1_3), offset(e + 3, S1_0, S1_1, S1_2, S1_3));
      (*r)[1] = vec4f(x1[j.x / 4][j.x % 4], x1[j.y / 4][j.y % 4], x1[j.z / 4][j.z % 4], x1[j.w / 4][j.w % 4]);
    }
    default {}
  }
  switch M2 {
    case 1 { (*r)[2] = x2[i]; }
    case 2 { (*r)[2] = x2[offset(e, S2_0, S2_1, S2_2, 1) / 4]; }
    case 3 { let j = offset(e, S2_0, S2_1, S2_2, 0); (*r)[2] = vec4f(x2[j / 4][j % 4]); }
    case 4 {
      let j = vec4u(offset(e, S2_0, S2_1, S2_2, S2_3), offset(e + 1, S2_0, S2_1, S2_2, S2_3), offset(e + 2, S2_0, S2_1, S2_2, S2_3), offset(e + 3, S2_0, S2_1, S2_2, S2_3));
      (*r)[2] = vec4f(x2[j.x / 4][j.x % 4], x2[j.y / 4][j.y % 4], x2[j.z / 4][j.z % 4], x2[j.w / 4][j.w % 4]);
    }
    default {}
  }
  switch M3 {
    case 1 { (*r)[3] = x3[i]; }
    case 2 { (*r)[3] = x3[offset(e, S3_0, S3_1, S3_2, 1) / 4]; }
    case 3 { let j = offset(e, S3_0, S3_1, S3_2, 0); (*r)[3] = vec4f(x3[j / 4][j % 4]); }
    case 4 {
      let j = vec4u(offset(e, S3_0, S3_1, S3_2, S3_3), offset(e + 1, S3_0, S3_1, S3_2, S3_3), offset(e + 2, S3_0, S3_1, S3_2, S3_3), offset(e + 3, S3_0, S3_1, S3_2, S3_3));
      (*r)[3] = vec4f(x3[j.x / 4][j.x % 4], x3[j.y / 4][j.y % 4], x3[j.z / 4][j.z % 4], x3[j.w / 4][j.w % 4]);
    }
    default {}
  }
  switch M4 {
    case 1 { (*r)[4] = x4[i]; }
    case 2 { (*r)[4] = x4[offset(e, S4_0, S4_1, S4_2, 1) / 4]; }
    case 3 { let j = offset(e, S4_0, S4_1, S4_2, 0); (*r)[4] = vec4f(x4[j / 4][j % 4]); }
    case 4 {
      let j = vec4u(offset(e, S4_0, S4_1, S4_2, S4_3), offset(e + 1, S4_0, S4_1, S4_2, S4_3), offset(e + 2, S4_0, S4_1, S4_2, S4_3), offset(e + 3, S4_0, S4_1, S4_2, S4_3));
      (*r)[4] = vec4f(x4[j.x / 4][j.x % 4], x4[j.y / 4][j.y % 4], x4[j.z / 4][j.z % 4], x4[j.w / 4][j.w % 4]);
    }
    default {}
  }
  switch M5 {
    case 1 { (*r)[5] = x5[i]; }
    case 2 { (*r)[5] = x5[offset(e, S5_0, S5_1, S5_2, 1) / 4]; }
    case 3 { let j = offset(e, S5_0, S5_1, S5_2, 0); (*r)[5] = vec4f(x5[j / 4][j % 4]); }
    case 4 {
      let j = vec4u(offset(e, S5_0, S5_1, S5_2, S5_3), offset(e + 1, S5_0, S5_1, S5_2, S5_3), offset(e + 2, S5_0, S5_1, S5_2, S5_3), offset(e + 3, S5_0, S5_1, S5_2, S5_3));
      (*r)[5] = vec4f(x5[j.x / 4][j.x % 4], x5[j.y / 4][j.y % 4], x5[j.z / 4][j.z % 4], x5[j.w / 4][j.w % 4]);
    }
    default {}
  }
}

// Register k. Results are hidden behind a zero that is not known when the kernel is compiled, and two
// operands never get the same one: so no compiler sees that x - x is 0 or that a product of roots is
// no NaN.
fn operand(k: u32, hide: bool, zero: u32, r: ptr<function, Registers>) -> vec4f {
  if k >= 22 { return bitcast<vec4f>(vec4u(words[(k - 22) / 4][(k - 22) % 4])); }
  if hide { return bitcast<vec4f>(bitcast<vec4u>((*r)[k]) ^ vec4u(zero)); }
  return (*r)[k];
}

fn run(word: u32, r: ptr<function, Registers>) -> vec4f {
  let i = (word >> 8) & 255;
  let j = (word >> 16) & 255;
  let a = operand(i, i > 5, words[0].x, r);
  let b = operand(j, j > 5 || j == i, words[0].y, r);
  let c = operand(word >> 24, false, 0, r); // only `where` has one
  return apply(word & 255, a, b, c);
}

// Instructions 0 to 5.
fn first(r: ptr<function, Registers>) {
  (*r)[6] = run(I0, r);
  if LENGTH > 1 { (*r)[7] = run(I1, r); }
  if LENGTH > 2 { (*r)[8] = run(I2, r); }
  if LENGTH > 3 { (*r)[9] = run(I3, r); }
  if LENGTH > 4 { (*r)[10] = run(I4, r); }
  if LENGTH > 5 { (*r)[11] = run(I5, r); }
}

// Instructions 6 to 15.
fn others(r: ptr<function, Registers>) {
  if LENGTH > 6 { (*r)[12] = run(I6, r); }
  if LENGTH > 7 { (*r)[13] = run(I7, r); }
  if LENGTH > 8 { (*r)[14] = run(I8, r); }
  if LENGTH > 9 { (*r)[15] = run(I9, r); }
  if LENGTH > 10 { (*r)[16] = run(I10, r); }
  if LENGTH > 11 { (*r)[17] = run(I11, r); }
  if LENGTH > 12 { (*r)[18] = run(I12, r); }
  if LENGTH > 13 { (*r)[19] = run(I13, r); }
  if LENGTH > 14 { (*r)[20] = run(I14, r); }
  if LENGTH > 15 { (*r)[21] = run(I15, r); }
}

// Chains of at most six instructions: most are, and a pipeline of fewer is made in half the time.
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 256 + id.x;
  if i >= COUNT { return; }
  var r: Registers;
  load(i, &r);
  first(&r);
  y[i] = r[5 + LENGTH];
}

@compute @workgroup_size(256)
fn long(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 256 + id.x;
  if i >= COUNT { return; }
  var r: Registers;
  load(i, &r);
  first(&r);
  others(&r);
  y[i] = r[5 + LENGTH];
}
