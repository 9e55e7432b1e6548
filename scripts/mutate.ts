/**
 * Plants small faults at random places of `src/`, one at a time, and names those that no test notices.
 *
 *   deno task mutate [--count N] [--seed N] [--only PATH] [--since REV] [--json]
 *
 * `--only` takes files whose path begins with PATH, `--since` those that differ from a Git revision.
 * All happens in copies of the checkout, in a temporary folder. A fault that does not compile is not
 * counted. Run the tests first: one that fails anyway seems to notice every fault. The exit code is 1
 * if a fault survives.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { TestRandom } from "../tests/support/random.ts";
import { type Mutation, mutations } from "./mutate/operators.ts";

/** Tests of ops, the quick ones first. */
const OPS = [
  ...["ops/planted_error", "ops/second_order", "ops/random", "ops/shapes", "ops/ieee"],
  ...["ops/norm", "model/oracle_layers", "ops/ops", "ops/gemm"],
];
/**
 * What tests each room of `src/`, in order: folders and files of `tests/`. Default: the folder of the
 * same name. Tests named after a file run before these.
 */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  kernels: ["graph/elementwise", "optim", "model/oracle_layers", ...OPS, "model/model"],
  gpu: ["gpu", "graph", "ops/planted_error", "training/leak"],
  graph: ["graph", "gpu", ...OPS],
  ops: [...OPS, "ops", "model/model"],
  optim: ["optim", "training/parity", "training/oracle_step"],
  formats: ["formats", "files/model_files", "cli/export"],
  model: ["model", "training/parity", "cli/export"],
  metrics: ["metrics", "training/trainer"],
  data: ["data", "files/images"],
  training: ["training/parity", "training/trainer", "training"],
  files: ["files", "train"],
  "train.ts": ["train", "train/resume"],
  "errors.ts": ["gpu"],
  "version.ts": ["files/run_record"],
};

/**
 * Tests in `ops/ops` that notice most faults of a kernel file in seconds: a filter of their names, by a
 * pattern of the file's. They run before all others.
 */
const QUICK: readonly (readonly [file: RegExp, tests: string])[] = [
  [/direct/, "/^(conv|matmul).*direct/"],
  [/tiled/, "/^(conv|matmul).*tiled/"],
  [/texture|pixels/, "/^(conv|matmul).*texture/"],
  [/winograd|batched_matmul/, "/^(conv|matmul).*winograd/"],
  [/batch_norm|norm/, "/^batchNorm/"],
  [/copy|shape/, "/^(transpose|slice|pad|concat|reshape|broadcastTo)/"],
  [/gather/, "/^gather/"],
  [/reduce/, "/^(sum|mean|max)/"],
  [/math|arithmetic|elementwise/, "/^(add|sub|mul|div|tanh|log|maximum|where|leakyRelu|softplus)/"],
  [/loss/, "/CrossEntropy/"],
];

/** Files whose faults the many tests of convolutions and products should notice. */
const GEMM = /gemm|conv|filter_grad|winograd|matmul/;
/** Names that begin with neither conv nor mat: Deno's expressions cannot look ahead. */
const OTHERS = "--filter=/^([^cm]|c[^o]|co[^n]|con[^v]|m[^a]|ma[^t])/";

/** Test files that take too long, unless the table or the name of a file asks for them. */
const SLOW =
  /files\/disk|gemm\/calibrate|cli\/permissions|train(?:ing)?\/(?:device_lost|resume|oracle_step|long_run|faults)/;

/** One fault in one file, and what became of it. */
export interface Mutant extends Mutation {
  readonly path: string;
  readonly line: number;
  /** What stood there. */
  readonly before: string;
  /** The test that failed. Without one, the fault survived. */
  noticedBy?: string;
  seconds?: number;
}

/** A checkout, and how to test it. */
export interface Project {
  readonly root: string;
  /** Its files, as paths from the root. */
  readonly files: readonly string[];
  /** Arguments of `deno` that run tests for a file, in stages: most faults need only the first. */
  testOf(path: string): readonly (readonly string[])[];
  /** Seconds that the tests of one stage may take. */
  readonly patience: number;
}

/** One fault for each line of code of some files, in random order. */
export async function draw(root: string, paths: readonly string[], seed: number) {
  const all: Mutant[] = [];
  for (const path of paths) {
    const source = await Deno.readTextFile(join(root, path));
    for (const one of mutations(path, source)) {
      const line = source.slice(0, one.start).split("\n").length;
      all.push({ ...one, path, line, before: source.slice(one.start, one.end) });
    }
  }
  const random = new TestRandom(seed);
  return [...Map.groupBy(all, at).values()]
    .map((several) => ({ key: random.uniform(), one: random.pick(several) }))
    .sort((a, b) => a.key - b.key)
    .map(({ one }) => one);
}

/** Runs `body` while a mutant is in place. */
async function planted<T>(dir: string, { path, start, end, text }: Mutant, body: () => Promise<T>) {
  const file = join(dir, path);
  const source = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, source.slice(0, start) + text + source.slice(end));
  try {
    return await body();
  } finally {
    await Deno.writeTextFile(file, source);
  }
}

