import assert from "node:assert/strict";
import { join } from "node:path";
import { VERSION } from "../../src/version.ts";
import { RunFolder } from "../../src/files/run_folder.ts";
import { readRunRecord, type RunFacts, writeRunRecord } from "../../src/files/run_record.ts";
import { inFolder } from "../support/folder.ts";
import type { RunRecord } from "../../src/formats/run_record.ts";

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

Deno.test("run record: it says what made the run", () =>
  inFolder(async (folder) => {
    const before = Date.now();
    assert.equal(await writeRunRecord(folder, FACTS), join(folder, "run.json"));
    const { sessions: [session, ...others], ...rest } = await read(folder);
    assert.deepEqual(rest, { format: 1, configuration: FACTS.configuration, seed: 7 });
    assert.deepEqual(others, []);
    const { started, ...facts } = session;
    assert.ok(Date.parse(started) >= before && Date.parse(started) <= Date.now(), started);
    assert.deepEqual(facts, {
      fromStep: 0,
      command: FACTS.command,
      versions: { library: VERSION, ...Deno.version },
      os: Deno.build.os,
      arch: Deno.build.arch,
      adapter: FACTS.adapter,
      kernels: FACTS.kernels,
    });
  }));

Deno.test("run record: a resume adds a session and keeps the rest; a new run starts anew", () =>
  inFolder(async (folder) => {
    await writeRunRecord(folder, FACTS);
    const first = await read(folder);
    const { command: _, ...facts } = FACTS;
    await writeRunRecord(folder, {
      ...facts,
      configuration: { other: 1 },
      kernels: { gemm: "texture" },
      fromStep: 235,
    });
    const second = await read(folder);
    assert.equal(second.sessions.length, 2);
    assert.deepEqual({ ...second, sessions: second.sessions.slice(0, 1) }, first);
    assert.equal(second.sessions[1].fromStep, 235);
    assert.deepEqual(second.sessions[1].kernels, { gemm: "texture" });
    assert.ok(!("command" in second.sessions[1]));

    await writeRunRecord(folder, { ...FACTS, seed: 8 });
    const third = await read(folder);
    assert.deepEqual([third.seed, third.sessions.length], [8, 1]);
  }));

Deno.test("run record: what others added to it stays", () =>
  inFolder(async (folder) => {
    await writeRunRecord(folder, FACTS);
    const path = join(folder, "run.json");
    await Deno.writeTextFile(path, JSON.stringify({ ...await read(folder), note: "mine" }));
    await writeRunRecord(folder, { ...FACTS, fromStep: 1 });
    assert.equal((await read(folder) as unknown as { note: string }).note, "mine");
  }));

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
  [
    `{"format":1,"configuration":{},"sessions":[{"a":${"[".repeat(3000)}${"]".repeat(3000)}}]}`,
    /cannot be read/,
  ],
];

Deno.test("run record: a damaged one is said, never stops a run, and is not blown up", async () => {
  for (const [text, message] of DAMAGED) {
    await inFolder(async (dir) => {
      const path = join(dir, "run.json");
      await Deno.writeTextFile(path, text);
      const said: string[] = [];
      const say = (text: string) => void said.push(text);
      assert.equal(await readRunRecord(dir, say), undefined, text);
      const images = { count: 1, height: 4, width: 4, channels: 1 };
      await using folder = await RunFolder.open(dir, { images, onMessage: say });
      assert.equal(await folder.objection({ seed: 1 }), undefined, text);
      await writeRunRecord(dir, { ...FACTS, fromStep: 9 }, say);
      assert.equal(said.length, 2, text);
      for (const line of said) assert.match(line, message);
      assert.deepEqual((await read(dir)).sessions.map(({ fromStep }) => fromStep), [9]);
      assert.ok((await Deno.stat(path)).size < 2000, text);
    });
  }
});

Deno.test("run record: a run resumed in a new folder has a record from its step on", () =>
  inFolder(async (folder) => {
    const said: string[] = [];
    await writeRunRecord(folder, { ...FACTS, fromStep: 9 }, (text) => said.push(text));
    assert.deepEqual(said, []);
    assert.equal((await read(folder)).sessions[0].fromStep, 9);
    await assert.rejects(writeRunRecord(join(folder, "missing"), FACTS), /Cannot write/);
  }));
