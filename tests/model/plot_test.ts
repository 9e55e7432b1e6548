/** Drawings of models: a box for each layer, with its numbers. */

import assert from "node:assert/strict";
import { XMLParser, XMLValidator } from "npm:fast-xml-parser@5.12.1";
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
  const layer = "conv2d_transpose (Conv2DTranspose)<br/>(None, 7, 7, 128)<br/>819,200 weights";
  assert.ok(text.includes(`m0_5["${layer}"]`));
  // The generator's images go to the discriminator, if they are of the size that it takes.
  assert.match(text, /^ {2}m0_11 -\.-> m1_0$/m);
  const other = discriminatorArchitecture({ height: 32 });
  assert.doesNotMatch(plotMermaid([models[0], other]), /-\.->/);
});

/** The elements of a drawing by name, each with its attributes. */
function elements(svg: string) {
  assert.equal(XMLValidator.validate(svg), true);
  const numbers = { ignoreAttributes: false, attributeNamePrefix: "", parseAttributeValue: true };
  return new XMLParser({ ...numbers, parseTagValue: false, htmlEntities: true }).parse(svg).svg;
}

Deno.test("plot: SVG has a box for each layer inside the drawing, and its numbers", () => {
  const { width, height, rect, text, path } = elements(plotSVG(models));
  // deno-lint-ignore no-explicit-any
  const boxes = rect.filter((box: any) => "rx" in box);
  assert.equal(boxes.length, 12 + 9);
  for (const [i, { x, y, width: w, height: h }] of boxes.entries()) {
    assert.ok(x >= 0 && y >= 0 && x + w <= width && y + h <= height);
    for (const other of boxes.slice(0, i)) {
      const apart = x + w <= other.x || other.x + other.width <= x ||
        y + h <= other.y || other.y + other.height <= y;
      assert.ok(apart, "boxes overlap");
    }
  }
  const texts = text.map((node: Record<string, string>) => node["#text"]);
  for (const { name, layer } of models.flatMap(({ layers }) => layers)) {
    assert.ok(texts.includes(name), name);
    assert.ok(texts.includes(`(None, ${layer.outputShape.join(", ")})`), name);
  }
  assert.ok(texts.includes("2,330,944 weights, 2,305,472 trainable"));
  assert.equal(path.filter((line: object) => "marker-end" in line).length, 11 + 8 + 1);
});

Deno.test("plot: names are escaped in SVG", () => {
  const { text, title } = elements(plotSVG([{ ...generatorArchitecture(), name: "a<b>&c" }]));
  assert.deepEqual([text[0]["#text"], title], ["a<b>&c", "a<b>&c"]);
});
