/** What is written to a terminal, decoded as a terminal would. */

import assert from "node:assert/strict";
import { encodePNG, type Image } from "../../mod.ts";
import {
  halfBlocks,
  iterm2,
  kitty,
  protocolOf,
  shrink,
  xterm256,
} from "../../src/cli/terminal_image.ts";

const ramp = (width: number, height: number, channels: number): Image => ({
  width,
  height,
  channels,
  data: Uint8Array.from({ length: width * height * channels }, (_, i) => i * 37 % 256),
});

Deno.test("terminal: the protocol follows from the environment", () => {
  const of = (env: Record<string, string>, isTerminal = true, noColor = false) =>
    protocolOf({ isTerminal, noColor, get: (name) => env[name] });
  const xterm = { TERM: "xterm-256color" };
  assert.equal(of({ TERM: "xterm-kitty" }), "kitty");
  assert.equal(of({ ...xterm, KITTY_WINDOW_ID: "1" }), "kitty");
  assert.equal(of({ ...xterm, TERM_PROGRAM: "ghostty" }), "kitty");
  assert.equal(of({ ...xterm, TERM_PROGRAM: "iTerm.app" }), "iterm2");
  assert.equal(of({ ...xterm, TERM_PROGRAM: "WezTerm" }), "iterm2");
  assert.equal(of({ ...xterm, COLORTERM: "truecolor" }), "truecolor");
  assert.equal(of(xterm), "256");
  assert.equal(of({ TERM: "linux" }), "path");
  assert.equal(of({ TERM: "dumb", COLORTERM: "truecolor" }), "path");
  assert.equal(of({}), "path");
  // Not a terminal: never anything else.
  assert.equal(of({ TERM: "xterm-kitty" }, false), "path");
  // NO_COLOR is about coloured text; an image is none.
  assert.equal(of(xterm, true, true), "path");
  assert.equal(of({ TERM: "xterm-kitty" }, true, true), "kitty");
  // tmux keeps the outer terminal's variables and swallows its protocol.
  assert.equal(of({ TERM: "tmux-256color", TMUX: "x", KITTY_WINDOW_ID: "1" }), "256");
  assert.equal(of({ ...xterm, STY: "1.pts", KITTY_WINDOW_ID: "1" }), "256");
  assert.equal(of({ ...xterm, TMUX: "x", KITTY_WINDOW_ID: "1" }), "256");
  assert.equal(of({ TERM: "screen-256color", TERM_PROGRAM: "iTerm.app" }), "256");
});

