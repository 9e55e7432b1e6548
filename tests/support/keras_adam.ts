/** Adam as Keras writes it down, in float64. */

import type { AdamOptions } from "../../mod.ts";

export class KerasAdam {
  t = 0;
  readonly weights: readonly Float64Array[];
  readonly m: readonly Float64Array[];
  readonly v: readonly Float64Array[];
  readonly #options: Required<AdamOptions>;

  constructor(weights: readonly ArrayLike<number>[], options: AdamOptions = {}) {
    this.#options = {
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-7,
      decaySteps: 0,
      ...options,
    };
    this.weights = weights.map((w) => Float64Array.from(w));
    this.m = weights.map((w) => new Float64Array(w.length));
    this.v = weights.map((w) => new Float64Array(w.length));
  }

  /** PolynomialDecay with an end of 0 and a power of 1, of the updates so far. */
  #learningRate(): number {
    const { learningRate, decaySteps } = this.#options;
    if (decaySteps === 0) return learningRate;
    return learningRate * (1 - Math.min(this.t, decaySteps) / decaySteps);
  }

  apply(gradients: readonly ArrayLike<number>[]): void {
    const { beta1, beta2, epsilon } = this.#options;
    const learningRate = this.#learningRate();
    this.t++;
    const rate = learningRate * Math.sqrt(1 - beta2 ** this.t) / (1 - beta1 ** this.t);
    gradients.forEach((g, k) => {
      const [w, m, v] = [this.weights[k], this.m[k], this.v[k]];
      for (let i = 0; i < w.length; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2;
        w[i] -= rate * m[i] / (Math.sqrt(v[i]) + epsilon);
      }
    });
  }
}
