/**
 * The training, in a worker, so that the page never waits for it.
 *
 * @module
 */

import { AdapterError, DeviceLostError, encodeGIF, encodePNG, imageGrid } from "../mod.ts";
import { latentPath } from "../src/model/latent.ts";
import { decodeSafetensors } from "../src/formats/safetensors.ts";
import { decodeCheckpoint } from "../src/training/checkpoint.ts";
import { hyperparametersOf, resolveHyperparameters } from "../src/training/hyperparameters.ts";
import type { Position } from "../src/training/position.ts";
import { type Data, fetchMNIST, ImageReader, MNIST } from "./data.ts";
import { Device } from "./device.ts";
import { PlainGenerator, principalDirections } from "./infer.ts";
import type { Command, Event, Order, Question, Questions, Source } from "./protocol.ts";
import type { Beginning } from "./networks.ts";
import { type Reports, Run } from "./run.ts";
import { fromHyperparameters, type Settings } from "./settings.ts";
import { Store } from "./store.ts";

/** Milliseconds between two times that a run under way is kept. */
const KEEP_EVERY = 30_000;

const COMPILING = "Preparing your GPU for the first step";

function send(event: Event, transfer: Transferable[] = []): void {
  self.postMessage(event, { transfer });
}

const message = (text: string, warning = false) => send({ type: "message", text, warning });

const reasonOf = (error: unknown) => error instanceof Error ? error.message : String(error);

/** A sentence with the way out, for a browser without a device. */
function unavailable(): string {
  if (!self.isSecureContext) {
    return "WebGPU works on https addresses and on localhost only. Open this page from one of these.";
  }
  if (!navigator.gpu) {
    return "This browser has no WebGPU. Chrome and Edge have it since version 113, Safari since 26, " +
      "Firefox since 141 on Windows and 145 on a Mac.";
  }
  return "This browser has WebGPU, but found no GPU that it may use. Turn on graphics acceleration " +
    "in its settings, or update the graphics driver, and reload the page.";
}

/** Everything that the worker holds. */
class Worker {
  #device: Device | undefined;
  #store: Store | undefined;
  #data: Data | undefined;
  #mnist: Data | undefined;
  #run: Run | undefined;
  #shipped: Promise<PlainGenerator> | undefined;
  #opened: PlainGenerator | undefined;
  #keptStep = -1;
  #keptAt = performance.now();
  #keeping = Promise.resolve();
  #reader: ImageReader | undefined;
  #costKnown = false;

