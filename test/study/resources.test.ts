// What experiments share: opened and encoded once, and refused when it is not what was planned.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { planStudy } from "../../src/study/plan.ts";
import { createResources } from "../../src/study/resources.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kbit-resources-"));
afterAll(() => rmSync(folder, { recursive: true }));
const model = join(folder, "model");
cpSync(join(books, "books-0.2m"), model, { recursive: true });
const text = join(folder, "text.txt");
writeFileSync(text, "Plain text.");

const plan = async () => {
  const study = createStudy({ models: [model], specs: ["fp16"], text, limit: 1 });
  return (await planStudy(study, { openCheckpoint, computeType: "float32" })).experiments[0];
};

test("a checkpoint is opened once, and models of one tokenizer share what they encode", async () => {
  const resources = createResources(createReferenceKernels());
  const { key } = await plan();
  const checkpoint = await resources.openCheckpoint(model, key);
  expect(await resources.openCheckpoint(model, key)).toBe(checkpoint);
  const first = await resources.loadModel(checkpoint, key.tokenizerHash);
  const second = await resources.loadModel(quantizeCheckpoint(checkpoint, parseSpec("int4")), key.tokenizerHash);
  const other = await resources.loadModel(checkpoint, "another tokenizer");
  const tokens = first.encode("It was a bright cold day.");
  expect(first.decode(tokens)).toBe("It was a bright cold day.");
  expect(second.encode("It was a bright cold day.")).toBe(tokens);
  expect(other.encode("It was a bright cold day.")).not.toBe(tokens);
  expect(second.encode("It was a bright cold day.", "default")).not.toBe(tokens);
  for (const loaded of [first, second, other]) await loaded.close();
});

test("a model or a text that was changed after the plan is refused", async () => {
  const resources = createResources(createReferenceKernels());
  const { key } = await plan();
  expect(await resources.readData(text, key.dataHash)).toBe("Plain text.");
  const config = readFileSync(join(model, "config.json"), "utf8");
  writeFileSync(join(model, "config.json"), config.replace('"rotary_pct": 0.25', '"rotary_pct": 0.5'));
  writeFileSync(text, "Other text.");
  await expect(resources.openCheckpoint(model, key)).rejects.toThrow(/model was changed while the study ran/);
  await expect(createResources(createReferenceKernels()).readData(text, key.dataHash)).rejects.toThrow(
    /text\.txt was changed while the study ran/,
  );
  writeFileSync(join(model, "config.json"), config);
  await expect(resources.openCheckpoint(model, key)).resolves.toBeDefined();
});

test("a text that is not UTF-8 is refused", async () => {
  writeFileSync(text, Uint8Array.of(0x41, 0xff, 0xfe));
  const { key } = await plan();
  const resources = createResources(createReferenceKernels());
  await expect(resources.readData(text, key.dataHash)).rejects.toThrow(/text\.txt is not UTF-8 text; convert it\./);
});
