/**
 * jax-js on WebGPU: the tutorial as functions of their weights, one `jit` around the whole step.
 *
 * Arrays are passed on or used up: `x.ref` keeps one for another use.
 *
 * @module
 */

import {
  defaultDevice,
  getWebGPUDevice,
  init,
  jit,
  lax,
  nn,
  numpy as np,
  random,
  tree,
  vjp,
} from "npm:@jax-js/jax@0.1.25";
import { onAdapter, scale, serve, type Setup, type Weights } from "./serve.ts";

if (!(await init("webgpu")).includes("webgpu")) throw new Error("jax-js finds no WebGPU adapter");
defaultDevice("webgpu");

const NOISE_DIM = 100;

type Norm = { gamma: np.Array; beta: np.Array };
type Moving = { mean: np.Array; variance: np.Array };
type Layer = { kernel: np.Array; bias: np.Array };
type Generator = { kernels: np.Array[]; norms: Norm[] };
type Discriminator = { convs: Layer[]; dense: Layer };
type Moments<T> = { m: T; v: T };
type State = {
  generator: Generator;
  moving: Moving[];
  discriminator: Discriminator;
  generatorMoments: Moments<Generator>;
  discriminatorMoments: Moments<Discriminator>;
};

/** Batch normalization over all axes but the second, and the moving statistics after it. */
function batchNorm(x: np.Array, { gamma, beta }: Norm, moving: Moving): [np.Array, Moving] {
  const axes = x.ndim === 4 ? [0, 2, 3] : [0];
  const mean = np.mean(x.ref, axes, { keepdims: true });
  const variance = np.mean(np.square(x.ref.sub(mean.ref)), axes, { keepdims: true });
  const move = (old: np.Array, now: np.Array) => old.mul(0.99).add(lax.stopGradient(now).mul(0.01));
  const moved = {
    mean: move(moving.mean, mean.ref),
    variance: move(moving.variance, variance.ref),
  };
  const y = x.sub(mean).div(np.sqrt(variance.add(1e-3))).mul(gamma).add(beta);
  return [y, moved];
}

function generate(
  { kernels: [dense, ...convs], norms }: Generator,
  moving: Moving[],
  noise: np.Array,
): [np.Array, Moving[]] {
  const moved: Moving[] = [];
  let x = np.matmul(noise, dense);
  convs.forEach((kernel, i) => {
    [x, moved[i]] = batchNorm(x, norms[i], moving[i]);
    x = nn.leakyRelu(x, 0.3);
    if (i === 0) x = x.reshape([-1, 256, 7, 7]);
    const stride = i === 0 ? 1 : 2;
    x = lax.convTranspose(x, kernel, [stride, stride], "SAME");
  });
  return [np.tanh(x), moved];
}

function dropout(x: np.Array, rate: number, key: np.Array): np.Array {
  if (rate === 0) {
    key.dispose();
    return x;
  }
  const keep = random.bernoulli(key, 1 - rate, x.shape);
  return np.where(keep, x.div(1 - rate), 0);
}

function discriminate(
  { convs, dense }: Discriminator,
  x: np.Array,
  rate: number,
  keys: np.Array[],
): np.Array {
  convs.forEach(({ kernel, bias }, i) => {
    x = lax.conv(x, kernel, [2, 2], "SAME").add(bias);
    x = dropout(nn.leakyRelu(x, 0.3), rate, keys[i]);
  });
  return np.matmul(x.reshape([x.shape[0], -1]), dense.kernel).add(dense.bias);
}

/** Mean binary cross-entropy of logits that should all be 1, or 0: log(1 + exp(-x)) or (x). */
const crossEntropy = (logits: np.Array, label: 0 | 1) =>
  np.mean(np.logaddexp(label ? logits.neg() : logits, 0));

/** Keras' Adam; `rate` is that of the step, with both bias corrections. */
function adam<T extends Generator | Discriminator>(
  weights: T,
  gradients: T,
  { m, v }: Moments<T>,
  rate: np.Array,
): [T, Moments<T>] {
  const average = (decay: number, old: np.Array, now: np.Array) =>
    old.mul(decay).add(now.mul(1 - decay));
  const map = tree.map as (...args: unknown[]) => T;
  const nextM = map((m: np.Array, g: np.Array) => average(0.9, m, g), m, tree.ref(gradients));
  const nextV = map((v: np.Array, g: np.Array) => average(0.999, v, np.square(g)), v, gradients);
  const next = map(
    (w: np.Array, m: np.Array, v: np.Array) => w.sub(m.mul(rate.ref).div(np.sqrt(v).add(1e-7))),
    weights,
    tree.ref(nextM),
    tree.ref(nextV),
  );
  rate.dispose();
  return [next, { m: nextM, v: nextV }];
}

/**
 * The tutorial's step. The discriminator's decision on generated images is computed once and
 * pulled back twice, for either loss; what of it nobody needs, `jit` leaves out.
 */