  readonly #reports: Reports = {
    losses: (losses, imagesPerSecond) => {
      send({ type: "losses", losses, imagesPerSecond });
      if (!this.#costKnown) {
        this.#costKnown = true;
        send({ type: "busy" });
        send({ type: "cost", cost: this.#run!.cost });
      }
      if (performance.now() - this.#keptAt > KEEP_EVERY) this.#keep();
    },
    frame: (frame) => {
      const { images, real, generated } = frame;
      send({ type: "frame", frame }, [images.buffer, real.buffer, generated.buffer as ArrayBuffer]);
    },
    snapshot: (step, images) => send({ type: "snapshot", step, images }, [images.buffer]),
    snapshots: (steps) => send({ type: "snapshots", steps }),
    rewound: (step) => send({ type: "rewound", step }),
    training: (running) => send({ type: "training", running }),
    moved: (step) => {
      this.#costKnown = false; // Its step is compiled anew.
      send({ type: "rewound", step });
      message(
        "The browser took the GPU away, as it does when a driver restarts. The run goes on with " +
          `another one from step ${step}`,
        true,
      );
    },
    message: (text) => {
      // Which kernels, is of interest to no one here.
      const elsewhere = / was made with other kernels /.test(text);
      if (elsewhere) message("This run began on another GPU. It goes on here with other rounding");
      else message(text, true);
    },
    compiled: (done) => send({ type: "busy", text: COMPILING, done }),
  };

  /** Does what the page orders; what fails is a message. */
  async obey(order: Order): Promise<void> {
    const run = this.#run;
    try {
      await this.#do(order);
    } catch (error) {
      if (run !== this.#run) return; // Another run took its place.
      send({ type: "busy" });
      if (error instanceof DeviceLostError) await this.#keep();
      message(reasonOf(error), true);
    }
  }

  async #do(order: Order): Promise<void> {
    switch (order.type) {
      case "hello":
        return await this.#hello(order.settings, order.bare);
      case "begin":
        if (order.data) this.#data = order.data === "read" ? this.#reader?.data : undefined;
        this.#reader = undefined;
        return await this.#begin(order.settings);
      case "resume":
        return await this.#resume();
      case "train":
        this.#announceCompiling();
        return await this.#run?.train(order.delay);
      case "pause":
        await this.#run?.pause();
        return await this.#keep();
      case "step":
        this.#announceCompiling();
        await this.#run?.step();
        return await this.#keep();
      case "rewind":
        return await this.#run?.rewind(order.step);
      case "frame":
        return await this.#run?.frame();
      case "keep":
        return await this.#keep();
    }
  }

  async #hello(settings: Settings, bare: boolean): Promise<void> {
    send({ type: "busy", text: "Looking for your GPU" });
    this.#store = await Store.open();
    try {
      this.#device = await Device.request();
    } catch (error) {
      if (error instanceof AdapterError) send({ type: "unavailable", text: unavailable() });
      else throw error;
      return send({ type: "busy" });
    }
    const kept = await this.#kept();
    if (kept) {
      const same = JSON.stringify(resolveHyperparameters(settings)) ===
        JSON.stringify(resolveHyperparameters(kept.settings));
      const resumed = (bare || same) &&
        await this.#resume(same ? { ...kept, settings } : kept).then(() => true, (error) => {
          message(`The run of before cannot go on: ${reasonOf(error)}`, true);
        });
      if (resumed) return;
    }
    await this.#begin(settings);
    if (kept) send({ type: "kept", step: kept.from.snapshot.position.steps });
  }

  /** The run that is kept, if one is and can be read. */
  async #kept(): Promise<{ from: Beginning; settings: Settings } | undefined> {
    const bytes = await this.#store?.run();
    if (!bytes?.length) return undefined;
    try {
      const name = "the run of before";
      const snapshot = decodeCheckpoint<Position>(bytes, name);
      return {
        from: { snapshot, name, losses: await this.#store?.losses() },
        settings: fromHyperparameters(hyperparametersOf(snapshot.configuration, name)),
      };
    } catch {
      return undefined;
    }
  }

  async #resume(given?: { from: Beginning; settings: Settings }): Promise<void> {
    const kept = given ?? await this.#kept();
    if (!kept) return message("There is no run of before any more", true);
    this.#data = await this.#store?.images();
    await this.#begin(kept.settings, kept.from);
    this.#keptStep = this.#run!.steps;
    send({ type: "stored", step: this.#keptStep });
  }

  /** Makes a run in place of the one before, which stays if this one is refused. */
  async #begin(settings: Settings, from?: Beginning): Promise<void> {
    const device = this.#device!;
    this.#data ??= await this.#fetchMNIST();
    const data = this.#data;
    send({ type: "busy", text: "Making the networks" });
    try {
      await this.#run?.pause();
      const report = this.#reports;
      const run = await Run.create({ settings, data, device, report }, from);
      this.#run?.[Symbol.dispose]();
      this.#run = run;
    } finally {
      send({ type: "busy" });
    }
    this.#costKnown = false;
    this.#keptStep = -1;
    const { steps: step, image, summaries, losses } = this.#run;
    send({
      type: "ready",
      run: {
        settings,
        step,
        data: { name: data.name, count: data.count, image },
        adapter: device.name,
        summaries,
        losses,
        stepsPerEpoch: Math.ceil(data.count / settings.batchSize),
      },
    });
  }

  async #fetchMNIST(): Promise<Data> {
    const text = "Fetching 60,000 handwritten digits";
    send({ type: "busy", text });
    this.#mnist ??= await fetchMNIST((done) => send({ type: "busy", text, done }))
      .finally(() => send({ type: "busy" }));
    return this.#mnist;
  }

  #announceCompiling(): void {
    if (!this.#costKnown) {
      send({ type: "busy", text: COMPILING });
    }
  }

  /** Keeps the run, once it was kept as it was before: an older one must not replace a newer one. */
  #keep(): Promise<void> {
    return this.#keeping = this.#keeping.then(() => this.#keepNow());
  }

  async #keepNow(): Promise<void> {
    const run = this.#run;
    this.#keptAt = performance.now();
    if (!run || !this.#store || run.steps === 0 || run.steps === this.#keptStep) return;
    try {
      // Without a device, what is in memory is the newest that there is.
      const newest = await run.toBytes().catch((error) => {
        if (error instanceof DeviceLostError && run.newest) return run.newest;
        throw error;
      });
      const [step, bytes] = newest;
      if (!await this.#store.keep(bytes, run.losses, run.data)) return;
      this.#keptStep = step;
      send({ type: "stored", step });
    } catch (error) {
      if (run !== this.#run) return; // Another run took its place.
      message(`The run could not be kept in this browser: ${reasonOf(error)}`, true);
    }
  }

  /** Answers a question, or says why it cannot. */
  async reply(question: Question): Promise<void> {
    const { id } = question;
    const run = this.#run;
    try {
      const value = await this.#answer(question);
      const arrays = Object.values(value).filter((part) => ArrayBuffer.isView(part));
      send({ type: "answer", id, value }, [...new Set(arrays.map(({ buffer }) => buffer))]);
    } catch (error) {
      // What a run could not answer that another one took the place of, nobody needs to hear.
      send({ type: "refusal", id, text: run === this.#run ? reasonOf(error) : "" });
    }
  }

  async #answer(question: Question): Promise<Questions[keyof Questions]["answer"]> {
    switch (question.type) {
      case "generate":
        return { images: await (await this.#model(question.from)).generate(question.noise) };
      case "latent":
        return await this.#latent(question);
      case "judge":
        return await this.#need().judge(question.image);
      case "example":
        return { image: await this.#need().example(question.kind) };
      case "render":
        return { bytes: new Uint8Array(await this.#render(question)) };
      case "export":
        return await this.#export(question.form);
      case "open":
        return await this.#open(question.file);
      case "images":
        return await this.#images(question);
      case "profile":
        return { kernels: await this.#need().profile() };
    }
  }

  #need(): Run {
    if (!this.#run) throw new Error("There is no run: reload the page");
    return this.#run;
  }

  #plain(): Promise<PlainGenerator> {
    return this.#shipped ??= fetch("generator.safetensors").then(async (response) => {
      if (!response.ok) throw new Error("The trained generator is missing from this site");
      return new PlainGenerator(new Uint8Array(await response.arrayBuffer()));
    });
  }

  async #model(from: Source): Promise<Run | PlainGenerator> {
    if (from === "run") return this.#need();
    return from === "opened" ? this.#opened! : await this.#plain();
  }

  async #latent(
    { from, seed }: Questions["latent"]["ask"],
  ): Promise<Questions["latent"]["answer"]> {
    const model = await this.#model(from);
    const { noiseDim, image } = model;
    return {
      ...{ noiseDim, image },
      noise: model.noise(16, seed),
      directions: principalDirections(model instanceof Run ? await model.first() : model.first),
    };
  }

  async #render({ noise, from, form }: Questions["render"]["ask"]) {
    const model = await this.#model(from);
    const { noiseDim, image: { height, width, channels } } = model;
    const size = height * width * channels;
    const scale = Math.max(1, Math.round(224 / width));
    const grid = (images: Float32Array) =>
      imageGrid(images, {
        ...{ height, width, channels, scale },
        ...{ count: images.length / size, columns: images.length / size },
      });
    if (form === "png") return encodePNG(grid(await model.generate(noise)));
    const images = await model.generate(latentPath(noise, { noiseDim, steps: 16, loop: true }));
    const frames = Array.from(
      { length: images.length / size },
      (_, i) => grid(images.subarray(i * size, (i + 1) * size)),
    );
    return encodeGIF(frames, { delayMs: 60 });
  }

  async #export(form: Questions["export"]["ask"]["form"]) {
    const run = this.#need();
    if (form === "checkpoint") {
      const [step, bytes] = await run.toBytes();
      return { name: `checkpoint-step-${step}.safetensors`, bytes };
    }
    const [step, bytes] = await run.generatorBytes(form);
    return { name: `generator-step-${step}.${form}`, bytes };
  }

  async #open(file: File): Promise<Questions["open"]["answer"]> {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const { name } = file;
    const why = this.#untrainable(decodeSafetensors(bytes, name).metadata);
    if (why) {
      this.#opened = new PlainGenerator(bytes, name);
      return { why };
    }
    const snapshot = decodeCheckpoint<Position>(bytes, name);
    const settings = fromHyperparameters(hyperparametersOf(snapshot.configuration, name));
    const before = this.#data;
    try {
      await this.#begin(settings, { snapshot, name });
    } catch (error) {
      // It may be a run on MNIST, while images of the person's own are loaded.
      if (!before || before.name === MNIST) throw error;
      this.#data = undefined;
      await this.#begin(settings, { snapshot, name }).catch((error) => {
        this.#data = before;
        throw error;
      });
    }
    return { step: this.#run!.steps };
  }

  /** Why a file with this metadata cannot be trained here, if it cannot. */
  #untrainable({ position, configuration }: Readonly<Record<string, string>>): string | undefined {
    const walk = "you can walk through what it paints, but not train it";
    if (position === undefined) return `This is a generator without its run: ${walk}`;
    if (!this.#device) return `Without WebGPU this is a generator alone: ${walk}`;
    return /"conditional":\s*true/.test(configuration)
      ? "This run needs labels, which this page does not have. Go on with it in the command line; " +
        "here you can walk through what its generator paints"
      : undefined;
  }

  async #images(
    { files, first, size, color }: Questions["images"]["ask"],
  ): Promise<Questions["images"]["answer"]> {
    if (first) this.#reader = new ImageReader(size, color);
    const reader = this.#reader!;
    const skipped = await reader.add(files);
    return { count: reader.count, full: reader.full, skipped };
  }
}

const worker = new Worker();

self.addEventListener("message", async ({ data }: MessageEvent<Command>) => {
  await ("id" in data ? worker.reply(data) : worker.obey(data));
});
