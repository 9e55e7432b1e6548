/**
 * Faults in the networks, the training step, the trainer, and in stopping and resuming.
 *
 * @module
 */

import { type Fault, faultsOf } from "./fault.ts";

const STEP = ["model", "parity", "oracle_step"];
const RESUME = ["trainer", "train", "resume"];

export const TRAINING: readonly Fault[] = [
  ...faultsOf("src/model/layers.ts", ["model", "oracle_layers", "oracle_step"], {
    "moving statistics take the new values": ["mul(now, 1 - momentum)", "mul(now, momentum)"],
    "momentum is that of another library": ["{ momentum = 0.99,", "{ momentum = 0.9,"],
    "inference uses the batch": ["if (!training) {", "if (training === undefined) {"],
    "the slope is that of another library": ["leakyReLU(slope = 0.3)", "leakyReLU(slope = 0.2)"],
    "Glorot forgets the receptive field": ["map((n) => n * field)", "map((n) => n)"],
    "dropout in inference": [
      "training ? dropoutOp.dropout(x, rate, random) : x",
      "dropoutOp.dropout(x, rate, random)",
    ],
  }),
  ...faultsOf("src/model/losses.ts", STEP, {
    "the discriminator learns that fakes are real": [
      "crossEntropy(fakeLogits, 0)",
      "crossEntropy(fakeLogits, 1)",
    ],
  }),
  ...faultsOf("src/training/step.ts", STEP, {
    "the discriminator learns from real pictures only": [
      "add(gradient, fakeGradients[i])",
      "gradient",
    ],
    "the generator helps the discriminator": [
      "neg(div(sigmoid(neg(logits)), larger))",
      "div(sigmoid(neg(logits)), larger)",
    ],
    "fake pictures weigh as the generator's": [
      "sampleWeights: ofDiscriminator",
      "sampleWeights: ofGenerator",
    ],
    "losses are exchanged": [
      "record(lossOfGenerator, lossOfDiscriminator)",
      "record(lossOfDiscriminator, lossOfGenerator)",
    ],
  }),
  ...faultsOf("src/training/step.ts", ["trainer", "non_finite"], {
    "a stale counter on resume: where losses are written": [
      "this.#count.write([0]);\n    this.#read = 0;",
      "this.#read = 0;",
    ],
    "a stale counter on resume: where losses are read": [
      "this.#count.write([0]);\n    this.#read = 0;",
      "this.#count.write([0]);",
    ],
    "a stale counter after numbers that are not finite": [
      "this.#read += steps;\n  }\n\n  /**",
      "}\n\n  /**",
    ],
  }),
  ...faultsOf("src/model/threefry.ts", ["random", "train"], {
    "a round adds another number": [
      "key[(block + 2) % 3] + block + 1",
      "key[(block + 2) % 3] + block",
    ],
    "an order that leaves no picture in its place": ["random.below(i + 1)", "random.below(i)"],
  }),
  ...faultsOf("src/training/dcgan.ts", RESUME, {
    "a checkpoint without the random state": ['return all.set("random", random);', "return all;"],
    "a checkpoint without the discriminator's Adam state": [
      "discriminatorOptimizer.state,\n      ...discriminatorOptimizer.moments",
      "...discriminatorOptimizer.moments",
    ],
    "a checkpoint without the generator's moments": [
      "[generatorOptimizer.state, ...generatorOptimizer.moments]",
      "[generatorOptimizer.state]",
    ],
  }),
  ...faultsOf("src/training/dcgan.ts", ["non_finite"], {
    "a step that is tried again is not skipped in the ring": ["this.losses.skip(1);", ""],
    "a state to go back to is never copied": ['this.gpu.copy(this.#backup, "backup");', ""],
  }),
  ...faultsOf("src/training/trainer.ts", RESUME, {
    "a resume goes on with the events of before": [
      "this.#put(checkpoint, path);\n      this.#events = [];",
      "this.#put(checkpoint, path);",
    ],
    "a restored position is the caller's own": ["structuredClone(position)", "position"],
    "weights are restored before the position is looked at": [
      "requirePosition(checkpoint.position, this.#options.dataset.count, path);",
      "this.#put(checkpoint, path);\n      requirePosition(checkpoint.position, this.#options.dataset.count, path);",
    ],
    "a checkpoint of other hyperparameters is taken": [
      "requireSameConfiguration(path, checkpoint.configuration, this.configuration);",
      "",
    ],
    "the balance of before a restore is kept": [
      "this.#broken = undefined;\n      this.#balance = new Balance();",
      "this.#broken = undefined;",
    ],
    "what was said of losses before a restore is kept": [
      "this.#events = [];\n      this.#diverged = false;",
      "this.#events = [];",
    ],
    "a distance is taken for that of other weights": [
      "this.generator.variables.map(({ view }) => view.buffer.version).join()",
      '""',
    ],
    "every epoch has the first one's order": ["STREAM.order + epoch", "STREAM.order"],
    "a resume keeps the order of another epoch": [
      "if (this.#order?.epoch !== epoch)",
      "if (!this.#order)",
    ],
    "an epoch's sums go on into the next": [
      "sums: through ? { steps: 0, generator: 0, discriminator: 0 } : sums",
      "sums",
    ],
    "an epoch that was cut is in the history twice": [
      "history.filter((old) => old.epoch !== epoch)",
      "history",
    ],
    "the last, smaller batch is filled up": [
      "this.#order.indices.subarray(at, end)",
      "this.#order.indices.subarray(Math.max(0, end - this.#batchSize), end)",
    ],
    "real pictures of the distance are scaled to 0 to 1": [
      "images[from + j] / 127.5 - 1",
      "images[from + j] / 255",
    ],
    "a snapshot changes as training goes on": [
      "return { ...this.#position, sums: { ...sums }, history: [...history] };",
      "return this.#position;",
    ],
  }),
  ...faultsOf("src/training/trainer.ts", ["non_finite"], {
    "the step of the first such number is one too early": [
      "const first = good.steps + 1;",
      "const first = good.steps;",
    ],
    "the first step of those looked at together is named": [
      "found ? first + found.batch : steps",
      "first",
    ],
    "a state that is not finite is restored": [
      "if (this.#stops) requireFinite(checkpoint.tensors, path);",
      "",
    ],
    "'warn' does not look at the state": [
      "this.#diverged ? undefined : this.#model.health(),",
      "this.#stops ? this.#model.health() : undefined,",
    ],
    "a search that fails costs the finite state": [
      "cause = await this.gpu.explain(error);\n      if (cause instanceof DeviceLostError) throw cause;",
      "throw error;",
    ],
    "the trainer stands where the numbers are not finite": ["this.#position = good;", ""],
    "batches are tried again from the beginning of the epoch": [
      "const at = good.at + i * this.#batchSize;",
      "const at = i * this.#batchSize;",
    ],
  }),
  ...faultsOf("src/training/dcgan.ts", ["refused"], {
    "a restore forgets the losses that were not read": ["this.losses.reset();", ""],
  }),
  ...faultsOf("src/training/trainer.ts", ["calibrate"], {
    "the kernels of the checkpoint are not used": [
      "this.#useKernels(checkpoint.kernels, path);",
      "",
    ],
  }),
  ...faultsOf("src/training/trainer.ts", ["device_lost"], {
    "steps that were not told are skipped": [
      "const target = this.#position.steps - this.#pending;",
      "const target = this.#position.steps;",
    ],
    "a driver that is not back at once is not asked again": [
      "if (!(error instanceof DeviceLostError)) throw error;\n        failure = error;",
      "throw error;",
    ],
    "what is in memory is not kept": ["return this.#deviceLosses > 0;", "return false;"],
    "a new device begins from nothing": [
      'if (newest) this.#put(newest, "the snapshot");\n    else',
      "if (newest)",
    ],
    "devices are replaced for ever": [
      "|| this.#lost >= this.#deviceLosses) throw",
      "|| this.#lost >= Infinity) throw",
    ],
  }),
  ...faultsOf("src/train.ts", ["train", "disk", "non_finite", "device_lost"], {
    "an epoch's checkpoint is named after the next": [
      "folder.save(epoch - 1, undefined, snapshot)",
      "folder.save(epoch, undefined, snapshot)",
    ],
    "a checkpoint that failed is not tried again": ["const due = unsaved || ", "const due = "],
    "what is saved already is saved again": [
      "&& saved.steps !== trainer.steps) {",
      ") {",
    ],
    "what is in memory is not saved when the last device is lost": [
      "if (kept.position.steps > saved.steps)",
      "if (kept.position.steps < saved.steps)",
    ],
    "a resume takes a checkpoint that is not finite": [
      'if (onNonFinite !== "warn") requireFinite(tensors, path);',
      "",
    ],
  }),
  ...faultsOf("src/files/run_folder.ts", ["train", "trainer"], {
    "a folder without a record is taken for another run's": [
      "if (!record) return undefined;",
      'if (!record) return "no record";',
    ],
    "a folder with checkpoints only is taken for free": [
      "const [first] = [...checkpoints, ...files];",
      "const [first] = [...files];",
    ],
    "the distance is not in TensorBoard's log": [
      "if (distance !== undefined) this.#tensorboard!.scalars(step, { distance });",
      "",
    ],
    "newer checkpoints are left beside the resumed run's": ["await this.#supersede(trainer);", ""],
    "curves of a resumed run begin anew": [
      "const onRow = (row: MetricsRow) => this.#draw(row);",
      "const onRow = (_row: MetricsRow) => {};",
    ],
  }),
  ...faultsOf("src/training/position.ts", ["trainer", "train", "fuzz_text"], {
    "a position beyond the data set is taken": [
      "if (!isWhole(at, 0) || at >= count)",
      "if (!isWhole(at, 0))",
    ],
  }),
  ...faultsOf("src/training/balance.ts", ["balance"], {
    "a mean over no window": ["if (this.#g.length < WINDOW) return undefined;", ""],
    "winner and loser are exchanged": [
      'this.#winner === "generator" ? "discriminator" : "generator"',
      'this.#winner === "generator" ? "generator" : "discriminator"',
    ],
  }),
  ...faultsOf("src/metrics/distance.ts", ["distance"], {
    "pairs of one picture with itself count": ["(n * (n - 1))", "(n * n)"],
    "the last values of a picture are left out": [
      "for (; p < end + 3; p++, q++) s0 += (a[p] - b[q]) ** 2;",
      "",
    ],
    "a tile is left out": ["same ? i0 : 0; j0 < m", "same ? i0 + TILE : 0; j0 < m"],
  }),
  ...faultsOf("src/model/latent.ts", ["latent"], {
    "a path goes the other way": ["Math.sin((1 - t) * angle) / sine", "Math.sin(t * angle) / sine"],
    "a loop does not close": ["const legs = loop ? count : count - 1;", "const legs = count - 1;"],
  }),
];
