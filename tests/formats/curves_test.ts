import assert from "node:assert/strict";
import { XMLParser, XMLValidator } from "npm:fast-xml-parser@5.12.1";
import { Buckets } from "../../src/formats/buckets.ts";
import { Curves } from "../../src/formats/curves.ts";
import { escapeXML, grouped, ticks } from "../../src/formats/svg.ts";
import { RandomSequence } from "../../src/model/threefry.ts";

const BLUE = "#0072b2"; // the generator
const RED = "#d55e00"; // the discriminator
/** The plot's corners. */
const PLOT = { left: 62, right: 694, top: 88, bottom: 362 };

/** A document as any program would read it, after a check that it is well-formed. */
function parse(svg: string) {
  assert.equal(XMLValidator.validate(svg), true);
  const options = { ignoreAttributes: false, attributeNamePrefix: "", parseTagValue: false };
  return new XMLParser({ ...options, htmlEntities: true, alwaysCreateTextNode: true }).parse(svg);
}

/** Every element of a name. */
function nodes(value: unknown, name: string): Record<string, string>[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    key === name ? [child].flat() : nodes(child, name)
  );
}

/** Kinds of paths by an attribute. */
const KINDS = {
  mean: ["stroke-width", "2", "stroke"],
  raw: ["stroke-width", "0.8", "stroke"],
  dot: ["stroke-width", "5", "stroke"],
  band: ["opacity", "0.2", "fill"],
};

function look(svg: string) {
  assert.ok(svg.length <= 100_000, `${svg.length} characters`);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
  const { svg: root } = parse(svg);
  const paths = nodes(root.g, "path");
  return {
    root,
    texts: nodes(root, "text").map((node) => node["#text"]),
    description: root.desc["#text"] as string,
    /** Thick and thin lines, bands and dots of a network's color: points of each stretch. */
    points(kind: keyof typeof KINDS, color: string): [x: number, y: number][][] {
      const [attribute, value, colored] = KINDS[kind];
      const d = paths.filter((path) => path[attribute] === value && path[colored] === color)
        .map((path) => path.d).join("");
      return d.split("M").filter(Boolean).map((part) =>
        part.replace(/Z|h0/g, "").split("L").map((xy): [number, number] => {
          const [x, y] = xy.split(",").map(Number);
          assert.ok(Number.isFinite(x) && Number.isFinite(y), xy);
          return [x, y];
        })
      );
    },
  };
}

/** The loss at a height, where that at the top edge is known. */
const lossAt = (y: number, top: number) => (PLOT.bottom - y) / (PLOT.bottom - PLOT.top) * top;

type Losses = readonly [generator: number, discriminator: number];

/** Curves of both losses of some steps. */
function drawn(steps: number, losses: (step: number) => Losses): Curves {
  const curves = new Curves();
  for (let step = 1; step <= steps; step++) curves.add(step, ...losses(step));
  return curves;
}

const figure = (steps: number, losses: (step: number) => Losses) =>
  look(drawn(steps, losses).svg());

Deno.test("curves: every step of a short run is where its loss puts it", () => {
  const { points } = figure(100, (step) => [1, step % 2 ? 0.5 : 1.5]);
  const [raw, ...more] = points("raw", RED);
  assert.equal(more.length, 0);
  assert.equal(raw.length, 100);
  // The top is at 1.75: 1.04 * 1.6 on half a tick of 0.5.
  const y = (loss: number) => PLOT.bottom - loss / 1.75 * (PLOT.bottom - PLOT.top);
  raw.forEach(([px, py], i) => {
    assert.ok(Math.abs(px - (PLOT.left + (i + 1) / 100 * (PLOT.right - PLOT.left))) <= 0.051);
    assert.ok(Math.abs(py - y(i % 2 ? 1.5 : 0.5)) <= 0.051, `${py}`);
  });
  // What goes up and down with each step is 1 when smoothed, what is 1 stays so.
  const [mean] = points("mean", RED);
  assert.equal(mean.length, 100);
  for (const [, py] of mean.slice(5, -5)) assert.ok(Math.abs(py - y(1)) < 1.2, `${py}`);
  for (const [, py] of points("mean", BLUE)[0]) assert.ok(Math.abs(py - y(1)) <= 0.051);
  assert.deepEqual(points("band", RED), []);
});

