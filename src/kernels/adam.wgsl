// Adam (Kingma and Ba 2015) in the form of Keras:
//
//   m = b1*m + (1 - b1)*g      v = b2*v + (1 - b2)*g^2
//   p -= lr_t * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + EPSILON)
//
// with lr_t = lr * max(0, 1 - (t - 1) / DECAY_STEPS), the linear PolynomialDecay of Keras.
//
// p, m, v, g: the parameters of a whole network laid side by side, as vec4f, COUNT of them.
// state: [t, 1 - b1^t, 1 - b2^t, lr]. The middle two are kept as c' = b*c + (1 - b), which does not
// cancel; so the recording stays valid while t counts on.
//
// step: one invocation moves state on. main: one invocation updates four parameters.

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> g: array<vec4f>;
@group(0) @binding(4) var<storage, read> state: array<f32>;
@group(0) @binding(5) var<storage, read_write> next: array<f32>;

override COUNT: u32 = 1;
override B1: f32;
override B2: f32;
override ONE_MINUS_B1: f32; // from the host's float64
override ONE_MINUS_B2: f32;
override EPSILON: f32 = 0;
override DECAY_STEPS: f32 = 3e38; // no decay: t does not count so far

@compute @workgroup_size(1)
fn step() {
  next[0] += 1;
  next[1] = B1 * next[1] + ONE_MINUS_B1;
  next[2] = B2 * next[2] + ONE_MINUS_B2;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64 + id.x;
  if i >= COUNT { return; }
  let decayed = state[3] * max(0, 1 - (state[0] - 1) / DECAY_STEPS);
  let rate = decayed * sqrt(state[2]) / state[1];
  let gradient = g[i];
  let moment = B1 * m[i] + ONE_MINUS_B1 * gradient;
  let square = B2 * v[i] + ONE_MINUS_B2 * gradient * gradient;
  m[i] = moment;
  v[i] = square;
  p[i] -= rate * moment / (sqrt(square) + EPSILON);
}
