// Throughput against batch size: all matrices of the model, b tokens at once, at 4 and at 16 bits, and the batch from which
// 4 bits are less than 1.5 times as fast as 16: where bits stop mattering.

import type { Path } from "../src/kernels/kernels.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { isQuantized } from "../src/quantize/quantized.ts";
import { listTensors, llama, randomCheckpoint } from "./llama-shape.ts";

const batches = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const specs = ["int4:b64:embed:head", "fp16"];

/** Tokens a second by spec and batch size, on the faster of both paths. */
export async function measureBatches(threads: number, say: (text: string) => void): Promise<Record<string, unknown>> {
  const results: Record<string, number[]> = {};
  for (const spec of specs) results[spec] = await measureSpec(spec, threads);
  const [four, sixteen] = specs.map((spec) => results[spec]);
  batches.forEach((batch, i) => {
    const gain = four[i] / sixteen[i];
    say(
      `    batch ${String(batch).padStart(3)}: ${four[i].toFixed(0).padStart(5)} tokens/s at 4 bits, ` +
        `${sixteen[i].toFixed(0).padStart(5)} at 16, ${gain.toFixed(2)} x`,
    );
  });
  const crossover = batches.find((_, i) => four[i] / sixteen[i] < 1.5) ?? null;
  return { batches, ...results, crossover };
}

async function measureSpec(spec: string, threads: number): Promise<number[]> {
  const kernels = await selectKernels({ threads, computeType: "bfloat16" });
  const checkpoint = randomCheckpoint(spec);
  const names = listTensors().filter(({ name, shape }) => shape.length === 2 && !name.includes("embed_tokens"));
  const weights = [];
  for (const { name } of names) {
    const weight = await checkpoint.read(name);
    if (!isQuantized(weight) && weight.shape.length !== 2) continue;
    weights.push(kernels.loadWeight(weight));
  }
  const most = batches.at(-1)!;
  const x = kernels.createBuffer(most * llama.ffn);
  const out = kernels.createBuffer(most * llama.vocabulary);
  const seconds = (batch: number, path: Path) => {
    const start = performance.now();
    for (const weight of weights) kernels.matmul(out, x, weight, batch, path);
    return (performance.now() - start) / 1000;
  };
  const speeds = batches.map((batch) => {
    const runs = batch <= 16 ? 8 : 3;
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < runs; run++) {
      if (batch <= 32) best = Math.min(best, seconds(batch, "generation"));
      if (batch >= 8) best = Math.min(best, seconds(batch, "scoring"));
    }
    return batch / best;
  });
  await kernels.close();
  return speeds;
}