async function deno(cwd: string, args: readonly string[], seconds?: number) {
  const env = { NO_COLOR: "1" };
  const options = { cwd, env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command("deno", { ...options, args: [...args] }).spawn();
  const timer = seconds && setTimeout(() => child.kill("SIGKILL"), 1000 * seconds);
  const begin = performance.now();
  const { success, signal, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { success, signal, output: text + errors, seconds: (performance.now() - begin) / 1000 };
}

async function compiles(dir: string, path: string, gpu: GPUDevice | undefined): Promise<boolean> {
  if (!path.endsWith(".wgsl")) {
    return (await deno(dir, ["check", "--config=deno.json", "--no-lock", path])).success;
  }
  gpu?.pushErrorScope("validation");
  gpu?.createShaderModule({ code: await Deno.readTextFile(join(dir, path)) });
  return !await gpu?.popErrorScope();
}

/**
 * Tests the first `count` mutants that compile, and reports each. The tests must pass without a mutant.
 */
export async function mutate(
  mutants: Iterable<Mutant>,
  count: number,
  { root, files, testOf, patience }: Project,
  report: (mutant: Mutant) => void,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dcgan-mutate-" });
  const gpu = await (await navigator.gpu?.requestAdapter())?.requestDevice();
  try {
    const trees = ["check", "one", "two"].map((name) => join(folder, name));
    for (const path of files) {
      for (const dir of trees) {
        await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
        await Deno.copyFile(join(root, path), join(dir, path));
      }
    }
    const compiled = async function* () {
      let left = count;
      for (const mutant of mutants) {
        if (left === 0) return;
        const { path } = mutant;
        if (!await planted(trees[0], mutant, () => compiles(trees[0], path, gpu))) continue;
        left--;
        yield mutant;
      }
    };
    const queue = compiled();
    await Promise.all(
      trees.slice(1).map(async (dir) => {
        for (let { value } = await queue.next(); value; { value } = await queue.next()) {
          const mutant = value;
          for (const args of testOf(mutant.path)) {
            const run = await planted(dir, mutant, () => deno(dir, args, patience));
            mutant.seconds = (mutant.seconds ?? 0) + run.seconds;
            if (run.success) continue;
            const [, test = "an error outside of tests"] =
              /^(.*?) \.\.\. FAILED/m.exec(run.output) ?? [];
            mutant.noticedBy = run.signal ? "the time limit" : test.trim();
            break;
          }
          report(mutant);
        }
      }),
    );
  } finally {
    gpu?.destroy();
    await Deno.remove(folder, { recursive: true });
  }
}

const at = ({ path, line }: Mutant) => `${path}:${line}`;

/** A mutant and what became of it, in a line. */
export function describe(mutant: Mutant): string {
  const { operator, before, text, seconds, noticedBy } = mutant;
  const change = `${operator}: ${JSON.stringify(before)} -> ${JSON.stringify(text)}`;
  const end = noticedBy ? `noticed by ${noticedBy}` : "SURVIVED";
  return `${at(mutant)} ${change}: ${end} (${seconds?.toFixed(1)} s)`;
}

async function git(root: string, ...args: string[]): Promise<string[]> {
  const command = new Deno.Command("git", { args: ["-C", root, ...args] });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const paths = new TextDecoder().decode(stdout).split("\n");
  return paths.filter((path) => path && Deno.statSync(join(root, path)).isFile);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "20" },
      seed: { type: "string", default: "0" },
      only: { type: "string", default: "src/" },
      since: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const root = fileURLToPath(new URL("..", import.meta.url));
  const files = await git(root, "ls-files", "--cached", "--others", "--exclude-standard");
  const candidates = values.since
    ? await git(root, "diff", "--name-only", "--diff-filter=d", values.since)
    : files;
  const paths = candidates.filter((path) =>
    /^src\/.*\.(?:ts|wgsl)$/.test(path) && path.startsWith(values.only)
  );
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const options = tasks.test.split(" ").filter((word: string) => word.startsWith("--"));
  const tests = files.filter((path) => path.endsWith("_test.ts"));
  const testOf = (path: string) => {
    const [, room, name] = /^src\/([^/]+)(?:.*\/)?(\w*)/.exec(path)!;
    const found = (TESTS[room] ?? [room]).flatMap((place) =>
      tests.filter((test) =>
        test === `tests/${place}_test.ts` ||
        (test.startsWith(`tests/${place}/`) && !SLOW.test(test))
      )
    );
    const own = tests.filter((test) => test.endsWith(`/${name}_test.ts`));
    const chosen = GEMM.test(path) ? [] : [OTHERS];
    const start = ["test", "--no-check", "--fail-fast", ...options];
    const quick = /^(kernels|ops|graph)$/.test(room) && QUICK.find(([file]) => file.test(name));
    return [
      ...(quick ? [[...start, `--filter=${quick[1]}`, "tests/ops/ops_test.ts"]] : []),
      ...(own.length ? [[...start, ...own]] : []),
      [...start, ...chosen, ...found.filter((test) => !own.includes(test))],
    ];
  };
  const project = { root, files, testOf, patience: 300 };
  const done: Mutant[] = [];
  const mutants = await draw(root, paths, Number(values.seed));
  await mutate(mutants, Number(values.count), project, (mutant) => {
    done.push(mutant);
    if (!values.json) console.log(describe(mutant));
  });
  const survivors = done.filter(({ noticedBy }) => !noticedBy);
  const score = `${done.length - survivors.length} of ${done.length} faults noticed`;
  console.log(
    values.json
      ? JSON.stringify({ seed: values.seed, score, mutants: done }, null, 2)
      : ["", ...survivors.map(describe), `${score} (seed ${values.seed})`].join("\n"),
  );
  return survivors.length ? 1 : 0;
}

if (import.meta.main) Deno.exitCode = await main();
