// Chat templates: messages to the text that a chat model was trained on, by the Jinja template that came with it.
// A template is a program by a stranger, which may loop for ever or fill the memory: it runs in a process of its own
// (chat-render-node.ts) with limits of time, memory and output.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";
import type { RenderAnswer, RenderJob } from "./chat-render-node.ts";

/** A message of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Formats conversations for one model. */
export interface ChatTemplate {
  /**
   * The text up to where the model answers; special tokens are written out in it.
   *
   * @throws InputError if the template is broken, does not take these messages, or exceeds a limit
   */
  format(messages: readonly ChatMessage[]): Promise<string>;
}

/** What a template may use. */
export interface TemplateLimits {
  readonly seconds: number;
  /** Of what it writes, as JSON. */
  readonly bytes: number;
  readonly megabytes: number;
}

const usualLimits: TemplateLimits = { seconds: 10, bytes: 4_000_000, megabytes: 256 };

/**
 * The chat template of a checkpoint: `chat_template.jinja`, or `chat_template` of tokenizer_config.json.
 *
 * @throws InputError if there is none
 */
export async function loadChatTemplate(checkpoint: Checkpoint, limits = usualLimits): Promise<ChatTemplate> {
  const { source } = checkpoint;
  const settings = parseSettings(await checkpoint.readText("tokenizer_config.json"));
  const text = (await checkpoint.readText("chat_template.jinja")) ?? findTemplate(settings["chat_template"]);
  if (text === undefined) {
    throw new InputError(`${source} has no chat template: it was not trained to chat; leave out --chat.`);
  }
  const tokens = { bos_token: textOf(settings["bos_token"]), eos_token: textOf(settings["eos_token"]) };
  return {
    async format(messages) {
      const variables = { messages, add_generation_prompt: true, ...tokens };
      const answer = await render({ template: text, variables }, limits);
      if ("text" in answer) return answer.text;
      throw new InputError(`${source}: its chat template fails: ${answer.reason.replace(/\.?$/, ".")}`);
    },
  };
}

// Beside this file, as TypeScript in the sources and as JavaScript in the package.
const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
const program = fileURLToPath(new URL(`./chat-render-node.${ending}`, import.meta.url));

/** Renders in a process that is ended at the limits. */
function render(job: RenderJob, { seconds, bytes, megabytes }: TemplateLimits): Promise<RenderAnswer> {
  return new Promise((resolve) => {
    const settings = { timeout: 1000 * seconds, killSignal: "SIGKILL", maxBuffer: bytes, env: {} } as const;
    const args = [`--max-old-space-size=${megabytes}`, program];
    const child = execFile(process.execPath, args, settings, (error, stdout, stderr) => {
      if (!error) return resolve(JSON.parse(stdout));
      if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
        return resolve({ reason: `it writes more than ${bytes} bytes for this conversation` });
      }
      if (error.killed) return resolve({ reason: `it does not end within ${seconds} seconds` });
      // V8 aborts when its heap is full: by a signal, or with the code of one where there are none.
      if (error.signal || error.code === 134)
        return resolve({ reason: `it needs more than ${megabytes} MB of memory` });
      resolve({ reason: `it cannot be run (${/^\w*Error.*/m.exec(stderr)?.[0] ?? error.message})` });
    });
    child.stdin!.on("error", () => {}); // a process that ended early says so above
    child.stdin!.end(JSON.stringify(job));
  });
}

/** loadTokenizer has refused what is not JSON by now. */
function parseSettings(text: string | undefined): Record<string, unknown> {
  return text === undefined ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** A template, or a list of them by name, of which the default counts. */
function findTemplate(field: unknown): string | undefined {
  if (typeof field === "string") return field;
  if (!Array.isArray(field)) return undefined;
  const named = field.find((item) => item?.name === "default");
  return typeof named?.template === "string" ? named.template : undefined;
}

function textOf(token: unknown): string {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : "";
}
