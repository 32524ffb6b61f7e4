// Time a token by bits: k = 2 .. 8 of four data types with 16-bit activations, against our own 16 bits. How fast memory is
// may change between one second and the next, so efficiencies are formed within a round and the median of all rounds counts.

import { bytesPerToken, weightsPerToken } from "./llama-shape.ts";
import type { BenchModel } from "./measure.ts";
import { openModel } from "./measure.ts";

const types = ["int", "float", "dynamic", "quantile"];

/** By spec: (time of 16 bits / time of k bits) / (16 / stored bits a weight); the smallest for k = 3 .. 8 is `least`. */
export async function measureBits(
  threads: number,
  rounds: number,
  say: (text: string) => void,
): Promise<Record<string, unknown>> {
  const options = { threads, computeType: "bfloat16" } as const;
  const dense = await openModel("fp16", options);
  const results: Record<string, { bits: number; millisecondsPerToken: number; efficiency: number }> = {};
  const denseBits = 16;
  let [least, sixteenBits] = [Infinity, Infinity];
  for (const bits of [2, 3, 4, 5, 6, 7, 8]) {
    for (const type of types) {
      if (type === "dynamic" && bits < 3) continue;
      const spec = `${type}${bits}:b64:embed:head`;
      const model = await openModel(spec, options);
      const turns = await measureInTurns(model, dense, Math.max(rounds, 5));
      await model.close();
      const stored = (8 * bytesPerToken(spec)) / weightsPerToken();
      const ours = Math.min(...turns.map((turn) => turn.ours));
      const sixteen = Math.min(...turns.map((turn) => turn.sixteen));
      const efficiency = median(turns.map((turn) => turn.sixteen / turn.ours)) / (denseBits / stored);
      results[spec] = { bits: stored, millisecondsPerToken: 1000 * ours, efficiency };
      sixteenBits = Math.min(sixteenBits, sixteen);
      if (bits >= 3) least = Math.min(least, efficiency);
      const times = `${(1000 * ours).toFixed(2)} ms a token, ${(1000 * sixteen).toFixed(2)} at 16 bits`;
      say(`    ${spec.padEnd(26)} ${stored.toFixed(3)} bits: ${times}, efficiency ${efficiency.toFixed(3)}`);
    }
  }
  await dense.close();
  return { least, ...results, fp16: { bits: denseBits, millisecondsPerToken: 1000 * sixteenBits, efficiency: 1 } };
}

/** Seconds of the fastest token on both sides, round by round. */
async function measureInTurns(model: BenchModel, dense: BenchModel, rounds: number) {
  const turns: { ours: number; sixteen: number }[] = [];
  for (let round = 0; round < rounds; round++)
    turns.push({ ours: await model.decodeSeconds(8), sixteen: await dense.decodeSeconds(4) });
  return turns;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
