// kbit generate: text from a model at a spec, streamed as it is written.

import type { Command } from "commander";
import { InputError } from "../input-error.ts";
import { loadChatTemplate } from "../model/chat-node.ts";
import { checkGenerateOptions, type GenerateOptions } from "../model/generate.ts";
import type { Model } from "../model/model.ts";
import { createTextStream } from "../model/text-stream.ts";
import { type ModelOptions, type OpenModel, openModel, parseCompute, parseWhole } from "./open-model.ts";
import { paint, printJson, printNote } from "./terminal.ts";

interface GenerateCommandOptions extends ModelOptions, GenerateOptions {
  readonly prompt: string;
  readonly chat?: boolean;
  readonly system?: string;
  readonly json?: boolean;
}

/** Adds `kbit generate`. */
export function addGenerateCommand(program: Command): void {
  program
    .command("generate")
    .description("Write text with a model: greedy, or sampled with --temperature.")
    .argument("<model>", "a folder, a weight file, or a Hub id")
    .option("--spec <spec>", "quantize to this first, such as int4:b64 (default: the weights as stored)")
    .option("--prompt <text>", "what the text begins with (default: nothing)", "")
    .option("--chat", "give the prompt as a message, by the model's chat template, and show the answer")
    .option("--system <text>", "with --chat: the message that comes before")
    .option("--max-tokens <n>", "most tokens to write", parseWhole("--max-tokens"), 256)
    .option("--temperature <t>", "0: always the most likely token; 1: by probability", parseNumber("--temperature"), 0)
    .option("--top-k <k>", "only the k most likely tokens", parseWhole("--top-k"))
    .option("--top-p <p>", "only the most likely tokens that reach p together", parseNumber("--top-p"))
    .option("--min-p <p>", "only tokens at least p times as likely as the most likely", parseNumber("--min-p"))
    .option("--repetition-penalty <x>", "above 1: less of what was written before", parseNumber("--repetition-penalty"))
    .option("--seed <n>", "equal seeds give equal text", parseNumber("--seed"), 0)
    .option("--kernels <name>", "kernel set (default: the fastest)")
    .option("--compute <type>", "type of the products: float32 (default) or bfloat16", parseCompute)
    .option("--threads <n>", "threads (default: all cores)", parseWhole("--threads"))
    .option("--allow-nonfinite", "load weights that are NaN or infinite")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit generate models/books/books-1.7m --prompt "It was a dark night" --spec float4:e2:b64
  kbit generate MODEL --prompt "Once" --temperature 0.8 --top-p 0.95 --seed 7
  kbit generate MODEL.gguf --chat --prompt "What is the capital of France?"`,
    )
    .action(runGenerate);
}

async function runGenerate(path: string, options: GenerateCommandOptions): Promise<void> {
  checkGenerateOptions(options, flagOf);
  if (options.system !== undefined && !options.chat) throw new InputError("--system belongs to --chat.");
  const unused = (["topK", "topP", "minP"] as const).filter((name) => options[name] !== undefined).map(flagOf);
  if (!options.temperature && unused.length > 0) {
    const does = unused.length === 1 ? "does" : "do";
    printNote(`Note: ${unused.join(" and ")} ${does} nothing at temperature 0; give --temperature too.`);
  }
  const opened = await openModel(path, options);
  try {
    const { model, spec } = opened;
    const prompt = options.chat ? await encodeChat(opened, options) : encodePrompt(model, options.prompt);
    const show = (text: string) => {
      if (!options.json) process.stdout.write(text);
    };
    const written = await write(model, prompt, options, show);
    const speed = written.tokens.length > 1 ? (written.tokens.length - 1) / written.seconds : undefined;
    if (options.json) {
      const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed } = options;
      const sampling = { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed };
      const { text, tokens } = written;
      const facts = { model: model.name, spec, kernels: model.kernels.name, computeType: model.kernels.computeType };
      printJson({
        ...facts,
        prompt: options.prompt,
        text,
        tokens,
        promptTokens: prompt.length,
        sampling,
        tokensPerSecond: speed ?? null,
      });
    } else {
      process.stdout.write("\n");
      const rate = speed === undefined ? "" : `, ${speed.toFixed(speed < 10 ? 1 : 0)} tokens/s`;
      printNote(
        `${written.tokens.length} tokens after ${prompt.length} of prompt${rate} (${spec}, ${model.kernels.name})`,
      );
    }
  } finally {
    await opened.close();
  }
}

/** The prompt as the tokenizer would begin a text; an empty one begins with the beginning (or end) token. */
function encodePrompt(model: Model, text: string): number[] {
  const tokens = model.encode(text, "default");
  const first = model.bosToken ?? model.eosToken;
  return tokens.length === 0 && first !== undefined ? [first] : tokens;
}

/** The conversation as the model's template writes it, special tokens included. */
async function encodeChat({ model, checkpoint }: OpenModel, options: GenerateCommandOptions): Promise<number[]> {
  const template = await loadChatTemplate(checkpoint);
  const system = options.system === undefined ? [] : [{ role: "system", content: options.system } as const];
  return model.encode(await template.format([...system, { role: "user", content: options.prompt }]), "none");
}

/** Writes on behind the prompt; `seconds` are those after the first token. */
async function write(model: Model, prompt: number[], options: GenerateCommandOptions, show: (text: string) => void) {
  const isAlone = options.chat || options.prompt === "";
  const stream = createTextStream(model.decode, isAlone ? [] : prompt);
  const tokens: number[] = [];
  let text = "";
  const add = (piece: string) => {
    text += piece;
    show(piece);
  };
  let start = performance.now();
  for await (const token of model.generate(prompt, options)) {
    if (tokens.length === 0) {
      if (!options.chat) show(paint("dim", options.prompt)); // only now: a prompt that is refused is not repeated
      start = performance.now();
    }
    tokens.push(token);
    add(stream.push(token));
  }
  const seconds = (performance.now() - start) / 1000;
  add(stream.finish());
  return { tokens, text, seconds };
}

/** `topP` as `--top-p`. */
function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function parseNumber(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value)) return value;
    throw new InputError(`${option} takes a number, not "${text}".`);
  };
}