Deno.test("curves: other objectives have their own scale, and losses below 0 fit in", () => {
  const drawn = (objective: string, ...losses: [number, number][]) => {
    const curves = new Curves(objective);
    losses.forEach(([g, d], i) => curves.add(i + 1, g, d));
    return curves.svg();
  };
  const relativistic = drawn("relativistic", [0.7, 0.7], [0.9, 0.5]);
  assert.match(relativistic, /cross-entropy of pairs \(nats\)/);
  assert.doesNotMatch(relativistic, /2 ln 2|real \+ generated/);
  const hinge = drawn("hinge", [-3.2, 1.5], [2, 0.4]);
  assert.match(hinge, />hinge loss</);
  assert.match(hinge, />-3</);
  assert.match(hinge, /real \+ generated/);
  assert.doesNotMatch(hinge, /ln 2|Dashed|binary/);
  // Both ends of a loss lie inside the plot: rows 88 to 362.
  const ys = [
    ...drawn("wgan-gp", [-40, -60], [30, -1], [30, -1]).matchAll(
      /d="([^"]*)" fill="none" stroke="#(?:0072b2|d55e00)" stroke-width="0.8"/g,
    ),
  ]
    .flatMap(([, d]) => [...d.matchAll(/,(-?[\d.]+)/g)].map(([, y]) => Number(y)));
  assert.ok(ys.length > 3 && ys.every((y) => y >= 88 && y <= 362), ys.join());
});

Deno.test("curves: title, axes, units and equilibria are named, on an own background", () => {
  const curves = drawn(470, () => [0.7, 1.4]);
  curves.markEpoch(235, 1);
  curves.markEpoch(470, 2);
  const { texts, description, root } = look(curves.svg());
  assert.deepEqual([root.title["#text"], texts[0]], Array(2).fill("Losses of the DCGAN"));
  assert.equal(root.role, "img");
  assert.equal(root["aria-labelledby"], "dcgan-title dcgan-description");
  assert.match(description, /470 training steps; .*generator 0\.700, discriminator 1\.400/);
  const axes = ["binary cross-entropy (nats)", "training step", "epoch", "0.5", "1.5", "400"];
  const legend = ["generator", "discriminator, real + generated"];
  for (const text of [...axes, ...legend, "ln 2", "= 0.693", "2 ln 2", "= 1.386"]) {
    assert.ok(texts.includes(text), `${text} in ${texts}`);
  }
  assert.deepEqual(texts.slice(texts.indexOf("epoch") - 2, texts.indexOf("epoch")), ["1", "2"]);
  const backgrounds = nodes(root, "rect").filter(({ fill }) => fill === "#fff");
  assert.ok(backgrounds.some(({ width, height }) => width === "760" && height === "440"));
});

Deno.test("curves: texts come back from XML, but for what it does not allow", () => {
  const { t } = parse(`<t>${escapeXML(`<Run> "1" & 'two'\0\u{1f600}\ud800`)}</t>`);
  assert.equal(t["#text"], `<Run> "1" & 'two'\u{1f600}\ufffd`);
});

Deno.test("curves: no step, one step, and one step late in a run", () => {
  assert.match(look(new Curves().svg()).description, /No step/);
  for (const step of [1, 70_000]) {
    const one = new Curves();
    one.add(step, 0.7, 1.4);
    const { points } = look(one.svg());
    assert.equal(points("dot", BLUE).length, 1);
    assert.equal(points("dot", RED).length, 1);
    const [[[x]]] = points("dot", BLUE);
    assert.ok(x > PLOT.left && x < PLOT.right, `${x}`);
  }
});

