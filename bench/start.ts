// Cold start: a new process opens a packed 4-bit checkpoint of 1.1 B weights, which lies in the page cache, and writes a
// token. Extra memory is what the process holds of its own: neither the mapped file nor the cache of keys and values.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../src/checkpoint/open-node.ts";
import { describePacked } from "../src/checkpoint/packed-layout.ts";
import { writePackedCheckpoint } from "../src/checkpoint/write-packed-node.ts";
import { mapFile } from "../src/kernels/native/addon-node.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { loadModel } from "../src/model/load.ts";
import { config, randomCheckpoint } from "./llama-shape.ts";

const spec = "nf4:b64:embed:head";

/** Milliseconds from the start of the process to its first token, and its extra memory. */
export async function measureStart(folder: string, threads: number, rounds: number) {
  const model = join(folder, "random-nf4");
  if (!existsSync(join(model, "model.safetensors"))) await writeModel(model);
  readFileSync(join(model, "model.safetensors")); // into the page cache
  let first = { milliseconds: Infinity, extra: 0, page: "" };
  for (let round = 0; round < rounds; round++) {
    const start = performance.timeOrigin + performance.now();
    const args = [fileURLToPath(import.meta.url), model, String(threads), String(start)];
    const line = execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    const [milliseconds, extra, page] = JSON.parse(line) as [number, number, string];
    if (milliseconds < first.milliseconds) first = { milliseconds, extra, page };
  }
  return { first_token_ms: first.milliseconds, resident_extra_mb: first.extra, page: first.page };
}

async function writeModel(folder: string): Promise<void> {
  const checkpoint = randomCheckpoint(spec);
  await writePackedCheckpoint(
    {
      ...checkpoint,
      storedAs(name) {
        const header = checkpoint.tensors.get(name)!;
        const isMatrix = header.shape.length === 2 && checkpoint.spec?.kind === "quantized";
        const parts = isMatrix
          ? describePacked(name, header.shape as [number, number], checkpoint.spec, 0, 16)
          : [header];
        return { parts, isExact: true };
      },
      readText: async (name) => (name === "config.json" ? JSON.stringify(config) : undefined),
    },
    folder,
    {},
  );
}

/** Megabytes of a line of /proc/self/status. */
function residentMegabytes(line: string): number {
  const text = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`${line}:\\s+(\\d+)`).exec(text)![1]) / 1024;
}

if (import.meta.main) {
  const [folder, threads, start] = process.argv.slice(2);
  const now = () => performance.timeOrigin + performance.now() - Number(start);
  const imported = now();
  const checkpoint = await openCheckpoint(folder, { mapFile });
  const kernels = await selectKernels({ threads: Number(threads) });
  const model = await loadModel(checkpoint, kernels);
  const loaded = now();
  for await (const _token of model.generate([1], { maxTokens: 1 })) break;
  const page = `imported at ${imported.toFixed(0)}, loaded at ${loaded.toFixed(0)} ms`;
  console.log(JSON.stringify([now(), residentMegabytes("RssAnon"), page]));
  process.exit(0);
}
