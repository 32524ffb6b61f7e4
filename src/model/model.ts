// A loaded model: the language model that evaluation sees, and the one that writes text.

import type { Kernels, Path } from "../kernels/kernels.ts";
import type { ContinuationScore, LanguageModel, ScoreRequest } from "../language-model.ts";
import { createCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import { feedSequence } from "./feed.ts";
import { type GenerateOptions, generateTokens } from "./generate.ts";
import { type LayerInputs, readInputs } from "./inputs.ts";
import { type Latency, type LatencyOptions, measureLatency } from "./latency.ts";
import { readLogits } from "./logits.ts";
import { createScorer } from "./score.ts";
import type { TextTokenizer } from "./tokenizer.ts";

/** A model on a kernel set. */
export interface Model extends LanguageModel {
  readonly kernels: Kernels;
  /** Tokens at which generation ends: every end-of-sequence token of the tokenizer and the generation config. */
  readonly stopTokens: ReadonlySet<number>;
  /** Writes on after `tokens`; ends at a stop token (which is not given), at `maxTokens`, or at `maxLength`. */
  generate(tokens: readonly number[], options?: GenerateOptions): AsyncGenerator<number, void, undefined>;
  /**
   * The logits of every token, `(tokens, vocabulary)`.
   * @param path - "scoring": fed together; "generation": fed one by one, as text is written
   */
  logits(tokens: readonly number[], path?: Path): Promise<Float32Array>;
  /** How long a token takes to write. @throws InputError if context or batch are more than the model takes */
  measureLatency(options?: LatencyOptions): Promise<Latency>;
  /** What every linear layer reads for one sequence, some tokens after the others. */
  readInputs(tokens: readonly number[]): AsyncGenerator<LayerInputs, void, undefined>;
  /** Frees the weights; the kernel set stays open. */
  close(): Promise<void>;
}

/** Puts decoder and tokenizer together; `releaseWeights` frees what the decoder computes on. */
export function createModel(
  name: string,
  kernels: Kernels,
  decoder: Decoder,
  tokenizer: TextTokenizer,
  releaseWeights: () => void,
): Model {
  const { shape } = decoder;
  const scorer = createScorer(kernels, decoder);

  async function logits(tokens: readonly number[], path: Path = "scoring"): Promise<Float32Array> {
    const cache = createCache(kernels, shape, tokens.length, "forwards");
    const all = new Float32Array(tokens.length * decoder.head.rows);
    const step = path === "generation" ? 1 : decoder.maxTokens;
    const out = kernels.createBuffer(Math.min(step, tokens.length) * decoder.head.rows);
    try {
      for (let start = 0; start < tokens.length; start += step) {
        const count = Math.min(step, tokens.length - start);
        const hidden = decoder.forward(feedSequence(tokens, start, count, path), cache);
        all.set(await decoder.readLogits(out, hidden, count, path), start * decoder.head.rows);
      }
      return all;
    } finally {
      kernels.release(out);
      cache.release();
    }
  }

  return {
    name,
    kernels,
    vocabularySize: shape.vocabulary,
    maxLength: shape.maxLength,
    bosToken: tokenizer.bosToken,
    eosToken: tokenizer.eosToken,
    stopTokens: tokenizer.stopTokens,
    encode: (text, special = "none") => tokenizer.encode(text, special),
    decode: (tokens) => tokenizer.decode(tokens),
    score: (requests: readonly ScoreRequest[], onProgress): Promise<ContinuationScore[][]> =>
      scorer.score(requests, onProgress),
    readLogits: (requests: readonly ScoreRequest[]) => readLogits(kernels, decoder, requests),
    generate: (tokens, options = {}) => generateTokens(kernels, decoder, tokens, tokenizer.stopTokens, options),
    logits,
    readInputs: (tokens) => readInputs(kernels, decoder, tokens),
    measureLatency: (options) => measureLatency(kernels, decoder, options),
    async close() {
      scorer.release();
      decoder.release();
      releaseWeights();
    },
  };
}
