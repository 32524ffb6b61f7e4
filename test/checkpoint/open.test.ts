import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCheckpointFiles } from "../../src/checkpoint/open.ts";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { formatSafetensors } from "../../src/checkpoint/safetensors.ts";
import { InputError } from "../../src/input-error.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const tensor = (name: string, value: number): Tensor => ({
  name,
  type: "F32",
  shape: [1, 2],
  bytes: new Uint8Array(Float32Array.of(value, value).buffer),
});
const a = tensor("a", 1);
const b = tensor("b", 2);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kbit-open-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes files: bytes, tensors, text, or values as JSON. */
function put(files: Record<string, Uint8Array | readonly Tensor[] | string | object>): void {
  for (const [name, content] of Object.entries(files)) {
    if (Array.isArray(content)) writeFileSync(join(folder, name), formatSafetensors(content));
    else if (content instanceof Uint8Array || typeof content === "string") writeFileSync(join(folder, name), content);
    else writeFileSync(join(folder, name), JSON.stringify(content));
  }
}

async function refusal(path = folder): Promise<string> {
  const error = await openCheckpoint(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).message;
}

const countOpenFiles = () => readdirSync("/proc/self/fd").length;

describe("a checkpoint in a folder", () => {
  it("gives config, headers, weights and side files", async () => {
    put({ "config.json": { model_type: "x" }, "model.safetensors": [a, b], "merges.txt": "\uFEFFa b\n" });
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint).toMatchObject({ source: folder, config: { model_type: "x" }, spec: undefined });
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(await checkpoint.read("b")).toEqual(b);
    expect(await checkpoint.readText("merges.txt")).toBe("\uFEFFa b\n");
    expect(await checkpoint.readText("tokenizer.json")).toBeUndefined();
    expect(checkpoint.fileBytes).toBe(formatSafetensors([a, b]).length);
    await expect(checkpoint.read("c")).rejects.toThrow(/has no tensor c/);
    await checkpoint.close();
  });

  it("is read from any weight file that is named, its config beside it", async () => {
    put({ "config.json": {}, "model.safetensors": [a], "other.safetensors": [b], "notes.txt": "" });
    const checkpoint = await openCheckpoint(join(folder, "other.safetensors"));
    expect([...checkpoint.tensors.keys()]).toEqual(["b"]);
    await checkpoint.close();
    expect(await refusal(join(folder, "notes.txt"))).toMatch(/is not a checkpoint/);
  });

  it("is the same from memory, as in a browser", async () => {
    const files = new Map([
      ["config.json", new TextEncoder().encode("{}")],
      ["model.safetensors", formatSafetensors([a])],
    ]);
    const checkpoint = await openCheckpointFiles(files, "upload");
    expect(await checkpoint.read("a")).toEqual(a);
    files.delete("config.json");
    await expect(openCheckpointFiles(files, "upload")).rejects.toThrow(/upload has no config\.json/);
  });

  it("is refused with what is missing or broken", async () => {
    expect(await refusal()).toMatch(/has no config\.json/);
    put({ "family.json": "{}" });
    expect(await refusal()).toMatch(/is a family of models/);
    put({ "config.json": "{" });
    expect(await refusal()).toMatch(/config\.json is not valid JSON/);
    put({ "config.json": "[]" });
    expect(await refusal()).toMatch(/config\.json is not a JSON object/);
    put({ "config.json": "{}" });
    expect(await refusal()).toMatch(/has no weights; expected one of model\.safetensors/);
    mkdirSync(join(folder, "model.safetensors"));
    expect(await refusal()).toMatch(/is not a file/);
    expect(await refusal(join(folder, "nothing"))).toMatch(/There is no file or folder/);
  });
});

describe("a checkpoint in shards", () => {
  const index = { weight_map: { a: "one.safetensors", b: "two.safetensors" } };
  const shards = { "config.json": {}, "one.safetensors": [a], "two.safetensors": [b] };

  it("is one checkpoint", async () => {
    put({ ...shards, "model.safetensors.index.json": index });
    const checkpoint = await openCheckpoint(folder);
    expect(await checkpoint.read("a")).toEqual(a);
    expect(await checkpoint.read("b")).toEqual(b);
    expect(checkpoint.fileBytes).toBe(2 * formatSafetensors([a]).length);
    await checkpoint.close();
  });

  it("has the tensors that its index forgot, and each where the index says", async () => {
    const other = tensor("a", 5);
    const c = tensor("c", 3);
    put({ ...shards, "one.safetensors": [a, c], "two.safetensors": [other, b], "model.safetensors.index.json": index });
    const checkpoint = await openCheckpoint(folder);
    expect(await checkpoint.read("a")).toEqual(a);
    expect(await checkpoint.read("c")).toEqual(c);
    await checkpoint.close();
  });

  it.each(["../evil.safetensors", "/etc/passwd", "sub/x.safetensors", "..", ".", "", "a\\b", "a\0b", 7])(
    "is refused if its index leads to %j, outside the folder",
    async (file) => {
      put({ ...shards, "model.safetensors.index.json": { weight_map: { a: file } } });
      expect(await refusal()).toMatch(/expected a file name in the same folder/);
    },
  );

  it("is refused if index and files do not agree", async () => {
    put({ ...shards, "model.safetensors.index.json": "{" });
    expect(await refusal()).toMatch(/index\.json is not valid JSON/);
    put({ "model.safetensors.index.json": { weight_map: {} } });
    expect(await refusal()).toMatch(/no weight_map/);
    put({ "model.safetensors.index.json": { weight_map: { a: "one.safetensors", b: "three.safetensors" } } });
    expect(await refusal()).toMatch(/three\.safetensors, which is not there/);
    put({ "model.safetensors.index.json": { weight_map: { a: "two.safetensors", b: "two.safetensors" } } });
    expect(await refusal()).toMatch(/two\.safetensors holds a, but it does not/);
    const both = { weight_map: { a: "one.safetensors", c: "two.safetensors" } };
    const c = tensor("c", 3);
    put({ "model.safetensors.index.json": both, "one.safetensors": [a, b], "two.safetensors": [b, c] });
    expect(await refusal()).toMatch(/does not say which of two files holds b/);
  });

  it.runIf(existsSync("/proc/self/fd"))("leaves no file open once closed, nor when it is refused", async () => {
    put({ ...shards, "model.safetensors.index.json": index });
    const before = countOpenFiles();
    const checkpoint = await openCheckpoint(folder);
    expect(countOpenFiles()).toBe(before + 2);
    await checkpoint.close();
    await checkpoint.close();
    truncateSync(join(folder, "two.safetensors"), 20);
    expect(await refusal()).toMatch(/two\.safetensors is truncated/);
    expect(countOpenFiles()).toBe(before);
  });

  it("says so if a file shrinks while it is read", async () => {
    put({ ...shards, "model.safetensors.index.json": index });
    const checkpoint = await openCheckpoint(folder);
    truncateSync(join(folder, "one.safetensors"), 60);
    await expect(checkpoint.read("a")).rejects.toThrow(/one\.safetensors is truncated/);
    await checkpoint.close();
  });
});
