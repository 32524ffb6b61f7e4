// How a long text is cut into windows: which tokens are context, which are scored. One function a convention.
// Pure functions of token ids; conventions.ts names them, perplexity.ts scores them.

import type { TokenPair } from "./profiles.ts";

/**
 * Windows of `size` tokens, a new one every `stride` tokens, each token of the text scored at most once:
 *
 *     size 4, stride 4:  t0 [t1 t2 t3]   t4 [t5 t6 t7]   t8 [t9]
 *     size 4, stride 2:  t0 [t1 t2 t3]   t2 t3 [t4 t5]   t4 t5 [t6 t7]   ..
 *
 * The first token of a window cannot be scored in it; tokens that an earlier window scored are context only. The last
 * window may be short, and one of a single token is left out.
 *
 * @see https://huggingface.co/docs/transformers/perplexity
 */
export function planWindows(tokens: readonly number[], size: number, stride: number): TokenPair[] {
  const windows: TokenPair[] = [];
  let scored = 0; // tokens before this one are done
  for (let begin = 0; begin < tokens.length; begin += stride) {
    const end = Math.min(begin + size, tokens.length);
    const first = Math.max(scored, begin + 1);
    if (first < end) windows.push({ context: tokens.slice(begin, first), continuation: tokens.slice(first, end) });
    scored = end;
    if (end === tokens.length) break;
  }
  return windows;
}

/**
 * As `planWindows`, but every window begins with `bos`, which counts as one of its `size` tokens; so each token of the
 * text is scored, the first ones too:
 *
 *     size 4, stride 3:  B [t0 t1 t2]   B [t3 t4 t5]   B [t6]
 *     size 4, stride 2:  B [t0 t1 t2]   B t2 [t3 t4]   B t4 [t5 t6]   ..
 */
export function planBosWindows(tokens: readonly number[], bos: number, size: number, stride: number): TokenPair[] {
  const windows: TokenPair[] = [];
  let scored = 0; // tokens before this one are done
  for (let begin = 0; scored < tokens.length; begin += stride) {
    const end = Math.min(begin + size - 1, tokens.length);
    windows.push({ context: [bos, ...tokens.slice(begin, scored)], continuation: tokens.slice(scored, end) });
    scored = end;
  }
  return windows;
}

/**
 * lm-eval's rolling windows: every token scored once, the first after `prefix`, the last window filled up with context.
 *
 *     size 4:  P [t0 t1 t2 t3]   t3 [t4 t5 t6 t7]   t5 t6 t7 [t8 t9]
 *
 * @see https://github.com/EleutherAI/lm-evaluation-harness/blob/main/lm_eval/utils.py get_rolling_token_windows
 */
export function planRolling(tokens: readonly number[], prefix: number, size: number): TokenPair[] {
  const windows: TokenPair[] = [];
  for (let begin = 0; begin < tokens.length; begin += size) {
    const end = Math.min(begin + size, tokens.length);
    const context = begin === 0 ? [prefix] : tokens.slice(end - size - 1, begin);
    windows.push({ context, continuation: tokens.slice(begin, end) });
  }
  return windows;
}

/** GPTQ's: whole windows only, side by side, all but the first token of each scored. @see https://github.com/IST-DASLab/gptq */
export function planGptq(tokens: readonly number[], size: number): TokenPair[] {
  const whole = tokens.length - (tokens.length % size);
  return planWindows(tokens.slice(0, whole), size, size);
}

/**
 * llama.cpp's: whole windows side by side, the first token of each replaced by `bos` where the tokenizer adds one, and
 * only the second half scored, tokens `size / 2 + 1` to `size - 1`.
 *
 * @see https://github.com/ggml-org/llama.cpp/tree/master/tools/perplexity
 */
export function planLlamaCpp(tokens: readonly number[], size: number, bos: number | undefined): TokenPair[] {
  const windows: TokenPair[] = [];
  const half = Math.floor(size / 2);
  for (let begin = 0; begin + size <= tokens.length; begin += size) {
    const context = tokens.slice(begin, begin + half + 1);
    if (bos !== undefined) context[0] = bos;
    windows.push({ context, continuation: tokens.slice(begin + half + 1, begin + size) });
  }
  return windows;
}