Deno.test("terminal: kitty gets the PNG's bytes in chunks", () => {
  // Noise does not compress, so that there are several chunks.
  let state = 1;
  const data = Uint8Array.from({ length: 100 * 90 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  const large = encodePNG({ width: 100, height: 90, channels: 1, data });
  const small = encodePNG(ramp(2, 2, 1));
  for (const [png, least] of [[large, 3], [small, 1]] as const) {
    const text = kitty(png);
    // deno-lint-ignore no-control-regex
    const chunks = [...text.matchAll(/\x1b_G([^;]*);([^\x1b]*)\x1b\\/g)];
    assert.ok(chunks.length >= least);
    assert.equal(chunks.map(([all]) => all).join("") + "\n", text);
    const keys = chunks.map(([, keys]) =>
      new Map(keys.split(",").map((k) => k.split("=") as [string, string]))
    );
    assert.deepEqual(["a", "f", "q"].map((key) => keys[0].get(key)), ["T", "100", "2"]);
    assert.deepEqual(
      keys.map((k) => k.get("m")),
      chunks.map((_, i) => i < chunks.length - 1 ? "1" : "0"),
    );
    for (const [, , payload] of chunks) assert.ok(payload.length <= 4096);
    for (const [, , payload] of chunks.slice(0, -1)) assert.equal(payload.length % 4, 0);
    assert.deepEqual(Uint8Array.fromBase64(chunks.map(([, , p]) => p).join("")), png);
  }
});

Deno.test("terminal: iTerm2 gets the PNG's bytes and their number", () => {
  const png = encodePNG(ramp(5, 4, 3));
  // deno-lint-ignore no-control-regex
  const match = /^\x1b\]1337;File=inline=1;size=(\d+):([^\x07]*)\x07\n$/.exec(iterm2(png));
  assert.ok(match);
  assert.equal(Number(match[1]), png.length);
  assert.deepEqual(Uint8Array.fromBase64(match[2]), png);
});

/** The pixels that half blocks show, as a terminal paints them: [rows][columns] of colour codes. */
function paint(text: string): string[][] {
  const rows: string[][] = [];
  for (const line of text.trimEnd().split("\n")) {
    let [front, back] = ["", ""];
    const upper: string[] = [];
    const lower: string[] = [];
    // deno-lint-ignore no-control-regex
    for (const [, codes, block] of line.matchAll(/\x1b\[([\d;]*)m|(.)/gu)) {
      if (block !== undefined) {
        assert.equal(block, "▀");
        upper.push(front);
        lower.push(back);
        continue;
      }
      const numbers = codes.split(";");
      while (numbers.length) {
        const code = numbers.shift();
        if (code === "0" || code === "49") back = "none";
        if (code !== "38" && code !== "48") continue;
        const colour = numbers.splice(0, numbers[0] === "2" ? 4 : 2).slice(1).join();
        if (code === "38") front = colour;
        else back = colour;
      }
    }
    rows.push(upper, lower);
  }
  return rows;
}

Deno.test("terminal: half blocks in true colours are the pixels", () => {
  const image = ramp(5, 4, 3);
  const painted = paint(halfBlocks(image, 80, "truecolor"));
  for (let y = 0; y < 4; y++) {
    const row = image.data.subarray(15 * y, 15 * (y + 1));
    assert.deepEqual(painted[y], [0, 3, 6, 9, 12].map((i) => row.slice(i, i + 3).join()));
  }
});

Deno.test("terminal: half blocks fit the columns, each pixel the mean of its area", () => {
  const image = ramp(12, 9, 1);
  const painted = paint(halfBlocks(image, 4, "truecolor"));
  assert.deepEqual(painted.map((row) => row.length), [4, 4, 4, 4]);
  assert.deepEqual(painted[3], ["none", "none", "none", "none"]); // 3 rows: the last has no lower half
  for (let y = 0; y < 3; y++) {
    for (let x = 0; x < 4; x++) {
      let sum = 0;
      for (let i = 0; i < 9; i++) {
        sum += image.data[(3 * y + Math.floor(i / 3)) * 12 + 3 * x + i % 3];
      }
      const mean = Math.round(sum / 9);
      assert.equal(painted[y][x], `${mean},${mean},${mean}`);
    }
  }
});

Deno.test("terminal: shrinking by a fraction keeps the mean, and larger ones are left alone", () => {
  const image = ramp(10, 10, 1);
  const small = shrink(image, 7);
  assert.deepEqual([small.width, small.height], [7, 7]);
  const mean = (data: Uint8Array) => data.reduce((a, b) => a + b, 0) / data.length;
  assert.ok(Math.abs(mean(small.data) - mean(image.data)) < 0.5);
  assert.equal(shrink(image, 10), image);
  const flat = { width: 9, height: 9, channels: 1, data: new Uint8Array(81).fill(200) };
  assert.ok(shrink(flat, 4).data.every((value) => value === 200));
});

Deno.test("terminal: grays and colours of the 256 are the nearest", () => {
  const grays = new Map([[16, 0], [231, 255]]);
  for (let i = 0; i < 24; i++) grays.set(232 + i, 8 + 10 * i);
  for (let value = 0; value < 256; value++) {
    const chosen = Math.abs(grays.get(xterm256([value, value, value]))! - value);
    const best = Math.min(...[...grays.values()].map((g) => Math.abs(g - value)));
    assert.equal(chosen, best, `gray ${value}`);
  }
  assert.equal(xterm256([255, 0, 0]), 196);
  assert.equal(xterm256([0, 95, 215]), 26);
  const painted = paint(halfBlocks(ramp(3, 2, 1), 3, "256"));
  assert.deepEqual(painted[0], [0, 37, 74].map((v) => String(xterm256([v, v, v]))));
});
