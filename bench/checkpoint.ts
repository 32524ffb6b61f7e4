// Speed of kbit quantize, from file to file: 201 M float16 weights of N(0, 0.02), by spec and number of threads.
//
//   node bench/checkpoint.ts [threads ..]
//
// Each figure is the fastest of three runs; the file is in the system's cache. GB/s are those of the float16 file.

import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint } from "../src/checkpoint/open-node.ts";
import { formatSafetensorsHeader, placeTensors } from "../src/checkpoint/safetensors.ts";
import { writePackedCheckpoint } from "../src/checkpoint/write-packed-node.ts";
import { selectQuantizer } from "../src/kernels/quantizer-node.ts";
import { countParameters } from "../src/model/count.ts";
import { quantizeCheckpoint } from "../src/model/quantized-view.ts";
import { parseSpec } from "../src/quantize/spec-text.ts";

import { createRandom } from "../src/tensor/random.ts";
import type { TensorHeader } from "../src/tensor/tensor.ts";

const [layers, width, ffn] = [12, 1024, 4096];
const runs = 3;

/** A Llama checkpoint with random weights; the same million of them over and over. */
function writeModel(folder: string): void {
  mkdirSync(folder);
  const sizes = { vocab_size: 64, hidden_size: width, intermediate_size: ffn, num_hidden_layers: layers };
  const rest = { num_attention_heads: 16, max_position_embeddings: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true };
  writeFileSync(
    join(folder, "config.json"),
    JSON.stringify({ model_type: "llama", hidden_act: "silu", ...sizes, ...rest }),
  );
  const tensors: TensorHeader[] = [];
  const add = (name: string, ...shape: number[]) => tensors.push({ name: `model.${name}.weight`, type: "F16", shape });
  add("embed_tokens", 64, width);
  add("norm", width);
  for (let layer = 0; layer < layers; layer++) {
    for (const norm of ["input_layernorm", "post_attention_layernorm"]) add(`layers.${layer}.${norm}`, width);
    for (const part of ["q", "k", "v", "o"]) add(`layers.${layer}.self_attn.${part}_proj`, width, width);
    for (const part of ["gate", "up"]) add(`layers.${layer}.mlp.${part}_proj`, ffn, width);
    add(`layers.${layer}.mlp.down_proj`, width, ffn);
  }
  const placed = placeTensors(tensors);
  const random = createRandom(1);
  const weights = Float16Array.from({ length: 2 ** 20 }, () => 0.02 * random.normal());
  const file = openSync(join(folder, "model.safetensors"), "w");
  writeSync(file, formatSafetensorsHeader(placed, {}));
  for (let left = placed.at(-1)!.end; left > 0; ) {
    left -= writeSync(file, weights, 0, Math.min(left, weights.byteLength));
  }
  closeSync(file);
}

const folder = mkdtempSync(join(tmpdir(), "kbit-bench-"));
try {
  const counts = process.argv.slice(2).map(Number);
  const threadCounts = counts.length > 0 ? counts : [...new Set([1, 2, availableParallelism()])];
  writeModel(join(folder, "model"));
  console.log(`${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}`);
  for (const text of ["int4:b64", "nf4:b64:dq", "quantile4:b64"]) {
    for (const threadCount of threadCounts) {
      const threads = await selectQuantizer({ threads: threadCount });
      let best = Infinity;
      let weights = 0;
      for (let run = 0; run < runs; run++) {
        const checkpoint = await openCheckpoint(join(folder, "model"));
        const view = quantizeCheckpoint(checkpoint, parseSpec(text), { quantize: threads.quantize });
        const start = performance.now();
        await writePackedCheckpoint(view, join(folder, "out"), { force: true, readAhead: threads.threads });
        best = Math.min(best, (performance.now() - start) / 1000);
        weights = countParameters(view).quantizedParameters;
        await checkpoint.close();
      }
      await threads.close();
      const rate = weights / best;
      console.log(
        `${text.padEnd(14)} ${threadCount} threads  ${(rate / 1e6).toFixed(0)} M weights/s  ${((2 * rate) / 1e9).toFixed(2)} GB/s`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
