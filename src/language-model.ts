// The contract between model and evaluation: log-likelihoods of continuations, and nothing of how they are made.
// A leaf of the tree. The evaluator sees only this; ten lines of a fake model test it.

/** One context and the continuations that are scored on top of it; the context's keys and values are computed once. */
export interface ScoreRequest {
  /** Token ids, at least one (a lone prefix token where the text has no context). */
  readonly context: readonly number[];
  /** Each at least one token; `context.length + continuation.length - 1 <= maxLength` (the last token is never fed). */
  readonly continuations: readonly (readonly number[])[];
}

/** The score of one continuation. */
export interface ContinuationScore {
  /** Natural log-probability of each token of the continuation, `(continuation.length)`. */
  readonly logProbs: Float32Array;
  /** Whether every token of the continuation is the arg max at its place. */
  readonly greedy: boolean;
}

/** Some scored positions, one after another, with a logit for every token of the vocabulary at each. */
export interface LogitTile {
  /** Positions in this tile, at least one. */
  readonly rows: number;
  /** Log-probabilities up to a constant a row, `(rows, vocabularySize)`; valid until the next tile is asked for. */
  readonly logits: Float32Array;
}

/** A causal language model as evaluation sees it. */
export interface LanguageModel {
  readonly name: string;
  /** How many distinct tokens the head scores. */
  readonly vocabularySize: number;
  /** The longest input in tokens. */
  readonly maxLength: number;
  readonly bosToken: number | undefined;
  readonly eosToken: number | undefined;
  /**
   * Token ids of a text.
   * @param special - "none" (default): no special token is added; "default": as the tokenizer itself would add them
   */
  encode(text: string, special?: "none" | "default"): number[];
  decode(tokens: readonly number[]): string;
  /**
   * Scores every continuation of every request, in the order asked: `result[request][continuation]`.
   * The result of a request does not depend on the others in the call.
   *
   * @param onProgress - called with the number of tokens fed so far and in all
   */
  score(
    requests: readonly ScoreRequest[],
    onProgress?: (tokensDone: number, tokensTotal: number) => void,
  ): Promise<ContinuationScore[][]>;
  /**
   * The whole distribution at every position that `score` would score, in the order of requests and their tokens; each
   * request has one continuation. A tile takes bounded memory, however long the text. Only comparisons ask for it.
   */
  readLogits?(requests: readonly ScoreRequest[]): AsyncGenerator<LogitTile, void, undefined>;
}
