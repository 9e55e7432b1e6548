/** The part of the training step that is not the tutorial's: one backward pass for both gradients. */

import {
  Discriminator,
  discriminatorLoss,
  Generator,
  generatorLoss,
  Gpu,
  grad,
  type Tensor,
} from "../../mod.ts";
import { gradientsOf } from "../../src/training/step.ts";
import { assertClose, rms } from "../support/close.ts";

const gpu = await Gpu.request();
const generator = new Generator(gpu, { noiseDim: 5, widths: [8, 4, 4], seed: 1 });
const discriminator = new Discriminator(gpu, { widths: [4, 8], dropout: 0, seed: 2 });
const networks = { generator, discriminator };

/** All gradients, "once" by one backward pass and "plain" by `grad` of each loss. */
const program = gpu.compile({ noise: [6, 5], real: [6, 28, 28, 1] }, ({ noise, real }) => {
  const fake = generator.call(noise, { training: true });
  const realLogits = discriminator.call(real, { training: true });
  const fakeLogits = discriminator.call(fake, { training: true });
  const once = gradientsOf({ ...networks, fake, realLogits, fakeLogits });
  const losses = {
    generator: generatorLoss(fakeLogits),
    discriminator: discriminatorLoss(realLogits, fakeLogits),
  };
  const outputs: Record<string, Tensor> = {};
  for (const name of ["generator", "discriminator"] as const) {
    const plain = grad(losses[name], networks[name].trainableVariables);
    once[name].forEach((g, i) => outputs[`once ${name} ${i}`] = g);
    plain.forEach((g, i) => outputs[`plain ${name} ${i}`] = g);
  }
  return outputs;
});

for (const logit of [0, 30, -30, 1e4, -1e4]) {
  Deno.test(`one backward pass gives the gradients of both losses, logits near ${logit}`, async () => {
    discriminator.variables.at(-1)!.write([logit]);
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
  });
}
