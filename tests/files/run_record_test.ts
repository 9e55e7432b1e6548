import assert from "node:assert/strict";
import { join } from "node:path";
import { VERSION } from "../../src/version.ts";
import { RunFolder } from "../../src/files/run_folder.ts";
import { readRunRecord, type RunFacts, writeRunRecord } from "../../src/files/run_record.ts";
import { inFolder, put } from "../support/folder.ts";
import { listen } from "../support/training.ts";
import type { RunRecord } from "../../src/formats/run_record.ts";

/** A test with a folder of its own. */
const test = (name: string, body: (dir: string) => Promise<void>) =>
  Deno.test(`run record: ${name}`, () => inFolder(body));

const FACTS: RunFacts = {
  configuration: { batchSize: 256, widths: [1, 2] },
  seed: 7,
  adapter: { description: "An adapter", kind: "gpu" },
  kernels: { gemm: "tiled" },
  fromStep: 0,
  command: ["train", "--seed", "7"],
};

const read = async (folder: string): Promise<RunRecord> =>
  JSON.parse(await Deno.readTextFile(join(folder, "run.json")));

test("it says what made the run", async (folder) => {
  const before = Date.now();
  assert.equal(await writeRunRecord(folder, FACTS), join(folder, "run.json"));
  const { sessions: [{ started, ...session }, ...others], ...rest } = await read(folder);
  const { configuration, seed, ...facts } = FACTS;
  assert.deepEqual(rest, { format: 1, configuration, seed });
  assert.deepEqual(others, []);
  assert.ok(Date.parse(started) >= before && Date.parse(started) <= Date.now(), started);
  const { os, arch } = Deno.build;
  const versions = { library: VERSION, ...Deno.version };
  assert.deepEqual(session, { ...facts, versions, os, arch });
});

test("a resume adds a session and keeps the rest; a new run starts anew", async (folder) => {
  await writeRunRecord(folder, FACTS);
  const first = await read(folder);
  const kernels = { gemm: "texture" };
  const { command: _, ...facts } = {
    ...FACTS,
    configuration: { other: 1 },
    kernels,
    fromStep: 235,
  };
  await writeRunRecord(folder, facts);
  const { sessions: [begun, resumed, ...others], ...rest } = await read(folder);
  assert.deepEqual([{ ...rest, sessions: [begun] }, others], [first, []]);
  assert.deepEqual([resumed.fromStep, resumed.kernels, "command" in resumed], [
    235,
    kernels,
    false,
  ]);

  await writeRunRecord(folder, { ...FACTS, seed: 8 });
  const third = await read(folder);
  assert.deepEqual([third.seed, third.sessions.length], [8, 1]);
});

test("what others added to it stays", async (folder) => {
  await writeRunRecord(folder, FACTS);
  await put(folder, { "run.json": JSON.stringify({ ...await read(folder), note: "mine" }) });
  await writeRunRecord(folder, { ...FACTS, fromStep: 1 });
  assert.equal((await read(folder) as unknown as { note: string }).note, "mine");
});

const deep = `{"a":${"[".repeat(3000)}${"]".repeat(3000)}}`;

/** Damaged records, and what is said of them. */
const DAMAGED: [text: string, message: RegExp][] = [
  [`{"format":1,"sess`, /run\.json cannot be read \(.*\): a new one takes its place/],
  ["", /cannot be read/],
  ["null", /its format is undefined/],
  [`{"format":2,"sessions":[]}`, /its format is 2/],
  [`{"format":1,"sessions":{}}`, /it has no list of sessions/],
  [`{"format":1,"sessions":[{}]}`, /cannot be read/],
  [`{"format":1,"configuration":{},"sessions":[${"{},".repeat(10_000)}{}]}`, /cannot be read/],
  [`{"format":1,"configuration":{},"sessions":[null]}`, /cannot be read/],
  [`{"format":1,"configuration":{},"sessions":[${deep}]}`, /cannot be read/],
];

Deno.test("run record: a damaged one is said, never stops a run, and is not blown up", async () => {
  for (const [text, message] of DAMAGED) {
    await inFolder(async (dir) => {
      await put(dir, { "run.json": text });
      const { messages, onMessage } = listen();
      assert.equal(await readRunRecord(dir, onMessage), undefined, text);
      const images = { count: 1, height: 4, width: 4, channels: 1, columns: 1 };
      await using folder = await RunFolder.open(dir, { images, onMessage });
      assert.equal(await folder.objection({ seed: 1 }), undefined, text);
      await writeRunRecord(dir, { ...FACTS, fromStep: 9 }, onMessage);
      assert.equal(messages.length, 2, text);
      for (const line of messages) assert.match(line, message);
      assert.deepEqual((await read(dir)).sessions.map(({ fromStep }) => fromStep), [9]);
      assert.ok((await Deno.stat(join(dir, "run.json"))).size < 2000, text);
    });
  }
});

test("a run resumed in a new folder has a record from its step on", async (folder) => {
  const { messages, onMessage } = listen();
  await writeRunRecord(folder, { ...FACTS, fromStep: 9 }, onMessage);
  assert.deepEqual(messages, []);
  assert.equal((await read(folder)).sessions[0].fromStep, 9);
  await assert.rejects(writeRunRecord(join(folder, "missing"), FACTS), /Cannot write/);
});
