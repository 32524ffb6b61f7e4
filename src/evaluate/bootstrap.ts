// Standard error of a perplexity by bootstrap, with the very draws of lm-eval.
// 100 chunks of 1000 resamples; chunk i draws from Python's `random.Random(i)`.

import { createPythonRandom } from "./mersenne.ts";
import { sampleDeviation } from "./sum.ts";

const chunkSize = 1000;

/**
 * Deviation of `exp(-mean(resample))` over resamples with replacement; undefined below two values or without resamples.
 *
 * @param values - one log-likelihood a document, nats
 * @param iterations - resamples; whole chunks of 1000 are done (of `iterations`, if there are fewer)
 * @param onProgress - called after each chunk with resamples done and in all
 * @param maxKept - bytes of draws that may be kept for the next call of as many documents
 */
export async function bootstrapPerplexityError(
  values: readonly number[],
  iterations = 100000,
  onProgress?: (done: number, total: number) => void,
  maxKept = maxCounts,
): Promise<number | undefined> {
  if (values.length < 2 || iterations < 1) return undefined;
  const sample = Float64Array.from(values);
  const chunk = Math.min(chunkSize, iterations);
  const perplexities = new Float64Array(Math.floor(iterations / chunk) * chunk);
  const isKept = perplexities.length * sample.length <= maxKept;
  const counts = isKept ? await countDraws(sample.length, perplexities.length, chunk) : undefined;
  let turn = performance.now();
  for (let start = 0; start < perplexities.length; start += chunk) {
    const out = perplexities.subarray(start, start + chunk);
    if (counts) sumCounted(sample, counts.subarray(start * sample.length), out);
    else resample(sample, start / chunk, out);
    onProgress?.(start + chunk, perplexities.length);
    if (performance.now() - turn < turnMs) continue;
    await takeTurn();
    turn = performance.now();
  }
  return sampleDeviation(perplexities);
}

/** Milliseconds between turns of the event loop, so that an interrupt is heard. */
const turnMs = 50;
const takeTurn = () => new Promise((resolve) => setTimeout(resolve));

/** Bytes of draws that are kept: the tasks of a study draw from the same number of documents again and again. */
const maxCounts = 64e6;
let kept = { documents: 0, resamples: 0, counts: new Uint8Array() };

/** How often each document is drawn in each resample: `(resamples, documents)`. The draws depend on these numbers alone. */
async function countDraws(documents: number, resamples: number, chunk: number): Promise<Uint8Array> {
  if (kept.documents === documents && kept.resamples === resamples) return kept.counts;
  const counts = new Uint8Array(resamples * documents);
  for (let start = 0; start < resamples; start += chunk) {
    const draw = createDraws(start / chunk, documents);
    for (let r = start; r < start + chunk; r++) for (let i = 0; i < documents; i++) counts[r * documents + draw()]++;
    await takeTurn();
  }
  kept = { documents, resamples, counts };
  return counts;
}

/** The documents that Python's `random.Random(seed).choices` draws, one after the other. */
function createDraws(seed: number, documents: number): () => number {
  const random = createPythonRandom(seed);
  let block = random.nextBlock();
  let at = 0;
  return () => {
    if (at === block.length) {
      block = random.nextBlock();
      at = 0;
    }
    return Math.floor(block[at++] * documents);
  };
}

/** The perplexities of resamples, by how often each document is in them. */
function sumCounted(values: Float64Array, counts: Uint8Array, out: Float64Array): void {
  const n = values.length;
  for (let r = 0; r < out.length; r++) {
    const row = r * n;
    let [a, b] = [0, 0]; // two sums, so that one addition need not wait for the other
    for (let i = 0; i + 1 < n; i += 2) {
      a += counts[row + i] * values[i];
      b += counts[row + i + 1] * values[i + 1];
    }
    if (n % 2 === 1) a += counts[row + n - 1] * values[n - 1];
    out[r] = Math.exp(-(a + b) / n);
  }
}

/** The perplexities of resamples of more documents than counts are kept of. */
function resample(values: Float64Array, seed: number, out: Float64Array): void {
  const n = values.length;
  const draw = createDraws(seed, n);
  for (let r = 0; r < out.length; r++) {
    // sum() of sum.ts, written out: it is most of the time.
    let total = 0;
    let lost = 0;
    for (let i = 0; i < n; i++) {
      const value = values[draw()];
      const next = total + value;
      const part = next - total;
      lost += total - (next - part) + (value - part);
      total = next;
    }
    out[r] = Math.exp(-((total + lost) / n));
  }
}
