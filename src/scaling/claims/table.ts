// The findings of the paper, one entry each: where it says so, what it says, what rows a check needs, and the check.
// Sections are those of arXiv 2212.09720, version 2.

import { checkCorrelation } from "./correlation.ts";
import {
  checkBestBlock,
  checkBlockGain,
  checkCentering,
  checkExponent,
  checkFloatAndInt,
  checkManyBits,
  checkProxy,
  checkQuantile,
} from "./format.ts";
import type { Frame } from "./frame.ts";
import { checkLatency } from "./latency.ts";
import { checkFourBits, checkParallel, checkThreeBits } from "./precision.ts";
import type { Finding } from "./verdict.ts";

/** A finding of the paper that rows can be asked about. */
export interface Claim {
  readonly id: string;
  readonly section: string;
  readonly sentence: string;
  /** What rows it takes, beside several models of a family. */
  readonly needs: string;
  readonly check: (frame: Frame) => Finding;
}

/** The table of claims, in the order of the paper. */
export const claims: readonly Claim[] = [
  {
    id: "four-bit-optimal",
    section: "5, Figure 1",
    sentence: "At equal total bits 4 bits are better than every other precision.",
    needs: "one kind of spec at 4 bits, at fewer and at more, at four sizes or more",
    check: checkFourBits,
  },
  {
    id: "three-bit-reverses",
    section: "5",
    sentence: "The gain from fewer bits reverses at 3: they are worse than 4 at equal total bits.",
    needs: "one kind of spec at 3 and 4 bits, at four sizes or more",
    check: checkThreeBits,
  },
  {
    id: "curves-parallel",
    section: "4, 5",
    sentence: "The scaling curves of 4 bits and more are parallel: a base function with an offset for each precision.",
    needs: "one kind of spec at three precisions of 4 bits and more, at four sizes or more",
    check: checkParallel,
  },
  {
    id: "block-gain-is-a-bit",
    section: "5.2, Figure 3",
    sentence: "At 4 bits, blocks of 64 instead of 1024 gain about as much as going from 4 to 5 bits.",
    needs: "4 bits at blocks of 64 and 1024, 5 bits at 1024",
    check: checkBlockGain,
  },
  {
    id: "block-64-128-best",
    section: "5.2, Appendix C",
    sentence: "At 4 bits and equal total bits, blocks of 64 or 128 are best.",
    needs: "4 bits at blocks of 64 or 128 and at others",
    check: checkBestBlock,
  },
  {
    id: "no-effect-above-5-bits",
    section: "5.2, Appendix C.2",
    sentence: "At 6 to 8 bits neither block size nor data type matters.",
    needs: "6, 7 or 8 bits at two block sizes or two data types",
    check: checkManyBits,
  },
  {
    id: "exponent-half-the-bits",
    section: "Appendix C.4, Figure 12",
    sentence: "Floats are best with exponent bits of at least half the bits.",
    needs: "float at one width with exponent bits of at least half of it and with fewer",
    check: checkExponent,
  },
  {
    id: "quantile-best",
    section: "5.2, Appendix C",
    sentence: "By perplexity the quantile data type is the best.",
    needs: "quantile and other types at 3 to 5 bits with the same blocks",
    check: checkQuantile,
  },
  {
    id: "float-above-int-at-4",
    section: "5.2, Appendix C.3",
    sentence: "At 4 bits float is better than integer.",
    needs: "float4 and int4 with the same blocks",
    check: checkFloatAndInt(4, "float"),
  },
  {
    id: "float-below-int-at-5",
    section: "5.2, Appendix C.3",
    sentence: "At 5 bits float (of 3 exponent bits) is worse than integer.",
    needs: "float5 and int5 with the same blocks",
    check: checkFloatAndInt(5, "int"),
  },
  {
    id: "centering-no-effect",
    section: "Appendix B",
    sentence: "Centering weights around zero changes nothing.",
    needs: "the same spec with and without center",
    check: checkCentering,
  },
  {
    id: "proxy-helps-3-bits-only",
    section: "5.1, Figure 4",
    sentence: "Keeping the columns of outliers in 16 bits helps 3 bits and not 4, at equal total bits.",
    needs: "3 and 4 bits with and without proxy",
    check: checkProxy,
  },
  {
    id: "perplexity-correlates",
    section: "4",
    sentence: "Perplexity and mean zero-shot accuracy are closely correlated (-0.94).",
    needs: "the same models and specs on a text and on tasks",
    check: checkCorrelation,
  },
  {
    id: "latency-follows-bits",
    section: "2.1, 5.4",
    sentence: "Below the crossover batch the latency of a token is proportional to the model's bits.",
    needs: "the task latency at three precisions of three models, larger than a processor's cache",
    check: checkLatency,
  },
];
