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
 */
export async function bootstrapPerplexityError(
  values: readonly number[],
  iterations = 100000,
  onProgress?: (done: number, total: number) => void,
): Promise<number | undefined> {
  if (values.length < 2 || iterations < 1) return undefined;
  const sample = Float64Array.from(values);
  const chunk = Math.min(chunkSize, iterations);
  const chunks = Math.floor(iterations / chunk);
  const perplexities = new Float64Array(chunks * chunk);
  for (let i = 0; i < chunks; i++) {
    resample(sample, i, perplexities.subarray(i * chunk, (i + 1) * chunk));
    onProgress?.((i + 1) * chunk, perplexities.length);
    // A turn of the event loop a chunk, so that an interrupt is heard.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return sampleDeviation(perplexities);
}

function resample(values: Float64Array, seed: number, out: Float64Array): void {
  const random = createPythonRandom(seed);
  const n = values.length;
  let block = random.nextBlock();
  let at = 0;
  for (let r = 0; r < out.length; r++) {
    // sum() of sum.ts, written out: it is most of the time.
    let total = 0;
    let lost = 0;
    for (let i = 0; i < n; i++) {
      if (at === block.length) {
        block = random.nextBlock();
        at = 0;
      }
      const value = values[Math.floor(block[at++] * n)];
      const next = total + value;
      const part = next - total;
      lost += total - (next - part) + (value - part);
      total = next;
    }
    out[r] = Math.exp(-((total + lost) / n));
  }
}
