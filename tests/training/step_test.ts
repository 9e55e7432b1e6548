/** The part of the training step that is not the tutorial's: one backward pass for both gradients. */

import { Discriminator, Generator, Gpu, grad, ops, type Tensor } from "../../mod.ts";
import { gradientAt, OBJECTIVES, zeroCenteredPenalty } from "../../src/model/objectives.ts";
import {
  type Hyperparameters,
  resolveHyperparameters,
} from "../../src/training/hyperparameters.ts";
import { gradientsOf } from "../../src/training/step.ts";
import { assertClose, rms } from "../support/close.ts";

const gpu = await Gpu.request();
const generator = new Generator(gpu, { noiseDim: 5, widths: [8, 4, 4], seed: 1 });
const discriminator = new Discriminator(gpu, { widths: [4, 8], dropout: 0, seed: 2 });

/** All gradients, "once" by one backward pass and "plain" by `grad` of each loss. */
const compile = (options: Hyperparameters) =>
  gpu.compile({ noise: [6, 5], real: [6, 28, 28, 1] }, ({ noise, real }) => {
    const hyperparameters = resolveHyperparameters(options);
    const { objective: name, r1, r2, labelSmoothing } = hyperparameters;
    const networks = { generator, discriminator, hyperparameters };
    const fake = generator.call(noise, { training: true });
    const realLogits = discriminator.call(real, { training: true });
    const fakeLogits = discriminator.call(fake, { training: true });
    const once = gradientsOf(networks, { real, fake, realLogits, fakeLogits });
    const objective = OBJECTIVES[name];
    const penalties = [
      zeroCenteredPenalty(gradientAt(real, realLogits), r1),
      zeroCenteredPenalty(gradientAt(fake, fakeLogits), r2),
    ];
    const losses = {
      generator: objective.generator(realLogits, fakeLogits),
      discriminator: penalties.reduce(
        ops.add,
        objective.discriminator(realLogits, fakeLogits, 1 - labelSmoothing),
      ),
    };
    const outputs: Record<string, Tensor> = {};
    for (const name of ["generator", "discriminator"] as const) {
      const plain = grad(losses[name], networks[name].trainableVariables);
      once[name].forEach((g, i) => outputs[`once ${name} ${i}`] = g);
      plain.forEach((g, i) => outputs[`plain ${name} ${i}`] = g);
    }
    return outputs;
  });

async function test(program: ReturnType<typeof compile>, bias: number): Promise<void> {
  discriminator.variables.at(-1)!.write([bias]);
  const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * i));
  program.run({ noise: wave(30), real: wave(6 * 784) });
  const values = await program.read();
  for (const [name, expected] of Object.entries(values)) {
    if (!name.startsWith("plain")) continue;
    const actual = values[name.replace("plain", "once")];
    // sigmoid(x) - 1 of the plain way loses digits that sigmoid(-x) keeps.
    const atol = 1e-5 * rms(expected) + 1e-7;
    assertClose(actual, expected, { rtol: 1e-5, atol, what: name });
  }
}

const tutorial = compile({});
for (const logit of [0, 30, -30, 1e4, -1e4]) {
  Deno.test(`one backward pass gives the gradients of both losses, logits near ${logit}`, () =>
    test(tutorial, logit));
}

const others: Hyperparameters[] = [
  { labelSmoothing: 0.1 },
  { r1: 2, r2: 3 },
  { objective: "hinge" },
  { objective: "hinge", r1: 2, r2: 3 },
  { objective: "wgan-gp" },
  { objective: "relativistic" },
  { objective: "relativistic", r1: 2, r2: 3 },
];
for (const options of others) {
  Deno.test(`one backward pass gives the gradients of ${JSON.stringify(options)}`, async () => {
    using program = compile(options);
    await test(program, 0.5);
  });
}
