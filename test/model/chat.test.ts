// Chat templates from where checkpoints keep them. The first is SmolLM2's own (Apache-2.0); what it writes is what
// transformers' apply_chat_template gives.

import { expect, test } from "vitest";
import { type ChatMessage, loadChatTemplate } from "../../src/model/chat.ts";
import { alterCheckpoint, openFixture } from "./open.ts";

const smollm2 =
  "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const strict =
  "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}{{ bos_token }}{{ messages[0].content }}";

async function load(settings: object, file?: string) {
  const base = await openFixture("test/fixtures/architectures/llama");
  const texts = new Map([
    ["tokenizer_config.json", JSON.stringify(settings)],
    ...(file === undefined ? [] : [["chat_template.jinja", file] as const]),
  ]);
  return loadChatTemplate(alterCheckpoint(base, { readText: async (name) => texts.get(name) }));
}
const user = (content: string): ChatMessage => ({ role: "user", content });

test("SmolLM2's template writes what it was trained on", async () => {
  const template = await load({ chat_template: smollm2 });
  expect(template.format([user("Hi")])).toBe(
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
  );
  expect(template.format([{ role: "system", content: "Be brief." }, user("Hi")])).toBe(
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
  );
});

test("a file of its own comes first, of a list the default counts, tokens may be objects", async () => {
  expect((await load({ chat_template: "no" }, "{{ messages[0].content }}!")).format([user("a")])).toBe("a!");
  const list = [
    { name: "tool_use", template: "no" },
    { name: "default", template: strict },
  ];
  expect((await load({ chat_template: list, bos_token: { content: "<s>" } })).format([user("a")])).toBe("<s>a");
});

test("no template, a broken one, and one that refuses are told in a sentence", async () => {
  await expect(load({})).rejects.toThrow("altered has no chat template");
  await expect(load({ chat_template: "{% for" })).rejects.toThrow("its chat template fails");
  const template = await load({ chat_template: strict });
  expect(() => template.format([{ role: "system", content: "x" }])).toThrow("its chat template fails: no system here.");
});
