// The choice of the next token from its logits: greedy, or sampled after the usual filters.

import type { Random } from "../tensor/random.ts";

/** How a token is chosen; the filters follow each other in this order. */
export interface SamplingOptions {
  /** Logits of tokens seen before are divided (positive) or multiplied (negative) by it; 1: off. */
  readonly repetitionPenalty?: number;
  /** Logits are divided by it; 0 (default): the most likely token is taken. */
  readonly temperature?: number;
  /** Only the K most likely tokens; 0: all. */
  readonly topK?: number;
  /** Only the most likely tokens whose probabilities reach P together; 1: all. */
  readonly topP?: number;
  /** Only tokens at least P times as likely as the most likely; 0: all. */
  readonly minP?: number;
}

/**
 * Chooses a token.
 *
 * @param logits - of every token, `(vocabulary)`; changed in place
 * @param seen - tokens before it, for the repetition penalty
 */
export function chooseToken(
  logits: Float32Array,
  seen: Iterable<number>,
  options: SamplingOptions,
  random: Random,
): number {
  const { repetitionPenalty = 1, temperature = 0, topK = 0, topP = 1, minP = 0 } = options;
  if (repetitionPenalty !== 1) {
    for (const token of new Set(seen)) {
      logits[token] = logits[token] > 0 ? logits[token] / repetitionPenalty : logits[token] * repetitionPenalty;
    }
  }
  if (temperature === 0) return findLargest(logits);

  const largest = logits[findLargest(logits)];
  const weigh = (token: number) => Math.exp((logits[token] - largest) / temperature);
  let tokens = Array.from(logits.keys());
  if (topK > 0 || topP < 1) {
    tokens.sort((a, b) => logits[b] - logits[a] || a - b);
    if (topK > 0) tokens = tokens.slice(0, topK);
    tokens = keepNucleus(tokens, tokens.map(weigh), topP);
  }
  const weights = tokens.map(weigh).map((weight) => (weight >= minP ? weight : 0));
  let left = random.uniform() * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < tokens.length; i++) {
    left -= weights[i];
    if (left < 0) return tokens[i];
  }
  return tokens[weights.findLastIndex((weight) => weight > 0)]; // rounding left a little over
}

/** The first tokens of a descending list whose share reaches `share`. */
function keepNucleus(tokens: number[], weights: number[], share: number): number[] {
  const total = weights.reduce((a, b) => a + b, 0);
  let before = 0;
  return tokens.filter((_, i) => {
    const keep = i === 0 || before < share * total;
    before += weights[i];
    return keep;
  });
}

/** The index of the largest value, the first of equals. */
function findLargest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