Deno.test("curves: losses that are not finite leave a gap, and are counted", () => {
  const lengths = (points: unknown[][]) => points.map(({ length }) => length);
  const many = figure(400, (i) => [i > 200 && i <= 240 ? NaN : 0.7, i === 300 ? Infinity : 1.4]);
  assert.deepEqual(lengths(many.points("mean", BLUE)), [200, 160]);
  assert.deepEqual(lengths(many.points("mean", RED)), [299, 100]);
  assert.ok(many.texts.includes("41 steps have a loss that is not finite."), `${many.texts}`);
  const alone = figure(4, (i) => i === 2 ? [NaN, NaN] : [0.7, 0.7]);
  assert.ok(alone.texts.includes("1 step has a loss that is not finite."), `${alone.texts}`);
  assert.deepEqual(lengths(alone.points("dot", RED)), [1]);
  assert.deepEqual(lengths(alone.points("mean", RED)), [2]);
  const none = figure(3, () => [NaN, -Infinity]);
  assert.match(none.description, /generator without a finite loss/);
});

Deno.test("curves: the thick line weighs each stretch by the steps it has", () => {
  // Two steps a stretch: 1 and 1, then 4 alone; (1 + 1 + 4) / 3 = 2.
  const { points } = figure(1920, (step) => [[1, 1, 4, NaN][(step - 1) % 4], 1]);
  for (const [, y] of points("mean", BLUE)[0].slice(20, -20)) {
    assert.ok(Math.abs(lossAt(y, 4.5) - 2) < 0.02, `${lossAt(y, 4.5)}`);
  }
});

Deno.test("curves: a single peak is cut off and named, a level that stays is shown", () => {
  const isCut = ({ texts }: { texts: string[] }) => texts.some((text) => text.includes("cut off"));
  const high = figure(500, (step) => [step === 250 ? 30 : 0.7, 1.4]);
  assert.ok(high.texts.includes("Peaks up to 30.0 are cut off."), `${high.texts}`);
  assert.ok(high.texts.includes("1.5"));
  assert.ok(!isCut(figure(500, (step) => [step === 250 ? 2.6 : 0.7, 1.4])));
  const svg = drawn(500, (step) => [step > 250 ? 30 : 0.7, 1.4]).svg();
  const shown = look(svg);
  assert.ok(shown.texts.includes("30"));
  assert.ok(!isCut(shown));
  for (const [, y] of shown.points("raw", BLUE)[0]) assert.ok(y >= PLOT.top);
  // Both dashed lines' names have room.
  const at = ["ln 2", "2 ln 2"].map((name) =>
    Number(new RegExp(`y="([\\d.]+)"[^>]*>${name}<`).exec(svg)?.[1])
  );
  assert.ok(at[0] - at[1] >= 11.9, `${at}`);
});

Deno.test("curves: huge, tiny and negative losses are drawn as far as there is room", () => {
  for (const loss of [1e300, Number.MAX_VALUE, 3.4e38, 1e9, 1e-300, 0, -5]) {
    figure(50, () => [loss, loss]);
  }
});

