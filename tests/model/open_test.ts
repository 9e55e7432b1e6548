/** Weights from wherever they are: a path, URLs, bytes, a Blob. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CheckpointError, Generator, Gpu, type Source } from "../../mod.ts";
import { inFolder } from "../support/folder.ts";

const OPTIONS = { noiseDim: 5, widths: [4, 3, 2], height: 8, width: 8, seed: 4 } as const;

/** Serves the files of a folder on this machine. */
function serve(dir: string) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const name = decodeURIComponent(new URL(request.url).pathname);
    const bytes = await Deno.readFile(join(dir, name)).catch(() => undefined);
    return new Response(bytes, { status: bytes ? 200 : 404 });
  });
}

Deno.test("open: a path, a URL, bytes and a Blob give the same generator", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    const saved = new Generator(gpu, OPTIONS);
    const path = await saved.save(join(dir, "a generator.safetensors"));
    await saved.save(join(dir, "tfjs/model.json"));
    await using server = serve(dir);
    const origin = `http://127.0.0.1:${server.addr.port}`;
    const bytes = await Deno.readFile(path);
    const sources: Record<string, Source> = {
      path,
      "file URL": pathToFileURL(path),
      URL: new URL("/a generator.safetensors", origin),
      "URL of a tfjs model": new URL("/tfjs/model.json", origin),
      bytes,
      Blob: new Blob([bytes]),
      File: new File([bytes], "dropped.safetensors"),
    };
    const expected = await Promise.all(saved.variables.map((variable) => variable.read()));
    for (const [name, source] of Object.entries(sources)) {
      const { variables } = await Generator.load(gpu, source);
      const read = await Promise.all(variables.map((variable) => variable.read()));
      assert.deepEqual(read, expected, name);
    }
  }));

Deno.test("open: what cannot be opened is named", () =>
  inFolder(async (dir) => {
    using gpu = await Gpu.request();
    await Deno.mkdir(join(dir, "tfjs"));
    await new Generator(gpu, OPTIONS).save(join(dir, "tfjs/model.json"));
    await Deno.truncate(join(dir, "tfjs/weights.bin"), 8);
    await using server = serve(dir);
    const at = (name: string) => new URL(name, `http://127.0.0.1:${server.addr.port}`);
    const refused: [Source, RegExp][] = [
      [at("/none.safetensors"), /^Cannot open the weights http:.*\/none\.safetensors: 404/],
      [at("/tfjs/model.json"), /^Cannot read the tfjs model http:.*its shards hold 8 bytes/],
      [new File(["text"], "dropped.txt"), /dropped\.txt/],
      [new Blob([]), /the blob/],
    ];
    for (const [source, message] of refused) {
      await assert.rejects(Generator.load(gpu, source), (error: Error) => {
        assert.ok(error instanceof CheckpointError, String(error));
        assert.match(error.message, message);
        return true;
      });
    }
    await Deno.remove(join(dir, "tfjs/weights.bin"));
    await assert.rejects(Generator.load(gpu, at("/tfjs/model.json")), /shard weights\.bin .*: 404/);
    // @ts-expect-error: a number is no source.
    await assert.rejects(Generator.load(gpu, 7), {
      name: "TypeError",
      message: "A file must be a path, a URL, a Blob or a Uint8Array, got 7",
    });
  }));
