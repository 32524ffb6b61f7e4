// A study of the paper's size: 35,250 results of five families, ten sizes each, 141 specs, a text and four tasks.

import type { ResultRow } from "../../src/result.ts";
import { simulateStudy } from "./simulate.ts";

/** The rows, the same every time. */
export function simulateLargeStudy(): ResultRow[] {
  const sizes = [19e6, 70e6, 160e6, 410e6, 1e9, 1.4e9, 2.8e9, 6.9e9, 12e9, 30e9];
  return ["gpt2", "opt", "pythia", "bloom", "bloomz"].flatMap((family, i) =>
    simulateStudy({
      family,
      sizes,
      types: ["int", "float", "quantile", "dynamic"],
      blocks: [64, 128, 256, 512, 1024],
      tasks: ["perplexity", "lambada_openai", "winogrande", "hellaswag", "piqa"],
      fragility: 1 + i / 2,
      seed: i + 1,
    }),
  );
}
