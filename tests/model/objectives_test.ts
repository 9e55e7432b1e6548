/** Objectives and penalties: float64 formulas, finite differences of them, and PyTorch's numbers. */

import { gpu } from "../support/compute.ts";
import { grad, ops, type Tensor } from "../../mod.ts";
import {
  gradientAt,
  type ObjectiveName,
  OBJECTIVES,
  oneCenteredPenalty,
  zeroCenteredPenalty,
} from "../../src/model/objectives.ts";
import { assertClose } from "../support/close.ts";
import { check, type OpCase } from "../support/gradcheck.ts";
import type { TestRandom } from "../support/random.ts";
import type { Algebra } from "../support/reference.ts";

type Formula = <T>(o: Algebra<T>, real: T, fake: T) => T;

/** -log sigmoid(x) */
const surprise = <T>(o: Algebra<T>, x: T) => o.softplus(o.neg(x));

/** Generator's and discriminator's loss, as the papers write them. */
const FORMULAS: Record<ObjectiveName, readonly [generator: Formula, discriminator: Formula]> = {
  nonsaturating: [
    (o, _, fake) => o.mean(surprise(o, fake)),
    (o, real, fake) => o.add(o.mean(surprise(o, real)), o.mean(surprise(o, o.neg(fake)))),
  ],
  hinge: [
    (o, _, fake) => o.neg(o.mean(fake)),
    (o, real, fake) =>
      o.add(o.mean(o.maximum(0, o.sub(1, real))), o.mean(o.maximum(0, o.add(1, fake)))),
  ],
  "wgan-gp": [
    (o, _, fake) => o.neg(o.mean(fake)),
    (o, real, fake) => o.sub(o.mean(fake), o.mean(real)),
  ],
  relativistic: [
    (o, real, fake) => o.mean(surprise(o, o.sub(fake, real))),
    (o, real, fake) => o.mean(surprise(o, o.sub(real, fake))),
  ],
};

/** A case whose formula the reference evaluates, and ours the device. */
function caseOf(
  name: string,
  inputs: OpCase["inputs"],
  formula: <T extends { readonly shape: readonly number[] }>(
    o: Algebra<T>,
    inputs: Record<string, T>,
  ) => T,
  ours: (inputs: Record<string, Tensor>) => Tensor,
): OpCase {
  const compute: OpCase["compute"] = (o, all) =>
    (o as unknown) === ops ? ours(all as never) as never : formula(o, all);
  return { name, inputs, compute };
}

const NAMES = Object.keys(FORMULAS) as ObjectiveName[];

for (const name of NAMES) {
  Deno.test(`objective ${name}: both losses and their gradients are the formula's`, async () => {
    for (const [i, side] of (["generator", "discriminator"] as const).entries()) {
      // Not around 0, where their mean would cancel.
      const logits = { shape: [7, 1], values: (random: TestRandom) => random.normal() - 0.4 };
      const inputs = { real: logits, fake: logits };
      const ours = ({ real, fake }: Record<string, Tensor>) =>
        OBJECTIVES[name][side](real, fake, 1);
      await check(
        gpu,
        caseOf(
          `${name} ${side}`,
          inputs,
          (o, { real, fake }) => FORMULAS[name][i](o, real, fake),
          ours,
        ),
      );
    }
  });
}

const REAL = [1.5, -0.25, 0.75, -2];
const FAKE = [0.5, -1.25, 2, -0.1];

/**
 * Loss, and its gradients by the real and the fake logits: PyTorch 1.13 in float64, for REAL and FAKE,
 * with `binary_cross_entropy_with_logits`, `relu` and `softplus`. "smoothed": real labels of 0.9.
 */
