// GGUF: every format against the gguf package, whole models against transformers (which llama.cpp was held to on the same
// files), tokens against llama.cpp, and hostile files.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openDiskFolder } from "../../src/checkpoint/file-node.ts";
import { decodeGguf, ggufFormats } from "../../src/checkpoint/gguf/formats.ts";
import type { GgufValue } from "../../src/checkpoint/gguf/header.ts";
import { writeTokenizerFiles } from "../../src/checkpoint/gguf/tokenizer.ts";
import { openCheckpointFiles } from "../../src/checkpoint/open.ts";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { countBits } from "../../src/model/count.ts";
import { loadModel } from "../../src/model/load.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { alterCheckpoint, largestDifference, openFixture, openModel, readJson, root } from "../model/open.ts";
import { type FileParts, writeGguf } from "./gguf-writer.ts";

const models = "test/fixtures/gguf/models";
const golden = readJson("test/fixtures/gguf/llamacpp.json");
const decodeBase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

describe("formats", () => {
  const made = readJson("test/fixtures/gguf/formats.json");
  test.each([...ggufFormats.values()])("$name decodes to the bits of the gguf package", (format) => {
    const bytes = decodeBase64(made[format.name].bytes);
    const expected = new Float32Array(decodeBase64(made[format.name].values).buffer);
    expect(bytes.length / format.bytes).toBe(expected.length / format.blockSize);
    const values = decodeGguf(format, bytes, expected.length);
    expect(values.every(Number.isFinite)).toBe(true);
    // Zero has no sign in formats whose codes are whole numbers: numpy gives -0 for a negative scale.
    expect(values.map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
  });
});

describe("models", () => {
  const names = readdirSync(`${root}${models}`).map((file) => file.replace(".gguf", ""));
  const random = names.filter((name) => name !== "stories260k");

  test.each(random)("%s gives the logits of the checkpoint that it was made of", async (name) => {
    const file = await openSafetensors(
      await openDiskFolder(`${root}test/fixtures/architectures/${name}`).open("expected.safetensors"),
    );
    const ids = [...new Int32Array((await file.readBytes("input_ids")).slice().buffer)];
    const logits = new Float32Array((await file.readBytes("logits")).slice().buffer);
    await file.close();
    const model = await openModel(`${models}/${name}.gguf`);
    expect(largestDifference(await model.logits(ids), logits)).toBeLessThan(1.5e-4);
  });

  test("llama.cpp gives the same on these files, but for its GELU, which is a table of float16", () => {
    expect(Object.keys(golden.worst).sort()).toEqual(random.sort());
    for (const [name, difference] of Object.entries(golden.worst as Record<string, number>)) {
      const usesGelu = /bloom|falcon|gemma|gpt2|neox|^phi$/.test(name);
      expect(difference, name).toBeLessThan(usesGelu ? 0.01 : 2e-5);
    }
  });

  test("stories260k in seven formats still tells its story, and its size is that of the file", async () => {
    const checkpoint = await openFixture(`${models}/stories260k.gguf`);
    const model = await loadModel(checkpoint, createReferenceKernels());
    const prompt = model.encode("Once upon a time", "default");
    const tokens: number[] = [];
    for await (const token of model.generate(prompt, { maxTokens: 12 })) tokens.push(token);
    expect(model.decode([...prompt, ...tokens])).toContain("Once upon a time, there was a little girl named");
    await model.close();
    const bits = await countBits(checkpoint);
    expect(bits.total).toBeGreaterThan(7.5 * (checkpoint.fileBytes - 20_000));
    expect(bits.total).toBeLessThan(8 * checkpoint.fileBytes);
  });

  test("what a spec leaves alone of a packed file is kept in 16 bits", async () => {
    const view = quantizeCheckpoint(await openFixture(`${models}/stories260k.gguf`), parseSpec("int4:b64"));
    expect(view.tensors.get("model.embed_tokens.weight")?.type).toBe("F16");
    expect(view.tensors.get("model.norm.weight")?.type).toBe("F32");
    expect((await view.read("model.embed_tokens.weight")).type).toBe("F16");
  });

  test("a folder with one GGUF file is that file; in memory too", async () => {
    const bytes = new Uint8Array(readFileSync(`${root}${models}/qwen2.gguf`));
    const checkpoint = await openCheckpointFiles(new Map([["any.gguf", bytes]]), "memory");
    expect(checkpoint.config["model_type"]).toBe("qwen2");
    const two = new Map([
      ["a.gguf", bytes],
      ["b.gguf", bytes],
    ]);
    await expect(openCheckpointFiles(two, "memory")).rejects.toThrow("memory has 2 GGUF files; give the path of one");
  });
});

describe("tokens", () => {
  const definition = readJson("models/books/books-0.2m/tokenizer.json");
  const special = new Map(
    definition.added_tokens.map((token: { id: number; content: string }) => [token.content, token.id]),
  );
  const ids = new Map<string, number>([
    ...Object.entries<number>(definition.model.vocab),
    ...(special as Map<string, number>),
  ]);
  const tokens = [...ids].sort((a, b) => a[1] - b[1]).map(([token]) => token);
  const values = (pre: string) =>
    new Map<string, GgufValue>([
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.pre", pre],
      ["tokenizer.ggml.tokens", tokens],
      ["tokenizer.ggml.token_type", tokens.map((token) => (special.has(token) ? 3 : 1))],
      [
        "tokenizer.ggml.merges",
        definition.model.merges.map((merge: string | string[]) => (Array.isArray(merge) ? merge.join(" ") : merge)),
      ],
    ]);

  test.each(Object.keys(golden.tokens).filter((name) => name !== "stories260k"))(
    "words cut as %s are llama.cpp's",
    async (pre) => {
      const texts = writeTokenizerFiles(values(pre), "test");
      const base = await openFixture(`${models}/qwen2.gguf`);
      const tokenizer = await loadTokenizer(alterCheckpoint(base, { readText: async (name) => texts.get(name) }));
      for (const [text, expected] of golden.tokens[pre]) expect(tokenizer.encode(text, "none"), text).toEqual(expected);
    },
  );

  test("pieces by score are llama.cpp's, and come back as the text", async () => {
    const tokenizer = await loadTokenizer(await openFixture(`${models}/stories260k.gguf`));
    expect(tokenizer.bosToken).toBe(1);
    for (const [text, expected] of golden.tokens.stories260k) {
      expect(tokenizer.encode(text, "none"), text).toEqual(expected);
      expect(tokenizer.decode(tokenizer.encode(text, "none"))).toBe(text);
    }
    expect(tokenizer.encode("a", "default")[0]).toBe(1);
  });

  test("of equal tokens the last counts, tokens of users stay whole, and what ends a turn is known", async () => {
    const pieces = ["<unk>", "<s>", "</s>", "<end_of_turn>", "▁", "a", "b", "ab", "ab", "  ", "▁a"];
    const texts = writeTokenizerFiles(
      new Map<string, GgufValue>([
        ["tokenizer.ggml.model", "llama"],
        ["tokenizer.ggml.tokens", pieces],
        ["tokenizer.ggml.scores", pieces.map((_, id) => -id)],
        ["tokenizer.ggml.token_type", [2, 3, 3, 3, 1, 1, 1, 1, 1, 4, 1]],
        ["tokenizer.ggml.bos_token_id", 1],
        ["tokenizer.ggml.eos_token_id", 2],
        ["tokenizer.ggml.add_space_prefix", false],
      ]),
      "test",
    );
    const base = await openFixture(`${models}/qwen2.gguf`);
    const tokenizer = await loadTokenizer(alterCheckpoint(base, { readText: async (name) => texts.get(name) }));
    expect(tokenizer.encode("ab a  ab<end_of_turn>", "default")).toEqual([1, 8, 10, 9, 8, 3]);
    expect([...tokenizer.stopTokens]).toEqual(expect.arrayContaining([2, 3]));
  });

  test("a tokenizer of another kind or way of cutting is refused by name", () => {
    expect(() => writeTokenizerFiles(new Map([["tokenizer.ggml.model", "bert"]]), "x")).toThrow(
      'x has a tokenizer of the kind "bert"; gpt2 and llama are read.',
    );
    expect(() => writeTokenizerFiles(values("poro"), "x")).toThrow('x cuts words as "poro", which is not known');
    const short = values("gpt-2").set("tokenizer.ggml.token_type", [1]);
    expect(() => writeTokenizerFiles(short, "x")).toThrow("tokens, but types of 1");
  });
});

describe("hostile files", () => {
  const row = { name: "token_embd.weight", sizes: [8, 4], type: 0, offset: 0 };
  const keys: FileParts["keys"] = [["general.architecture", { text: "llama" }]];
  const open = (parts: Partial<FileParts>) =>
    openCheckpointFiles(new Map([["m.gguf", writeGguf({ keys, tensors: [row], data: 128, ...parts })]]), "m");

  test.each<[string, Partial<FileParts>, string]>([
    ["another magic", { magic: "GGML" }, "is not a GGUF file"],
    ["version 1", { version: 1 }, "GGUF file of version 1; versions 2 and 3"],
    ["the other byte order", { version: 0x03000000 }, "GGUF file of big-endian"],
    ["more tensors than bytes", { tensorCount: 2n ** 40n }, "tensors, which do not fit its"],
    ["more tensors than a number", { tensorCount: 2n ** 63n }, "which no file can hold"],
    ["more keys than bytes", { keyCount: 10_000n }, "says it has 10000 keys"],
    ["a long text", { keys: [["a", { text: "", length: 2n ** 33n }]] }, "the value of a has 8589934592 bytes"],
    ["a long list", { keys: [["a", { list: 4, count: 2n ** 31n }]] }, "values in a, which do not fit"],
    ["a list of lists", { keys: [["a", { list: 9, count: 1n }]] }, "lists inside the list a"],
    ["an unknown type", { keys: [["a", { type: 77 }]] }, "unknown type 77 in a"],
    ["an unknown type in a list", { keys: [["a", { list: 13, count: 1n }]] }, "unknown type 13 in a"],
    ["a key twice", { keys: [...keys, ...keys] }, "has the key general.architecture twice"],
    ["no dimensions", { tensors: [{ ...row, sizes: [] }] }, "0 dimensions; 1 to 4"],
    ["five dimensions", { tensors: [{ ...row, sizes: [1, 1, 1, 1, 1] }] }, "5 dimensions; 1 to 4"],
    ["a size of 0", { tensors: [{ ...row, sizes: [8, 0] }] }, "shape (0, 8), which cannot be stored"],
    ["a product beyond numbers", { tensors: [{ ...row, sizes: [2 ** 40, 2 ** 40] }] }, "which cannot be stored"],
    ["a format that is not read", { tensors: [{ ...row, type: 16 }] }, "as ggml type 16, which is not read"],
    [
      "rows that are no blocks",
      { tensors: [{ ...row, type: 2 }] },
      "rows of 8 in token_embd.weight; Q4_0 takes blocks of 32",
    ],
    ["an offset between", { tensors: [{ ...row, offset: 4 }] }, "at byte 4, which is no multiple of 32"],
    ["an offset behind the end", { tensors: [{ ...row, offset: 2 ** 45 }] }, "is truncated or damaged"],
    ["a tensor twice", { tensors: [row, row] }, "has the tensor token_embd.weight twice"],
    ["overlap", { tensors: [row, { ...row, name: "output.weight", offset: 96 }], data: 300 }, "overlap"],
    ["a cut file", { data: 100 }, "is truncated or damaged: token_embd.weight would end"],
    ["an alignment of 0", { keys: [...keys, ["general.alignment", { u32: 0 }]] }, "has the alignment 0"],
    [
      "another architecture",
      { keys: [["general.architecture", { text: "mamba" }]] },
      'architecture "mamba" is not supported',
    ],
    ["no architecture", { keys: [] }, "architecture undefined is not supported"],
    ["missing keys", {}, "has no llama.attention.head_count above 0"],
    [
      "a tensor of another model",
      { tensors: [{ ...row, name: "enc.weight" }] },
      "has the tensor enc.weight, which does not belong",
    ],
  ])("%s is refused", async (_, parts, sentence) => {
    await expect(open(parts)).rejects.toThrow(sentence);
  });

  test("every shorter piece of a real file is refused, and no changed byte of the header does worse", async () => {
    const whole = new Uint8Array(readFileSync(`${root}${models}/qwen2.gguf`));
    for (let length = 0; length < 6000; length += 97) {
      const piece = new Map([["m.gguf", whole.slice(0, length)]]);
      await expect(openCheckpointFiles(piece, "m")).rejects.toThrow(/truncated|is not a GGUF file|fit its|too many/);
    }
    for (let at = 8; at < 4000; at += 13) {
      const changed = whole.slice();
      changed[at] ^= 0xff;
      const opened = openCheckpointFiles(new Map([["m.gguf", changed]]), "m");
      await opened.then(
        (checkpoint) => checkpoint.close(),
        (error) => expect(error.name, error.stack).toBe("InputError"),
      );
    }
  });
});
