// What models have scored, in an SQLite file in the user's cache folder, so that a repeated or interrupted evaluation goes
// on where it was. A score's key is a hash of everything that it depends on; whatever is in doubt is computed again.

import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { hashCheckpoint } from "../checkpoint/hash-node.ts";
import { cacheScores, type ScoreStore } from "../evaluate/cached-model.ts";
import type { ContinuationScore, LanguageModel, ScoreRequest } from "../language-model.ts";
import { codeVersions } from "../result.ts";
import type { OpenModel } from "./open-model.ts";
import { printNote } from "./terminal.ts";
import { version } from "./version.ts";

/** Scores that were not asked for in so many days are forgotten. */
const daysKept = 90;
const day = 86_400_000;

/** A store on a file. */
export interface OpenScoreStore extends ScoreStore {
  /** Requests found so far. */
  readonly found: number;
  close(): void;
}

/** The cache folder: `KBIT_CACHE`, or `kbit` in the user's; undefined if `KBIT_CACHE` is `off`. */
function findCacheFolder(): string | undefined {
  const folder = process.env["KBIT_CACHE"];
  if (folder === "off") return undefined;
  return folder || join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kbit");
}

/**
 * Everything that the scores of a model depend on, besides the tokens: weights, config, tokenizer, spec, compute type,
 * kernels and versions of the code. Task, profile and data are in the tokens.
 */
export async function identifyModel({ stored, spec, model }: OpenModel): Promise<string> {
  const { weightsHash, configHash, tokenizerHash } = await hashCheckpoint(stored);
  const { quantizer, model: modelVersion } = codeVersions;
  const { name, computeType } = model.kernels;
  return JSON.stringify([
    weightsHash,
    configHash,
    tokenizerHash,
    spec,
    computeType,
    name,
    quantizer,
    modelVersion,
    version,
  ]);
}

/**
 * Opens the store of a model in a folder.
 *
 * @param identity - of `identifyModel`
 * @throws the error of the file system or of SQLite if it cannot be used
 */
export function openScoreStore(folder: string, identity: string): OpenScoreStore {
  mkdirSync(folder, { recursive: true });
  const database = new DatabaseSync(join(folder, "scores.sqlite"), { timeout: 10_000 });
  try {
    database.exec(`
      pragma journal_mode = wal; pragma synchronous = normal;
      create table if not exists scores (key blob primary key, value blob not null, used integer not null) without rowid;
    `);
    database.prepare("delete from scores where used < ?").run(Date.now() - daysKept * day);
  } catch (error) {
    database.close();
    throw error;
  }
  const select = database.prepare("select value, used from scores where key = ?");
  const insert = database.prepare("insert or replace into scores (key, value, used) values (?, ?, ?)");
  const touch = database.prepare("update scores set used = ? where key = ?");
  const prefix = createHash("sha256").update(identity).digest();
  let found = 0;
  return {
    get found() {
      return found;
    },
    find(request) {
      const key = hashRequest(prefix, request);
      const row = select.get(key) as { value: unknown; used: number } | undefined;
      const scores = row?.value instanceof Uint8Array && decodeScores(row.value, request);
      if (!row || !scores) return undefined;
      if (row.used < Date.now() - day) touch.run(Date.now(), key);
      found++;
      return scores;
    },
    keep(requests, scores) {
      database.exec("begin immediate");
      try {
        requests.forEach((request, i) => {
          insert.run(hashRequest(prefix, request), encodeScores(scores[i]), Date.now());
        });
        database.exec("commit");
      } catch (error) {
        if (database.isTransaction) database.exec("rollback");
        throw error;
      }
    },
    close: () => database.close(),
  };
}

/** Of the model's identity, then the lengths, and the tokens of context and continuations. */
function hashRequest(prefix: Uint8Array, { context, continuations }: ScoreRequest): Uint8Array {
  const numbers = [context.length, continuations.length, ...continuations.map((one) => one.length)];
  return createHash("sha256")
    .update(prefix)
    .update(new Uint8Array(Int32Array.from([...numbers, ...context, ...continuations.flat()]).buffer))
    .digest();
}

/** A SHA-256 of the rest, a byte for each continuation, 1 if greedy, then float32 log-probabilities, one after another. */
function encodeScores(scores: readonly ContinuationScore[]): Uint8Array {
  const greedy = Uint8Array.from(scores, (score) => (score.greedy ? 1 : 0));
  const parts = [greedy, ...scores.map(({ logProbs }) => bytesOf(logProbs))];
  const body = Buffer.concat(parts);
  return Buffer.concat([createHash("sha256").update(body).digest(), body]);
}

/** Undefined if the bytes are not what was written. */
function decodeScores(bytes: Uint8Array, { continuations }: ScoreRequest): ContinuationScore[] | undefined {
  const lengths = continuations.map(({ length }) => length);
  const tokens = lengths.reduce((count, length) => count + length, 0);
  const body = bytes.slice(32);
  if (body.length !== continuations.length + 4 * tokens) return undefined;
  if (createHash("sha256").update(body).digest().compare(bytes.subarray(0, 32)) !== 0) return undefined;
  let offset = continuations.length;
  return lengths.map((length, i) => {
    const logProbs = new Float32Array(body.slice(offset, offset + 4 * length).buffer);
    offset += 4 * length;
    return { logProbs, greedy: body[i] === 1 };
  });
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** A model whose scores are kept, and how many requests were found. */
export interface CachedModel {
  readonly model: LanguageModel;
  countFound(): number;
  close(): void;
}

/** The model with its scores kept in the cache folder; as it is if `wanted` is false or the folder cannot be used. */
export async function useScoreCache(opened: OpenModel, wanted: boolean): Promise<CachedModel> {
  const folder = wanted ? findCacheFolder() : undefined;
  if (folder !== undefined) {
    try {
      const store = openScoreStore(folder, await identifyModel(opened));
      return { model: cacheScores(opened.model, store), countFound: () => store.found, close: () => store.close() };
    } catch (error) {
      printNote(`Scores are not kept: ${folder} cannot be used (${(error as Error).message}).`);
    }
  }
  return { model: opened.model, countFound: () => 0, close: () => {} };
}