const PYTORCH: Record<string, readonly [loss: number, real: number[], fake: number[]]> = {
  "nonsaturating generator": [0.7118327, [0, 0, 0, 0], [
    ...[-0.09438517, -0.194325, -0.02980073, -0.1312448],
  ]],
  "nonsaturating discriminator": [1.884621, [-0.04560638, -0.1405441, -0.08020533, -0.2201993], [
    ...[0.1556148, 0.05567503, 0.2201993, 0.1187552],
  ]],
  "nonsaturating smoothed": [1.884621, [-0.02060638, -0.1155441, -0.05520533, -0.1951993], [
    ...[0.1556148, 0.05567503, 0.2201993, 0.1187552],
  ]],
  "hinge generator": [-0.2875, [0, 0, 0, 0], [-0.25, -0.25, -0.25, -0.25]],
  "hinge discriminator": [2.475, [0, -0.25, -0.25, -0.25], [0.25, 0, 0.25, 0.25]],
  "wgan-gp generator": [-0.2875, [0, 0, 0, 0], [-0.25, -0.25, -0.25, -0.25]],
  "wgan-gp discriminator": [0.2875, [-0.25, -0.25, -0.25, -0.25], [0.25, 0.25, 0.25, 0.25]],
  "relativistic generator": [0.7544598, [0.1827646, 0.1827646, 0.05567503, 0.03252712], [
    ...[-0.1827646, -0.1827646, -0.05567503, -0.03252712],
  ]],
  "relativistic discriminator": [1.04196, [-0.06723536, -0.06723536, -0.194325, -0.2174729], [
    ...[0.06723536, 0.06723536, 0.194325, 0.2174729],
  ]],
};

Deno.test("objectives: losses and gradients are PyTorch's", async () => {
  for (const [what, [loss, dReal, dFake]] of Object.entries(PYTORCH)) {
    const [name, side] = what.split(" ");
    const objective = OBJECTIVES[name as ObjectiveName];
    using program = gpu.compile({ real: [4, 1], fake: [4, 1] }, ({ real, fake }) => {
      const loss = side === "generator"
        ? objective.generator(real, fake)
        : objective.discriminator(real, fake, side === "smoothed" ? 0.9 : 1);
      const [dReal, dFake] = grad(loss, [real, fake]);
      return { loss, dReal, dFake };
    });
    program.run({ real: REAL, fake: FAKE });
    const values = await program.read();
    const tolerance = { rtol: 1e-5, atol: 1e-7, what };
    assertClose(values.loss, [loss], tolerance);
    assertClose(values.dReal, dReal, tolerance);
    assertClose(values.dFake, dFake, tolerance);
  }
});

Deno.test("objectives: slopes are the gradients by the logits of generated images", async () => {
  for (const name of NAMES) {
    using program = gpu.compile({ real: [4], fake: [4] }, ({ real, fake }) => {
      const { start, ...factors } = OBJECTIVES[name].slopes(real, fake);
      const outputs: Record<string, Tensor> = {};
      for (const side of ["generator", "discriminator"] as const) {
        outputs[`slope ${side}`] = ops.div(ops.mul(start, factors[side]), 4);
        [outputs[`grad ${side}`]] = grad(OBJECTIVES[name][side](real, fake, 1), [fake]);
      }
      return outputs;
    });
    program.run({ real: REAL, fake: FAKE });
    const values = await program.read();
    for (const side of ["generator", "discriminator"]) {
      const what = `${name} ${side}`;
      assertClose(values[`slope ${side}`], values[`grad ${side}`], {
        rtol: 1e-5,
        atol: 1e-7,
        what,
      });
    }
  }
});

/** Scores of images by a convolution, a LeakyReLU and a dense layer; everything has second derivatives. */
const SHAPES = { x: [2, 4, 4, 1], w: [3, 3, 1, 2], v: [8, 1] } as const;

const score = ({ x, w, v }: Record<string, Tensor>) =>
  ops.matmul(ops.reshape(ops.leakyRelu(ops.conv2d(x, w, { padding: "valid" })), [2, 8]), v);

/** The gradient of a score by its image in closed form. */
function scoreGradient<T extends { readonly shape: readonly number[] }>(
  o: Algebra<T>,
  { x, w, v }: Record<string, T>,
): T {
  const slope = o.step(o.conv2d(x, w, { padding: "valid" }), 0.3);
  const back = o.mul(slope, o.reshape(v, [1, 2, 2, 2]));
  return o.conv2dTranspose(back, w, { padding: "valid" });
}

