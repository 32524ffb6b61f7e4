// Chat templates: messages to the text that a chat model was trained on, by the Jinja template that came with it
// (through @huggingface/jinja).

import { Template } from "@huggingface/jinja";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";

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
   * @throws InputError if the template does not take these messages
   */
  format(messages: readonly ChatMessage[]): string;
}

/**
 * The chat template of a checkpoint: `chat_template.jinja`, or `chat_template` of tokenizer_config.json.
 *
 * @throws InputError if there is none, or it is no template
 */
export async function loadChatTemplate(checkpoint: Checkpoint): Promise<ChatTemplate> {
  const { source } = checkpoint;
  const settings = parseSettings(await checkpoint.readText("tokenizer_config.json"));
  const text = (await checkpoint.readText("chat_template.jinja")) ?? findTemplate(settings["chat_template"]);
  if (text === undefined) {
    throw new InputError(`${source} has no chat template: it was not trained to chat; leave out --chat.`);
  }
  const tokens = { bos_token: textOf(settings["bos_token"]), eos_token: textOf(settings["eos_token"]) };
  const explain = (error: unknown) =>
    new InputError(`${source}: its chat template fails: ${(error as Error).message}.`);
  let template: Template;
  try {
    template = new Template(text);
  } catch (error) {
    throw explain(error);
  }
  return {
    format(messages) {
      try {
        return template.render({ messages, add_generation_prompt: true, ...tokens });
      } catch (error) {
        throw explain(error);
      }
    },
  };
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
