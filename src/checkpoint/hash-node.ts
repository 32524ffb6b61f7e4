// What identifies a model in a result's key: hashes of its weights, its config and its tokenizer.
// The same weights hash the same whatever files, shards or format they lie in.

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { isQuantized } from "../quantize/quantized.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import { type Checkpoint, sideFiles } from "./checkpoint.ts";
import { packTensor } from "./packed-layout.ts";

/** SHA-256 in hexadecimal. */
export interface CheckpointHashes {
  /** Of every tensor by name: its name, type, shape and bytes. */
  readonly weightsHash: string;
  /** Of `config.json`, byte for byte. */
  readonly configHash: string;
  /** Of the other side files that are there: their names and bytes. */
  readonly tokenizerHash: string;
}

/** Weights hashed by this process, by their files' paths, sizes and times of change. */
const known = new Map<string, string>();

/** Hashes a checkpoint, one tensor at a time; weights whose files have not changed are not read again. */
export async function hashCheckpoint(checkpoint: Checkpoint): Promise<CheckpointHashes> {
  const key = await identifyFiles(checkpoint);
  const weightsHash = (key && known.get(key)) || (await hashWeights(checkpoint));
  if (key) known.set(key, weightsHash);
  const tokenizer = createHash("sha256");
  for (const fileName of sideFiles) {
    if (fileName === "config.json" || fileName === "generation_config.json") continue;
    const text = await checkpoint.readText(fileName);
    if (text !== undefined) tokenizer.update(`${fileName}\0${Buffer.byteLength(text)}\0`).update(text);
  }
  const config = (await checkpoint.readText("config.json")) ?? "";
  return {
    weightsHash,
    configHash: createHash("sha256").update(config).digest("hex"),
    tokenizerHash: tokenizer.digest("hex"),
  };
}

/** Of one call; Node takes less than 2 GiB. */
const maxUpdateBytes = 2 ** 30;

async function hashWeights(checkpoint: Checkpoint): Promise<string> {
  const hash = createHash("sha256");
  for (const name of [...checkpoint.tensors.keys()].sort()) {
    const weight = await checkpoint.read(name);
    for (const part of isQuantized(weight) ? packTensor(weight) : [weight]) {
      hash.update(`${part.name}\0${part.type}\0${part.shape}\0`);
      for (let done = 0; done < part.bytes.length; done += maxUpdateBytes) {
        hash.update(part.bytes.subarray(done, done + maxUpdateBytes));
      }
    }
  }
  return hash.digest("hex");
}

async function identifyFiles({ files, spec }: Checkpoint): Promise<string | undefined> {
  if (!files || files.length === 0) return undefined;
  const facts: string[] = [spec ? formatSpec(spec) : ""];
  for (const path of files) {
    const stats = await stat(path, { bigint: true }).catch(() => undefined);
    if (!stats) return undefined;
    facts.push(`${path}\0${stats.size}\0${stats.mtimeNs}`);
  }
  return facts.join("\n");
}
