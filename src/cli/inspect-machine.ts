// kbit inspect --machine: which kernels run here, why faster ones do not, and what the machine can do at most.

import { availableParallelism, cpus } from "node:os";
import { createMachineProbe, type MachineProbe } from "../kernels/native/addon-node.ts";
import { checkKernelSets } from "../kernels/select-node.ts";
import { formatTable } from "./terminal.ts";

/** What is printed; measured figures are absent where there are no native kernels. */
export interface MachinePage {
  readonly processor: string;
  readonly threads: number;
  readonly node: string;
  /** Fastest first; the first without a reason is what runs. */
  readonly kernels: readonly { readonly name: string; readonly reason?: string }[];
  readonly runs: string | null;
  /** Of a plain read loop, all threads. */
  readonly gigabytesPerSecond?: number;
  /** Multiplications and additions in registers, all threads. */
  readonly gigaflops?: { readonly float32: number; readonly bfloat16: number };
}

const tries = 10;
const readBytes = 2 ** 28;

/** Tries the kernels and measures the machine, in about two seconds. */
export async function describeMachine(threads = availableParallelism()): Promise<MachinePage> {
  const kernels = await checkKernelSets();
  const runs = kernels.find(({ reason }) => reason === undefined)?.name ?? null;
  const facts = { processor: cpus()[0]?.model.trim() || process.arch, threads, node: process.version, kernels, runs };
  const hasNative = kernels.some(({ name, reason }) => name.startsWith("native") && reason === undefined);
  return hasNative ? { ...facts, ...measureLimits(createMachineProbe(threads)) } : facts;
}

function measureLimits(probe: MachineProbe) {
  const bytes = new Uint8Array(readBytes).fill(1);
  const most = (measure: () => number) => Math.max(...Array.from({ length: tries }, measure));
  const limits = {
    gigabytesPerSecond: most(() => bytes.length / probe.readSeconds(bytes)) / 1e9,
    gigaflops: {
      float32: most(() => probe.operationsPerSecond("float32")) / 1e9,
      bfloat16: most(() => probe.operationsPerSecond("bfloat16")) / 1e9,
    },
  };
  probe.close();
  return limits;
}

/** The page as text. */
export function formatMachine(page: MachinePage): string {
  const { gigabytesPerSecond, gigaflops } = page;
  const lines = [
    `${page.processor}, ${page.threads} threads, node ${page.node}`,
    "",
    formatTable(
      [{ title: "kernels" }, { title: "" }],
      page.kernels.map(({ name, reason }) => [name, reason ?? (name === page.runs ? "runs" : "can run")]),
    ),
  ];
  if (gigabytesPerSecond !== undefined && gigaflops !== undefined) {
    const bfloat16 = gigaflops.bfloat16 > 0 ? `, ${gigaflops.bfloat16.toFixed(0)} in bfloat16` : "";
    lines.push(
      "",
      `memory   ${gigabytesPerSecond.toFixed(1)} GB/s read`,
      `products ${gigaflops.float32.toFixed(0)} GFLOP/s in float32${bfloat16}`,
      "",
      "Decoding reads every weight for each token, so a model of M bytes writes at most",
      `${gigabytesPerSecond.toFixed(1)} / (M / 10^9) tokens a second here.`,
    );
  }
  return lines.join("\n");
}
