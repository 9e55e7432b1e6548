/** Drawings of models: a box for each layer, with its numbers. */

import assert from "node:assert/strict";
import {
  discriminatorArchitecture,
  generatorArchitecture,
  plotMermaid,
  plotSVG,
} from "../../mod.ts";

const models = [generatorArchitecture(), discriminatorArchitecture()];

Deno.test("plot: Mermaid has a box for each layer and an arrow between each two", () => {
  const text = plotMermaid(models);
  assert.match(text, /^flowchart TB\n/);
  const box = /^ {4}(m\d+_\d+)(\(\["[^"]*"\]\)|\["[^"]*"\])$/gm;
  const boxes = [...text.matchAll(box)].map((m) => m[1]);
  assert.equal(boxes.length, 12 + 9);
  assert.equal(new Set(boxes).size, boxes.length);
  const chains = [...text.matchAll(/^ {4}(m\d+_\d+ -->.*)$/gm)].map((m) => m[1].split(" --> "));
  assert.deepEqual(chains.flat(), boxes);
  assert.match(
    text,
    /m0_5\["conv2d_transpose \(Conv2DTranspose\)<br\/>\(None, 7, 7, 128\)<br\/>819,200 weights"\]/,
  );
  // The generator's images go to the discriminator, if they are of the size that it takes.
  assert.match(text, /^ {2}m0_11 -\.-> m1_0$/m);
  const other = discriminatorArchitecture({ height: 32 });
  assert.doesNotMatch(plotMermaid([models[0], other]), /-\.->/);
});

/** Elements of an XML text, each closed where it should be. */
function elements(xml: string): { name: string; attributes: string; text: string }[] {
  const found: { name: string; attributes: string; text: string }[] = [];
  const open: (typeof found)[number][] = [];
  const tag = /<(\/?)(\w+)((?:\s[\w:-]+="[^"<]*")*)\s*(\/?)>([^<]*)/g;
  for (const [, close, name, attributes, alone, text] of xml.matchAll(tag)) {
    if (close) {
      assert.equal(open.pop()?.name, name);
      continue;
    }
    found.push({ name, attributes, text });
    if (!alone) open.push(found[found.length - 1]);
  }
  assert.deepEqual(open, []);
  return found;
}

Deno.test("plot: SVG has a box for each layer inside the drawing, and its numbers", () => {
  const svg = plotSVG(models);
  const all = elements(svg);
  const number = (attributes: string, name: string) =>
    Number(new RegExp(`\\s${name}="([\\d.]+)"`).exec(attributes)![1]);
  const [width, height] = ["width", "height"].map((name) => number(all[0].attributes, name));
  const boxes = all.filter(({ name, attributes }) => name === "rect" && /rx=/.test(attributes));
  assert.equal(boxes.length, 12 + 9);
  const places = boxes.map(({ attributes }) =>
    ["x", "y", "width", "height"].map((name) => number(attributes, name))
  );
  for (const [i, [x, y, w, h]] of places.entries()) {
    assert.ok(x >= 0 && y >= 0 && x + w <= width && y + h <= height);
    for (const [x2, y2, w2, h2] of places.slice(0, i)) {
      assert.ok(x + w <= x2 || x2 + w2 <= x || y + h <= y2 || y2 + h2 <= y, "boxes overlap");
    }
  }
  const texts = all.filter(({ name }) => name === "text").map(({ text }) => text);
  for (const { layers } of models) {
    for (const { name, layer } of layers) {
      assert.ok(texts.includes(name), name);
      assert.ok(texts.includes(`(None, ${layer.outputShape.join(", ")})`), name);
    }
  }
  assert.ok(texts.includes("2,330,944 weights, 2,305,472 trainable"));
  assert.equal(all.filter(({ attributes }) => /marker-end/.test(attributes)).length, 11 + 8 + 1);
});

Deno.test("plot: names are escaped in SVG", () => {
  const svg = plotSVG([{ ...generatorArchitecture(), name: "a<b>&c" }]);
  assert.ok(svg.includes(">a&lt;b&gt;&amp;c</text>"));
  elements(svg);
});
