// The worker behind playground and inspector: fetches a model's files, quantizes it, runs it with the WASM kernels.
// Requests are done one after another; `stop` ends the one that writes.

import {
  type Checkpoint,
  countBits,
  countParameters,
  createTextStream,
  InputError,
  type Kernels,
  loadModel,
  type Model,
  openCheckpointFiles,
  parseSpec,
  planQuantization,
  quantizeCheckpoint,
  selectKernels,
} from "../src/index.ts";
import { type Inspection, inspectMatrix } from "./inspect.ts";
import type { ModelFacts } from "./page.ts";

interface OnModel {
  /** Its number in the server's list. */
  readonly model: number;
  readonly facts: ModelFacts;
}

/** What the page may ask. */
export type WorkerRequest =
  | ({
      readonly kind: "write";
      readonly spec: string;
      readonly prompt: string;
      readonly maxTokens: number;
      readonly temperature: number;
      readonly seed: number;
    } & OnModel)
  | ({ readonly kind: "list" } & OnModel)
  | ({ readonly kind: "inspect"; readonly spec: string; readonly matrix: string } & OnModel);

/** What the worker says: progress and text as they come, one of the others at the end. */
export type WorkerReply =
  | { readonly kind: "progress"; readonly note: string }
  | { readonly kind: "text"; readonly text: string; readonly tokens: number; readonly tokensPerSecond: number | null }
  | {
      readonly kind: "written";
      readonly tokens: number;
      readonly tokensPerSecond: number | null;
      readonly kernels: string;
      readonly threads: number;
      readonly bits: number;
      readonly bitsPerParameter: number;
    }
  | { readonly kind: "listed"; readonly matrices: readonly string[] }
  | { readonly kind: "inspected"; readonly inspection: Inspection }
  | { readonly kind: "failed"; readonly reason: string };

type Report = (reply: WorkerReply) => void;

/** Larger models are not brought into a page. */
const maxBytes = 2 ** 31;

let checkpoint: { readonly model: number; readonly opened: Checkpoint } | undefined;
let loaded:
  | { readonly key: string; readonly model: Model; readonly bits: number; readonly parameters: number }
  | undefined;
let kernels: Kernels | undefined;
let isStopped = false;

async function openModel({ model, facts }: OnModel, report: Report): Promise<Checkpoint> {
  if (checkpoint?.model === model) return checkpoint.opened;
  if (facts.bytes > maxBytes) throw new InputError(`${facts.name} is too large for a page: more than 2 GiB.`);
  const files = new Map<string, Uint8Array>();
  let [done, note] = [0, ""];
  for (const [name, bytes] of Object.entries(facts.files)) {
    const response = await fetch(`/models/${model}/${encodeURIComponent(name)}`);
    if (!response.ok) throw new InputError(`${name} of ${facts.name} could not be fetched: ${await response.text()}`);
    files.set(name, new Uint8Array(await response.arrayBuffer()));
    done += bytes;
    note = `Fetching ${facts.name}: ${Math.round((100 * done) / facts.bytes)} %`;
    report({ kind: "progress", note });
  }
  checkpoint = { model, opened: await openCheckpointFiles(files, facts.name) };
  return checkpoint.opened;
}

async function prepareModel(request: OnModel & { readonly spec: string }, report: Report) {
  const spec = parseSpec(request.spec.trim());
  const key = `${request.model} ${request.spec.trim()}`;
  if (loaded?.key === key) return loaded;
  const stored = await openModel(request, report);
  report({ kind: "progress", note: `Quantizing to ${request.spec.trim()} ..` });
  kernels ??= await selectKernels({ name: "wasm", startThread });
  await loaded?.model.close();
  loaded = undefined;
  const view = quantizeCheckpoint(stored, spec);
  const model = await loadModel(view, kernels);
  const { total } = await countBits(view);
  loaded = { key, model, bits: total, parameters: countParameters(view).parameters };
  return loaded;
}

async function write(request: WorkerRequest & { readonly kind: "write" }, report: Report): Promise<WorkerReply> {
  const { model, bits, parameters } = await prepareModel(request, report);
  const begin = model.bosToken ?? model.eosToken;
  const encoded = model.encode(request.prompt, "default");
  const prompt = encoded.length === 0 && begin !== undefined ? [begin] : encoded;
  const stream = createTextStream(model.decode, request.prompt === "" ? [] : prompt);
  const { maxTokens, temperature, seed } = request;
  let [tokens, text, started, told] = [0, "", 0, 0];
  // The first token needs the whole prompt; the speed is that of all others.
  const speed = () => (tokens > 1 ? ((tokens - 1) / (performance.now() - started)) * 1000 : null);
  for await (const token of model.generate(prompt, { maxTokens, temperature, seed })) {
    if (tokens++ === 0) started = performance.now();
    text += stream.push(token);
    if (performance.now() - told < 33) continue;
    report({ kind: "text", text, tokens, tokensPerSecond: speed() });
    text = "";
    await takeMessages();
    if (isStopped) break;
    told = performance.now();
  }
  const tokensPerSecond = speed();
  report({ kind: "text", text: text + stream.finish(), tokens, tokensPerSecond });
  const facts = {
    kernels: model.kernels.name,
    threads: model.kernels.threads,
    bits,
    bitsPerParameter: bits / parameters,
  };
  return { kind: "written", tokens, tokensPerSecond, ...facts };
}

async function answer(request: WorkerRequest, report: Report): Promise<WorkerReply> {
  if (request.kind === "write") return write(request, report);
  const opened = await openModel(request, report);
  if (request.kind === "list") {
    const matrices = planQuantization(opened, opened.spec ?? parseSpec("int4:b64"));
    return { kind: "listed", matrices: matrices.map(({ role }) => role.name) };
  }
  const spec = parseSpec(request.spec.trim());
  return { kind: "inspected", inspection: await inspectMatrix(opened, spec, request.matrix) };
}

// A thread of the kernels, from a file of this server: the page's policy allows no others.
function startThread(start: object) {
  const thread = new Worker("/thread.js", { type: "module" });
  thread.postMessage(start);
  return { end: async () => thread.terminate() };
}

/** Lets messages in that have come; setTimeout would wait four milliseconds. */
function takeMessages(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

let before: Promise<unknown> = Promise.resolve();
addEventListener(
  "message",
  ({ data }: MessageEvent<(WorkerRequest & { readonly id: number }) | { readonly kind: "stop" }>) => {
    if (data.kind === "stop") {
      isStopped = true;
      return;
    }
    const report = (reply: WorkerReply) => postMessage({ ...reply, id: data.id });
    before = before.then(async () => {
      isStopped = false;
      try {
        report(await answer(data, report));
      } catch (error) {
        report({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
      }
    });
  },
);