function makeTrainStep(rate: number) {
  return jit((state: State, real: np.Array, noise: np.Array, key: np.Array, lr: np.Array) => {
    const keys = random.split(key, 4);
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => (i < 3 ? keys.ref : keys).slice(i));
    const { generator: g, discriminator: D, moving } = state;
    const [fake, pullGenerator, moved] = vjp(
      (g: Generator) => generate(g, moving, noise),
      [tree.ref(g)],
      { hasAux: true },
    );
    const decide = (keys: np.Array[]) => (D: Discriminator, x: np.Array) =>
      discriminate(D, x, rate, keys);
    const [fakeLogits, pullFake] = vjp(decide([a, b]), [tree.ref(D), fake]);
    const [realLoss, pullReal] = vjp(
      (D: Discriminator) => crossEntropy(decide([c, d])(D, real), 1),
      [tree.ref(D)],
    );
    const [generatorLoss, pullOnes] = vjp(
      (logits: np.Array) => crossEntropy(logits, 1),
      [fakeLogits.ref],
    );
    const [fakeLoss, pullZeros] = vjp((logits: np.Array) => crossEntropy(logits, 0), [fakeLogits]);
    const [ones] = pullOnes(np.array(1));
    const [zeros] = pullZeros(np.array(1));
    const [unusedD, toImages] = pullFake(ones);
    const [gradG] = pullGenerator(toImages);
    const [gradFake, unusedImages] = pullFake(zeros);
    const [gradReal] = pullReal(np.array(1));
    const gradD = (tree.map as (...args: unknown[]) => Discriminator)(np.add, gradFake, gradReal);
    tree.dispose([unusedD, unusedImages]);
    for (const pull of [pullGenerator, pullFake, pullReal, pullOnes, pullZeros]) pull.dispose();

    const [generator, generatorMoments] = adam(g, gradG, state.generatorMoments, lr.ref);
    const [discriminator, discriminatorMoments] = adam(D, gradD, state.discriminatorMoments, lr);
    const next: State = {
      generator,
      moving: moved,
      discriminator,
      generatorMoments,
      discriminatorMoments,
    };
    return [next, generatorLoss, realLoss.add(fakeLoss)] as [State, np.Array, np.Array];
  });
}

/** Keras' weights with the channels first, which is how jax-js convolves. */
function load(weights: Weights): State {
  const get = (name: string) => {
    const { data, shape } = weights.get(name)!;
    return np.array(data as Float32Array<ArrayBuffer>).reshape([...shape]);
  };
  /** One value a feature: of 7 x 7 x 256, or a channel. */
  const feature = (name: string) => {
    const x = get(name);
    if (x.size === 7 * 7 * 256) {
      return np.transpose(x.reshape([7, 7, 256]), [2, 0, 1]).reshape([1, -1]);
    }
    return x.reshape([1, -1, 1, 1]);
  };
  const suffix = (i: number) => i ? `_${i}` : "";
  const norm = (i: number, weight: string) =>
    feature(`generator/batch_normalization${suffix(i)}/${weight}`);
  const three = [0, 1, 2];
  const generator: Generator = {
    kernels: [
      np.transpose(get("generator/dense/kernel").reshape([-1, 7, 7, 256]), [0, 3, 1, 2])
        .reshape([NOISE_DIM, -1]),
      // [kh, kw, out, in] to [out, in, kh, kw], flipped: Keras' transposed convolution is the
      // gradient of a convolution, jax-js' a convolution of the spread input.
      ...three.map((i) =>
        np.transpose(
          np.flip(get(`generator/conv2d_transpose${suffix(i)}/kernel`), [0, 1]),
          [2, 3, 0, 1],
        )
      ),
    ],
    norms: three.map((i) => ({ gamma: norm(i, "gamma"), beta: norm(i, "beta") })),
  };
  const discriminator: Discriminator = {
    convs: [0, 1].map((i) => ({
      kernel: np.transpose(get(`discriminator/conv2d${suffix(i)}/kernel`), [3, 2, 0, 1]),
      bias: feature(`discriminator/conv2d${suffix(i)}/bias`),
    })),
    dense: {
      kernel: np.transpose(get("discriminator/dense/kernel").reshape([7, 7, 128]), [2, 0, 1])
        .reshape([-1, 1]),
      bias: get("discriminator/dense/bias"),
    },
  };
  const zeros = <T extends Generator | Discriminator>(weights: T): T =>
    (tree.map as (...args: unknown[]) => T)(np.zerosLike, tree.ref(weights));
  return {
    generator,
    discriminator,
    moving: three.map((i) => ({
      mean: norm(i, "moving_mean"),
      variance: norm(i, "moving_variance"),
    })),
    generatorMoments: { m: zeros(generator), v: zeros(generator) },
    discriminatorMoments: { m: zeros(discriminator), v: zeros(discriminator) },
  };
}

let trainStep: ReturnType<typeof makeTrainStep> | undefined;
let state: State;
let images: np.Array | undefined;
let key: np.Array;
let steps = 0;

await serve({
  describe: () => `jax-js 0.1.25 ${onAdapter(getWebGPUDevice())}`,
  prepare({ weights, images: bytes, batch, dropout }: Setup) {
    if (trainStep) {
      trainStep.dispose();
      tree.dispose([state, images, key]);
    }
    trainStep = makeTrainStep(dropout);
    state = load(weights);
    // On the device already: in training, too, the next batch would be prefetched.
    images = np.array(scale(bytes)).reshape([batch, 1, 28, 28]);
    key = random.key(0);
    steps = 0;
  },
  async step(given) {
    steps++;
    const keys = random.split(key, 3);
    const [ofNoise, ofStep] = [keys.ref.slice(0), keys.ref.slice(1)];
    key = keys.slice(2);
    const shape = [images!.shape[0], NOISE_DIM];
    const noise = given ? np.array(given).reshape(shape) : random.normal(ofNoise.ref, shape);
    ofNoise.dispose();
    const rate = 1e-4 * Math.sqrt(1 - 0.999 ** steps) / (1 - 0.9 ** steps);
    const [next, g, d] = trainStep!(state, images!.ref, noise, ofStep, rate);
    state = next;
    const [[generatorLoss], [discriminatorLoss]] = await Promise.all([g.data(), d.data()]);
    return [generatorLoss, discriminatorLoss];
  },
});
