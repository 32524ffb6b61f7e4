// Chat templates from where checkpoints keep them. The first is SmolLM2's own (Apache-2.0); what it writes is what
// transformers' apply_chat_template gives.

import { expect, test } from "vitest";
import { type ChatMessage, loadChatTemplate, type TemplateLimits } from "../../src/model/chat-node.ts";
import { alterCheckpoint, openFixture } from "./open.ts";

const smollm2 =
  "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const strict =
  "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}{{ bos_token }}{{ messages[0].content }}";

async function load(settings: object, file?: string, limits?: TemplateLimits) {
  const base = await openFixture("test/fixtures/architectures/llama");
  const texts = new Map([
    ["tokenizer_config.json", JSON.stringify(settings)],
    ...(file === undefined ? [] : [["chat_template.jinja", file] as const]),
  ]);
  return loadChatTemplate(alterCheckpoint(base, { readText: async (name) => texts.get(name) }), limits);
}
const user = (content: string): ChatMessage => ({ role: "user", content });

test("SmolLM2's template writes what it was trained on", async () => {
  const template = await load({ chat_template: smollm2 });
  expect(await template.format([user("Hi")])).toBe(
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
  );
  expect(await template.format([{ role: "system", content: "Be brief." }, user("Hi")])).toBe(
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
  );
});

test("a file of its own comes first, of a list the default counts, tokens may be objects", async () => {
  expect(await (await load({ chat_template: "no" }, "{{ messages[0].content }}!")).format([user("a")])).toBe("a!");
  const list = [
    { name: "tool_use", template: "no" },
    { name: "default", template: strict },
  ];
  expect(await (await load({ chat_template: list, bos_token: { content: "<s>" } })).format([user("a")])).toBe("<s>a");
});

test("no template, a broken one, and one that refuses are told in a sentence", async () => {
  await expect(load({})).rejects.toThrow("altered has no chat template");
  const broken = await load({ chat_template: "{% for" });
  await expect(broken.format([user("a")])).rejects.toThrow("its chat template fails");
  const template = await load({ chat_template: strict });
  const refused = template.format([{ role: "system", content: "x" }]);
  await expect(refused).rejects.toThrow("its chat template fails: no system here.");
});

test("where no process can be started, that is told, not memory", async () => {
  const template = await load({ chat_template: strict });
  const { execPath } = process;
  process.execPath = "/nowhere/node";
  try {
    await expect(template.format([user("a")])).rejects.toThrow(/it cannot be run \(spawn \/nowhere\/node ENOENT\)\.$/);
  } finally {
    process.execPath = execPath;
  }
});

// Templates are programs by strangers.
const loops = (depth: number, inside: string) =>
  `${"{% for i in range(1000) %}".repeat(depth)}${inside}${"{% endfor %}".repeat(depth)}`;
const hostile: Record<string, { text: string; message: string | RegExp; seconds?: number }> = {
  "loops for ever": { text: loops(6, ""), message: "it does not end within 1 seconds", seconds: 1 },
  "writes for ever": { text: loops(6, "aaaaaaaa"), message: /does not end|more than 48 MB/, seconds: 3 },
  "writes too much": { text: loops(1, "a".repeat(200)), message: "it writes more than 100000 bytes" },
  "doubles a list": {
    text: `{% set n = namespace(x=[1, 1]) %}${loops(1, "{% set n.x = n.x + n.x %}")}`,
    message: /more than 48 MB/,
  },
  "asks for a huge range": { text: "{% for i in range(4000000000) %}{% endfor %}", message: /more than 48 MB/ },
  "nests without end": { text: `{{ ${"(".repeat(200_000)}1${")".repeat(200_000)} }}`, message: "fails" },
};

test.for(Object.entries(hostile))(
  "a template that %s is ended and told",
  async ([, { text, message, seconds = 60 }]) => {
    const template = await load({ chat_template: text }, undefined, { seconds, bytes: 100_000, megabytes: 48 });
    await expect(template.format([user("a")])).rejects.toThrow(message);
  },
  60_000,
);
