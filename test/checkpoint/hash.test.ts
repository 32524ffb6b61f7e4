import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashCheckpoint } from "../../src/checkpoint/hash-node.ts";
import { openCheckpointFiles } from "../../src/checkpoint/open.ts";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { formatSafetensors } from "../../src/checkpoint/safetensors.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const text = (value: string) => new TextEncoder().encode(value);
const tensor = (name: string, ...bytes: number[]): Tensor => ({
  name,
  type: "U8",
  shape: [bytes.length],
  bytes: Uint8Array.from(bytes),
});
const a = tensor("a", 1, 2);
const b = tensor("b", 3);
const files = (entries: Record<string, Uint8Array | Tensor[]>) =>
  openCheckpointFiles(
    new Map(
      Object.entries(entries).map(([name, value]) => [name, Array.isArray(value) ? formatSafetensors(value) : value]),
    ),
    "memory",
  ).then(hashCheckpoint);

describe("the hash of weights", () => {
  it("is SHA-256 of each tensor's name, type, shape and bytes in the order of their names", async () => {
    const { weightsHash } = await files({ "config.json": text("{}"), "model.safetensors": [b, a] });
    const expected = createHash("sha256").update("a\0U8\x002\0").update(a.bytes).update("b\0U8\x001\0").update(b.bytes);
    expect(weightsHash).toBe(expected.digest("hex"));
  });

  it("is the same for one file and for shards, and another for another bit, name or shape", async () => {
    const hash = async (entries: Record<string, Uint8Array | Tensor[]>) =>
      (await files({ "config.json": text("{}"), ...entries })).weightsHash;
    const one = await hash({ "model.safetensors": [a, b] });
    const index = text(JSON.stringify({ weight_map: { a: "x.safetensors", b: "y.safetensors" } }));
    const sharded = { "model.safetensors.index.json": index, "x.safetensors": [a], "y.safetensors": [b] };
    expect(await hash(sharded)).toBe(one);
    expect(await hash({ "model.safetensors": [a, tensor("b", 4)] })).not.toBe(one);
    expect(await hash({ "model.safetensors": [a, tensor("c", 3)] })).not.toBe(one);
    expect(await hash({ "model.safetensors": [{ ...a, shape: [2, 1] }, b] })).not.toBe(one);
  });
});

describe("the hashes of side files", () => {
  it("follow config.json and the tokenizer's files apart", async () => {
    const base = { "config.json": text("{}"), "model.safetensors": [a], "tokenizer.json": text("t") };
    const first = await files(base);
    expect(first.configHash).toBe(createHash("sha256").update("{}").digest("hex"));
    const config = await files({ ...base, "config.json": text("{ }") });
    expect(config).toEqual({ ...first, configHash: config.configHash });
    expect(config.configHash).not.toBe(first.configHash);
    const tokenizer = await files({ ...base, "tokenizer.json": text("u") });
    expect(tokenizer).toEqual({ ...first, tokenizerHash: tokenizer.tokenizerHash });
    expect(tokenizer.tokenizerHash).not.toBe(first.tokenizerHash);
    const merges = await files({ ...base, "merges.txt": text("") });
    expect(merges.tokenizerHash).not.toBe(first.tokenizerHash);
  });
});

describe("hashes that this process remembers", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kbit-hash-"));
    writeFileSync(join(folder, "config.json"), "{}");
    writeFileSync(join(folder, "model.safetensors"), formatSafetensors([a]));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const hash = async () => {
    const checkpoint = await openCheckpoint(folder);
    const hashes = await hashCheckpoint(checkpoint);
    await checkpoint.close();
    return hashes.weightsHash;
  };

  it("are forgotten when the file changes, even at the same size", async () => {
    const before = await hash();
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(path, bytes);
    utimesSync(path, 1, 1);
    expect(await hash()).not.toBe(before);
  });
});