Deno.test("curves: a million steps fit into 100 kB, with their extremes and means", () => {
  const random = new RandomSequence(1, 99);
  const curves = new Curves();
  for (let step = 1; step <= 1_000_000; step++) {
    // A dip of one step near the middle.
    const g = step === 500_000 ? 0.1 : 1 + 0.2 * random.uniform();
    curves.add(step, g, 1.3 + 0.1 * random.uniform());
    if (step % 235 === 0) curves.markEpoch(step, step / 235);
  }
  const { points, texts } = look(curves.svg());
  const [band] = points("band", BLUE);
  const loss = (y: number) => lossAt(y, 1.75);
  assert.equal(band[0][0], band.at(-1)![0]); // There along the upper edge, and back along the lower.
  assert.ok(band[0][1] < band.at(-1)![1]);
  const lowest = band.reduce((a, b) => a[1] > b[1] ? a : b);
  assert.ok(Math.abs(loss(lowest[1]) - 0.1) < 0.001, `${loss(lowest[1])}`);
  assert.ok(Math.abs(lowest[0] - (PLOT.left + PLOT.right) / 2) < 1, `${lowest[0]}`);
  assert.ok(Math.abs(loss(Math.min(...band.map(([, y]) => y))) - 1.2) < 0.001);
  for (const [, y] of points("mean", BLUE)[0]) assert.ok(Math.abs(loss(y) - 1.1) < 0.01);
  assert.ok(texts.includes("4000"));
  assert.ok(texts.includes("1\u2009000\u2009000"));
});

Deno.test("curves: the worst case for the size, a gap between any two stretches, is 100 kB too", () => {
  const losses = [
    (step: number) => step % 2 ? 0.111 + step / 700 : NaN,
    (step: number) => (step - 1) % 4 < 2 ? 0.111 + step / 1400 + (step % 2) / 10 : NaN,
  ];
  for (const [i, loss] of losses.entries()) {
    const curves = drawn(960 * (i + 1), (step) => [loss(step), loss(step)]);
    for (let step = 1; step <= 960 * (i + 1); step++) curves.markEpoch(step, step);
    look(curves.svg());
  }
});

Deno.test("curves: epochs are marked, the later of two ends of one counts, many are thinned", () => {
  const curves = drawn(10, () => [1, 1]);
  for (const [step, epoch] of [[3, 1], [5, 1], [10, 2]]) curves.markEpoch(step, epoch);
  const at = [...curves.svg().matchAll(/<text x="([\d.]+)" y="78"[^>]*>([^<]+)</g)];
  assert.deepEqual(at.map(([, x, text]) => [text, Number(x)]), [
    ["1", (PLOT.left + PLOT.right) / 2],
    ["2", PLOT.right],
    ["epoch", PLOT.right + 16],
  ]);

  const many = drawn(100_000, () => [1, 1]);
  for (let step = 1; step <= 100_000; step++) many.markEpoch(step, step);
  const svg = many.svg();
  const { texts } = look(svg);
  const count = (name: string) => texts.filter((text) => text === name).length;
  assert.equal(count("30\u2009000"), 1); // epochs only
  assert.equal(count("40\u2009000"), 2); // steps, too
  assert.ok((svg.match(/h0|,88L/g) ?? []).length < 200);
});

Deno.test("curves: the figure of a log is that of its rows", () => {
  const row = { time: "", epoch: 1, generatorLoss: 0.7, discriminatorLoss: 1.4 };
  const curves = new Curves();
  curves.addRow({ ...row, type: "step", step: 1, images: 4 });
  curves.addRow({ ...row, type: "step", step: 2, images: 8, generatorLoss: 0.9 });
  curves.addRow({ ...row, type: "epoch", step: 2, steps: 2, seconds: 1 });
  const expected = drawn(2, (step) => [step === 1 ? 0.7 : 0.9, 1.4]);
  expected.markEpoch(2, 1);
  assert.equal(curves.svg(), expected.svg());
});

