import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseHubId } from "../../src/checkpoint/hub-node.ts";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { type FakeHub, startFakeHub } from "./fake-hub.ts";

const fixture = new URL("../fixtures/architectures/llama/", import.meta.url);
const commit = "0123456789abcdef0123456789abcdef01234567";
const files = new Map<string, Buffer>([
  ["config.json", readFileSync(new URL("config.json", fixture))],
  ["model.safetensors", readFileSync(new URL("model.safetensors", fixture))],
  ["tf_model.h5", Buffer.from("not needed")],
  ["pytorch_model.bin", Buffer.from("not needed either")],
]);

let cache: string;
let hub: FakeHub;

beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), "kbit-hub-"));
  hub = await startFakeHub({
    kind: "models",
    name: "org/tiny",
    branches: { main: commit, v1: commit },
    commits: { [commit]: files },
  });
  vi.stubEnv("HF_HOME", cache);
  vi.stubEnv("HF_HUB_CACHE", undefined);
  vi.stubEnv("HUGGINGFACE_HUB_CACHE", undefined);
  vi.stubEnv("HF_TOKEN", undefined);
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
  vi.stubEnv("HF_ENDPOINT", hub.url);
});
afterEach(() => {
  vi.unstubAllEnvs();
  hub.server.closeAllConnections();
  hub.server.close();
  rmSync(cache, { recursive: true });
});

async function open(id: string) {
  const checkpoint = await openCheckpoint(id);
  await checkpoint.close();
  return checkpoint;
}

describe("a Hub id", () => {
  it("is org/name, perhaps with a revision, and nothing that could be a path", () => {
    expect(parseHubId("facebook/opt-125m")).toEqual({ name: "facebook/opt-125m", revision: "main" });
    expect(parseHubId("a/b.c@refs/pr/1")).toEqual({ name: "a/b.c", revision: "refs/pr/1" });
    for (const text of ["gpt2", "/a/b", "a/b/c", "./a/b", "../b", "a/..", "a/b@../../x", "a/b@", "~/a b"]) {
      expect(parseHubId(text)).toBeUndefined();
    }
  });

  it("is downloaded into the cache that huggingface_hub shares, only what is needed", async () => {
    const debug = vi.spyOn(console, "debug");
    const checkpoint = await open("org/tiny");
    expect(checkpoint).toMatchObject({ source: "org/tiny", config: { model_type: "llama" } });
    const repo = join(cache, "hub/models--org--tiny");
    expect(readdirSync(join(repo, "snapshots", commit)).sort()).toEqual(["config.json", "model.safetensors"]);
    expect(readFileSync(join(repo, "snapshots", commit, "model.safetensors"))).toEqual(files.get("model.safetensors"));
    expect(readFileSync(join(repo, "refs/main"), "utf8")).toBe(commit);
    expect(debug).not.toHaveBeenCalled();
  });

  it("is not downloaded twice", async () => {
    await open("org/tiny");
    hub.requests.length = 0;
    await open("org/tiny@v1");
    expect(hub.requests.filter((request) => request.includes("resolve"))).toEqual([]);
  });

  it("is opened from the cache where the Hub cannot be reached or must not be asked", async () => {
    await open("org/tiny");
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    expect((await open("org/tiny")).source).toBe("org/tiny");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect((await open(`org/tiny@${commit}`)).tensors.size).toBeGreaterThan(0);
    await expect(open("org/other")).rejects.toThrow(/org\/other is not in the cache .* HF_HUB_OFFLINE forbids/);
  });

  it("is refused in one sentence if the Hub does not know it or cannot be reached", async () => {
    await expect(open("org/none")).rejects.toThrow(/no file or folder org\/none, and the Hub has no model org\/none/);
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
    await expect(open("org/tiny")).rejects.toThrow(/could not be reached \(there is no connection\); give the path/);
  });
});