const PENALTIES: readonly {
  readonly name: string;
  readonly ours: (gradient: Tensor) => Tensor;
  readonly formula: <T>(o: Algebra<T>, gradient: T) => T;
  /** Of x_i = sin(i), w_i = cos(i) / 2, v_i = sin(2 i + 1): PyTorch 1.13's double backward, float64. */
  readonly pytorch: { readonly penalty: number; readonly dw: number[]; readonly dv: number[] };
}[] = [
  {
    name: "R1 and R2, gamma 3",
    ours: (gradient) => zeroCenteredPenalty(gradient, 3),
    formula: (o, gradient) => o.mul(o.mean(o.sum(o.mul(gradient, gradient), [1, 2, 3])), 1.5),
    pytorch: {
      penalty: 4.673859,
      dw: [
        ...[1.979159, -0.5986333, -0.3905164, -2.575705, -1.648546, 2.204644, 0.8203888, 0.7232924],
        ...[1.920412, -3.51858, -2.681763, 1.753793, 0.001155701, 1.711758, 2.85846, -2.6227],
        ...[-2.290801, 0.0889763],
      ],
      dv: [
        ...[3.005671, 0.8729642, -0.5573748, 2.107661, 0.9427069, -1.676864, 1.974229, 2.893018],
      ],
    },
  },
  {
    name: "WGAN-GP, weight 10",
    ours: (gradient) => oneCenteredPenalty(gradient, 10),
    formula(o, gradient) {
      const excess = o.sub(o.sqrt(o.sum(o.mul(gradient, gradient), [1, 2, 3])), 1);
      return o.mul(o.mean(o.mul(excess, excess)), 10);
    },
    pytorch: {
      penalty: 6.315677,
      dw: [
        ...[6.006203, -2.043959, -1.241093, -7.304658, -4.949323, 6.181178, 2.551168, 1.865889],
        ...[5.741667, -10.20413, -8.278969, 5.001602, 0.07786282, 4.739128, 8.591994, -7.37932],
        ...[-7.253211, 0.2505136],
      ],
      dv: [9.762118, 3.143552, -2.168229, 6.514994, 2.710425, -3.646653, 4.383703, 8.998515],
    },
  },
];

for (const { name, ours, formula, pytorch } of PENALTIES) {
  const penaltyOf = (all: Record<string, Tensor>) => ours(gradientAt(all.x, score(all)));

  Deno.test(`penalty ${name}: it and its gradient are the formula's`, async () => {
    const inputs = { x: { shape: SHAPES.x }, w: { shape: SHAPES.w }, v: { shape: SHAPES.v } };
    const written = caseOf(name, inputs, (o, all) => formula(o, scoreGradient(o, all)), penaltyOf);
    await check(gpu, { ...written, terms: 32 });
  });

  Deno.test(`penalty ${name}: it and its gradient are PyTorch's`, async () => {
    using program = gpu.compile(SHAPES, (all) => {
      const penalty = penaltyOf(all);
      const [dw, dv] = grad(penalty, [all.w, all.v]);
      return { penalty, dw, dv };
    });
    const wave = (n: number, f: (i: number) => number) => Array.from({ length: n }, (_, i) => f(i));
    program.run({
      x: wave(32, Math.sin),
      w: wave(18, (i) => Math.cos(i) / 2),
      v: wave(8, (i) => Math.sin(2 * i + 1)),
    });
    const values = await program.read();
    assertClose(values.penalty, [pytorch.penalty], { rtol: 1e-5, what: "penalty" });
    assertClose(values.dw, pytorch.dw, { rtol: 1e-5, atol: 1e-5, what: "dw" });
    assertClose(values.dv, pytorch.dv, { rtol: 1e-5, atol: 1e-5, what: "dv" });
  });
}

Deno.test("penalty WGAN-GP: a gradient of 0 has a finite penalty and a finite gradient", async () => {
  using program = gpu.compile({ g: [2, 1, 1, 1] }, ({ g }) => {
    const penalty = oneCenteredPenalty(g, 10);
    return { penalty, dg: grad(penalty, [g])[0] };
  });
  program.run({ g: [0, 2] });
  const { penalty, dg } = await program.read();
  assertClose(penalty, [10], { rtol: 1e-4, what: "penalty" });
  assertClose(dg, [0, 10], { rtol: 1e-4, what: "gradient" });
});