Deno.test("curves: buckets hold the extremes and the mean of any series, in bounded memory", () => {
  for (const capacity of [1, 7, 64]) {
    for (const count of [1, 6, 7, 8, 64, 65, 1000]) {
      const random = new RandomSequence(count, 99);
      const value = () => random.uniform() < 0.1 ? NaN : random.normal();
      const values = Array.from({ length: count }, value);
      const buckets = new Buckets(capacity);
      const first = 1 + 10 * count;
      values.forEach((value, i) => buckets.add(first + i, value));
      const list = buckets.list();
      assert.ok(list.length <= capacity);
      assert.equal(list.length, Math.ceil(count / buckets.width));
      let next = first;
      for (const { from, to, count, min, max, mean } of list) {
        assert.equal(from, next);
        next = to + 1;
        const part = values.slice(from - first, next - first).filter(Number.isFinite);
        assert.equal(count, part.length);
        const extremes = count ? [Math.min(...part), Math.max(...part)] : [NaN, NaN];
        assert.deepEqual([min, max], extremes);
        const expected = part.reduce((a, b) => a + b, 0) / part.length; // NaN for none.
        assert.ok(count ? Math.abs(mean - expected) < 1e-12 : Number.isNaN(mean));
      }
      assert.equal(next, first + count);
    }
  }
});

Deno.test("curves: ticks are round numbers within the range, and numbers are grouped", () => {
  assert.deepEqual(ticks(0, 1.75, 6), [0, 0.5, 1, 1.5]);
  assert.deepEqual(ticks(0, 0.3, 3), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(ticks(69_999, 70_001, 8, true), [69_999, 70_000, 70_001]);
  assert.deepEqual(ticks(0, 11_750, 8, true), [0, 2000, 4000, 6000, 8000, 10_000]);
  assert.equal(grouped(9999), "9999");
  assert.equal(grouped(1234567), "1\u2009234\u2009567");
  assert.equal(grouped(12345.678), "12\u2009345.678");
});

Deno.test("curves: Fréchet distances have a panel of their own, on the same steps", () => {
  const rows = (distances: readonly (number | undefined)[]) => {
    const curves = new Curves();
    for (let step = 1; step <= 40; step++) curves.add(step, 1, 1);
    distances.forEach((distance, i) => curves.markEpoch(10 * (i + 1), i + 1, distance));
    return curves.svg();
  };
  const green = (svg: string) =>
    nodes(parse(svg).svg, "path").filter(({ stroke }) => stroke === "#009e73").map(({ d }) => d);
  const without = rows([undefined, NaN, undefined, undefined]);
  assert.deepEqual(green(without), []);
  assert.equal(parse(without).svg.height, "440");

  const svg = rows([200, undefined, 50, 100]);
  assert.equal(parse(svg).svg.height, "580");
  const x = (step: number) => Math.round((62 + step / 40 * 632) * 10) / 10;
  // 200 at the top, 474; the best, 50, at a quarter of 88 pixels above the bottom, 562.
  assert.deepEqual(green(svg), [
    `M${x(10)},474L${x(30)},540L${x(40)},518`,
    `M${x(30)},540h0`,
  ]);
  assert.ok(look(svg).texts.includes("Fréchet distance of generated images, at best 50"));
  // The losses are drawn as before.
  assert.deepEqual(look(svg).points("raw", BLUE), look(without).points("raw", BLUE));
});

Deno.test("curves: of very many epochs, few distances are drawn; zeros and a lone one are, too", () => {
  const curves = new Curves();
  for (let epoch = 1; epoch <= 3000; epoch++) {
    curves.add(epoch, 1, 1);
    curves.markEpoch(epoch, epoch, 1 / epoch);
  }
  const paths = nodes(parse(curves.svg()).svg, "path").filter(({ stroke }) => stroke === "#009e73");
  assert.equal(paths[0].d.split("L").length, 300);
  const one = new Curves();
  one.add(1, 1, 1);
  one.markEpoch(1, 1, 0);
  look(one.svg());
});

Deno.test("curves: of very many epochs, all distances of few evaluations are drawn", () => {
  const curves = new Curves();
  for (let epoch = 1; epoch <= 3000; epoch++) {
    curves.add(epoch, 1, 1);
    curves.markEpoch(epoch, epoch, epoch % 25 ? undefined : 1 / epoch);
  }
  const paths = nodes(parse(curves.svg()).svg, "path").filter(({ stroke }) => stroke === "#009e73");
  assert.equal(paths[0].d.split("L").length, 120);
});
