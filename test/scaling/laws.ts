// Rows simulated from laws with two kinds of noise, for tests of fits, intervals and claims.

import type { ResultRow } from "../../src/result.ts";
import { createRandom } from "../../src/tensor/random.ts";
import { makeRow } from "./simulate.ts";

/** Sizes of a family, each about twice the one before. */
export const sizes = [1e6, 2.2e6, 4.8e6, 11e6, 24e6, 52e6] as const;

/** What is simulated. */
export interface Simulation {
  /** The true loss. */
  readonly loss: (size: number, bits: number, spec: string, tokens: number) => number;
  /** Amounts of training tokens that each size is there with; absent: one, which rows do not name. */
  readonly tokens?: readonly number[];
  /** Seeds that a size is there with, by its index; absent: one, which rows do not name. */
  readonly seeds?: (index: number) => number;
  readonly sizes?: readonly number[];
  /** Specs by the text; bits are read from it. */
  readonly specs: readonly string[];
  /** Standard deviations of ln loss: what all rows of a model share, and each row's own. */
  readonly shared?: number;
  readonly own?: number;
  readonly seed?: number;
  readonly family?: string;
}

/** Bits of a spec text. */
export function bitsOf(spec: string): number {
  return spec === "fp16" ? 16 : Number(/\d/.exec(spec)![0]);
}

/** Total bits of a spec: every parameter at its bits and its share of absmax. */
export function totalOf(size: number, spec: string): number {
  const block = Number(/:b(\d+)/.exec(spec)?.[1] ?? 0);
  const proxy = Number(/:proxy(\d+)/.exec(spec)?.[1] ?? 0) / 100;
  const bits = bitsOf(spec);
  return Math.round(size * (bits + (block > 0 ? 16 / block : 0) + proxy * (16 - bits)));
}

/** A row a model and spec. */
export function simulateRows({
  loss,
  specs,
  shared = 0,
  own = 0,
  seed = 1,
  family = "toy",
  ...rest
}: Simulation): ResultRow[] {
  const random = createRandom(seed);
  const models = (rest.sizes ?? sizes).flatMap((size, index) =>
    (rest.tokens ?? [undefined]).flatMap((trainingTokens) =>
      Array.from({ length: rest.seeds?.(index) ?? 1 }, (_, i) => ({
        size,
        trainingTokens,
        ...(rest.seeds && { seed: i + 1 }),
      })),
    ),
  );
  return models.flatMap(({ size, trainingTokens, seed: trainingSeed }) => {
    const common = shared * random.normal();
    const name = [
      `${family}-${size / 1e6}m`,
      trainingTokens && `${trainingTokens / 1e6}mt`,
      trainingSeed && `s${trainingSeed}`,
    ];
    return specs.map((spec) =>
      makeRow({
        model: name.filter(Boolean).join("-"),
        trainingTokens,
        seed: trainingSeed,
        family,
        spec,
        bitsPerWeight: bitsOf(spec),
        total: totalOf(size, spec),
        parameters: size,
        metrics: {
          nll: {
            value: loss(size, bitsOf(spec), spec, trainingTokens ?? 0) * Math.exp(common + own * random.normal()),
            standardError: 0.002,
            n: 1000,
          },
        },
      }),
    );
  });
}

/** A plain law: `1.75 + 260 / N^0.38 + 6 e^(-1.2 k)`. */
export function plainLoss(size: number, bits: number): number {
  return 1.75 + 260 / size ** 0.38 + (bits >= 16 ? 0 : 6 * Math.exp(-1.2 * bits));
}
