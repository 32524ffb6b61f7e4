// The command line from outside, as a process: help, bad input, one JSON document; of what the commands' own tests do not
// run as a process.

import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/study/store/store.ts";
import { simulateStudy } from "../scaling/simulate.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const small = join(root, "models/books/books-0.2m");
const text = join(root, "models/books/heldout.txt");
const folder = mkdtempSync(join(tmpdir(), "kbit-command-"));
const at = (name: string) => join(folder, name);

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const kbit = (...args: string[]) => kbitIn({}, ...args);

function kbitIn(environment: Record<string, string>, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, NODE_COMPILE_CACHE: at("cache"), ...environment };
    execFile(process.execPath, [join(root, "src/cli/kbit.ts"), ...args], { cwd: folder, env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

/** A copy of the small model with something changed. */
function copyModel(name: string, change: (path: string) => void): string {
  cpSync(small, at(name), { recursive: true });
  change(at(name));
  return at(name);
}

/** Changes a config.json. */
const configure = (fields: object) => (path: string) => {
  const file = join(path, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
  writeFileSync(file, JSON.stringify({ ...config, ...fields }));
};

const poisoned = "gpt_neox.layers.1.mlp.dense_4h_to_h.weight";

/** Makes the third number of one weight NaN. */
function poison(path: string): void {
  const file = join(path, "model.safetensors");
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  expect(header[poisoned].dtype).toBe("F16");
  bytes.writeUInt16LE(0x7e00, 8 + length + header[poisoned].data_offsets[0] + 4);
  rmSync(file);
  writeFileSync(file, bytes);
}

beforeAll(async () => {
  copyModel("truncated", (path) => {
    const file = join(path, "model.safetensors");
    const bytes = readFileSync(file);
    rmSync(file);
    writeFileSync(file, bytes);
    truncateSync(file, 400_000);
  });
  copyModel("poisoned", poison);
  copyModel("unknown", configure({ model_type: "gpt_neoxx" }));
  copyModel("misshapen", configure({ hidden_size: 96 }));
  mkdirSync(at("hollow"));
  writeFileSync(at("empty.txt"), "");
  writeFileSync(at("words.txt"), "It was near the close of the year, and the house was still. ".repeat(20));
  const store = await openStore(at("good.db"));
  await store.add(simulateStudy({ sizes: [1e6, 4e6], precisions: [3, 4, 16] }));
  await store.close();
  cpSync(at("good.db"), at("newer.db"));
  const db = new DatabaseSync(at("newer.db"));
  db.exec("INSERT INTO kbit_schema VALUES (99, '2040-01-01')");
  db.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("help", () => {
  test("every command names its options and shows examples of them that are its own", async () => {
    const showHelp = async (...command: string[]) => {
      const { code, out, err } = await kbit(...command, "--help");
      expect([code, err]).toEqual([0, ""]);
      const list = /\nCommands:\n((?: .*\n)*)/.exec(out)?.[1] ?? "";
      const names = [...list.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name).filter((name) => name !== "help");
      const [options, examples] = out.split(/\nExamples?:\n/);
      return { options, examples: (examples ?? "").split("\n").filter((line) => line.startsWith("  kbit ")), names };
    };
    const { names } = await showHelp();
    expect(names).toEqual(
      expect.arrayContaining(["demo", "study", "report", "quantize", "inspect", "eval", "generate"]),
    );
    for (const name of names) {
      const top = await showHelp(name);
      expect(top.examples.length, `examples of kbit ${name}`).toBeGreaterThan(0);
      const nested = top.names.map(async (below) => ({
        command: `kbit ${name} ${below}`,
        ...(await showHelp(name, below)),
      }));
      const pages = top.names.length > 0 ? await Promise.all(nested) : [{ command: `kbit ${name}`, ...top }];
      for (const { command, options, examples } of pages) {
        expect(options, command).toContain("--json");
        expect(examples.length, `examples of ${command}`).toBeGreaterThan(0);
        for (const line of examples) {
          expect(line).toContain(`${command} `);
          for (const [flag] of line.matchAll(/--[\w-]+/g)) expect(options, line).toContain(flag);
        }
      }
    }
  });

  test("kbit alone shows its commands, and its version is that of the package", async () => {
    const [alone, version] = await Promise.all([kbit(), kbit("--version")]);
    expect(alone).toMatchObject({ code: 0, err: "" });
    expect(alone.out).toMatch(/^Usage: kbit/);
    expect(version.out.trim()).toBe(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version);
  });
});

describe("bad input", () => {
  test.each<[what: string, args: string[], sentence: RegExp]>([
    ["an unknown command", ["quantise", small], /no command 'quantise'; did you mean quantize\?/],
    ["a command like no other", ["zzzzzzzz"], /no command 'zzzzzzzz'; expected one of .*quantize/],
    ["an unknown command of study", ["study", "rum"], /no command 'rum'; did you mean run\?/],
    ["an unknown option", ["eval", small, "--txt", text], /--txt.*--text/],
    [
      "an unknown option beside one that is missing",
      ["quantize", small, "--specs", "nf4"],
      /'--specs'; did you mean --spec\?/,
    ],
    [
      "all options that are missing",
      ["quantize", small],
      /--spec <spec> and --out <folder> are missing; see kbit quantize --help/,
    ],
    [
      "all that a study misses",
      ["study", "run", small],
      /kbit study run also needs --specs LIST.*--text FILE.*--db FILE/,
    ],
    ["a missing argument", ["generate"], /missing .*model/],
    ["an unknown spec", ["eval", small, "--text", text, "--spec", "flaot4:b64"], /flaot4.*did you mean "?float/],
    ["an unknown option of a spec", ["inspect", "int4:c64"], /int4:c64/],
    ["a missing model", ["generate", "./no-such-model"], /no file or folder \.\/no-such-model/],
    ["a folder without a model", ["inspect", "HOLLOW"], /hollow has no config\.json/],
    [
      "a truncated file",
      ["eval", "TRUNCATED", "--text", text],
      /truncated\/model\.safetensors.*(cut|truncated|incomplete|bytes)/,
    ],
    ["NaN weights", ["eval", "POISONED", "--text", text], new RegExp(`poisoned.*${poisoned}|${poisoned}.*poisoned`)],
    ["NaN weights, quantized", ["generate", "POISONED", "--spec", "int4:b64"], new RegExp(poisoned)],
    [
      "an unknown architecture",
      ["eval", "UNKNOWN", "--text", text],
      /config\.json of .*unknown: architecture gpt_neoxx is not supported.* Did you mean gpt_neox\?/,
    ],
    [
      "shapes that the config denies",
      ["inspect", "MISSHAPEN"],
      /embed_in\.weight has shape \(2048, 48\), but config\.json asks for \(2048, 96\)/,
    ],
    ["an unknown kernel set", ["eval", small, "--text", text, "--kernels", "wasn"], /"wasn".*did you mean "wasm"/],
    ["a store of a newer version", ["report", "--db", "NEWER.db"], /newer\.db has schema version 99.*update kbit/],
    [
      "such a store for a study",
      ["study", "run", small, "--specs", "int4", "--text", text, "--db", "NEWER.db"],
      /version 99/,
    ],
    ["a missing store", ["study", "show", "--db", "none.db"], /no store at none\.db/],
    ["an unknown metric", ["report", "--db", "GOOD.db", "--metric", "perplexty"], /perplexty.*perplexity/],
  ])("%s is one sentence and exit code 2, with --json as without", async (_, args, sentence) => {
    const places = args.map((arg) => (/^[A-Z]+(\.\w+)?$/.test(arg) ? at(arg.toLowerCase()) : arg));
    const { code, out, err } = await kbit(...places, "--json");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(/^kbit: [^\n]+\n$/);
    expect(err).toMatch(sentence);
    expect(existsSync(at("out")) || existsSync(at("none.db"))).toBe(false);
  });

  test.skipIf(!existsSync("/dev/full"))(
    "a full disk is told as such, and a device is not replaced by a file",
    async () => {
      const { code, err } = await kbit("report", "--db", at("good.db"), "--out", "/dev/full");
      expect(err).toMatch(/^kbit: .*disk is full.*\n$/);
      expect(code).toBe(2);
      expect(statSync("/dev/full").isCharacterDevice()).toBe(true);
    },
  );

  test("the environment's kernel set is checked like one that is named", async () => {
    const { err } = await kbitIn({ KBIT_KERNELS: "wasn" }, "generate", small);
    expect(err).toMatch(/^kbit: "wasn" is no kernel set; .*\n$/);
  });
});

describe("--json", () => {
  const limit = ["--window", "32", "--limit", "2"];
  test.each<[args: string[], fields: object]>([
    [["inspect", "float4:e3"], { bits: 4, codebook: expect.any(Array) }],
    [["inspect", small, "--spec", "int4:b64"], { bits: { total: expect.any(Number) } }],
    [["study", "plan", small, "--specs", "fp16,int4", "--text", text, ...limit], { failures: [] }],
    [["study", "show", "--db", "GOOD.db"], { rows: expect.any(Array), failures: [] }],
    [["report", "--db", "GOOD.db", "--out", "PAGE.html"], { rows: 6, answers: expect.any(Array) }],
  ])("kbit %j prints one document and nothing else", async (args, fields) => {
    const places = args.map((arg) => (/^[A-Z]+\d?(\.\w+)?$/.test(arg) ? at(arg.toLowerCase()) : arg));
    const { code, out, err } = await kbit(...places, "--json");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^\{[\s\S]*\}\n$/);
    expect(JSON.parse(out)).toMatchObject(fields);
  });

  test("a study measures weights that are not finite if it is told to, and says how where it is not", async () => {
    const args = ["study", "run", at("poisoned"), "--specs", "int4:b64", "--text", text, ...limit];
    const refused = await kbit(...args, "--db", at("finite.db"), "--json");
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.out).failures[0].reason).toMatch(/--allow-nonfinite/);
    const allowed = await kbit(...args, "--db", at("finite.db"), "--allow-nonfinite", "--json");
    expect(allowed.code).toBe(0);
    expect(JSON.parse(allowed.out)).toMatchObject({ computed: 1, failures: [] });
  });

  test("a float32 model is told that what is not quantized stays wide, and short texts that they say little", async () => {
    const stories = join(root, "test/fixtures/models/stories260k");
    const wide = /takes 7\.8 bits a parameter.*embedding, norms .*53 % .*add :embed:head to the spec/;
    const written = await kbit("quantize", stories, "--spec", "nf4:b64", "--out", at("wide"), "--json");
    expect(JSON.parse(written.out).warnings).toEqual([expect.stringMatching(wide)]);
    const bare = join(root, "test/fixtures/architectures/gpt2");
    const silent = await kbit("quantize", bare, "--spec", "int4:b64:embed:head", "--out", at("bare"));
    expect(silent.err).toMatch(/^Note: The model has no tokenizer that can be read; [^\n]+$/m);
    writeFileSync(at("few.txt"), "Once upon a time there was a girl.");
    const { out, err } = await kbit("eval", at("wide"), "--text", at("few.txt"));
    expect(out).toMatch(/7\.822 a parameter/);
    expect(err).toMatch(wide);
    expect(err).toMatch(
      /Note: Only \d\d tokens were scored, which says little of the model; use a longer text, or a higher limit\./,
    );
    expect((await kbit("inspect", small, "--spec", "int4:b64")).out).not.toMatch(/Note:/);
  });

  test("a packed model gives the scores of the model quantized on the way", async () => {
    const words = ["--text", at("words.txt"), "--json"];
    await kbit("quantize", small, "--spec", "int3:b64:dq", "--out", at("packed"));
    const [packed, view] = await Promise.all([
      kbit("eval", at("packed"), ...words),
      kbit("eval", small, "--spec", "int3:b64:dq", ...words),
    ]);
    const [a, b] = [JSON.parse(packed.out), JSON.parse(view.out)];
    for (const name of ["perplexity", "nll", "tokens", "totalModelBits", "spec"]) expect(a[name]).toEqual(b[name]);
  });
});
