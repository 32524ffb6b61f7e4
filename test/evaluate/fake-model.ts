// A model of ten lines: a token is a byte, and its log-probability depends on it and on the one before.

import type { LanguageModel, ScoreRequest } from "../../src/language-model.ts";

/** Log-probability of `token` after `previous`: made up, negative, different for most pairs. */
export function fakeLogProb(previous: number, token: number): number {
  return Math.fround(-0.05 - (((previous * 31 + token * 17) % 97) / 97) * 5);
}

/** What was asked of a fake, call by call. */
export type Calls = ScoreRequest[][];

export function createFakeModel(change: Partial<LanguageModel> = {}): LanguageModel & { calls: Calls } {
  const calls: Calls = [];
  return {
    name: "fake",
    vocabularySize: 258,
    maxLength: 16,
    bosToken: 256,
    eosToken: 257,
    calls,
    encode: (text, special = "none") => [...(special === "default" ? [256] : []), ...new TextEncoder().encode(text)],
    decode: (tokens) =>
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(tokens.filter((token) => token < 256))),
    async score(requests, onProgress) {
      calls.push([...requests]);
      onProgress?.(1, 1);
      return requests.map(({ context, continuations }) =>
        continuations.map((continuation) => {
          if (context.length + continuation.length - 1 > this.maxLength)
            throw new Error("The fake was given too much.");
          const previous = [context.at(-1)!, ...continuation];
          const logProbs = Float32Array.from(continuation, (token, t) => fakeLogProb(previous[t], token));
          return { logProbs, greedy: logProbs.every((value) => value > -2.5) };
        }),
      );
    },
    ...change,
  };
}
