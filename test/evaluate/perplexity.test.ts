import { expect, test } from "vitest";
import { fitConvention, parseConvention } from "../../src/evaluate/conventions.ts";
import { listPerplexityDocuments, listPerplexityMetrics, measurePerplexity } from "../../src/evaluate/perplexity.ts";
import { InputError } from "../../src/input-error.ts";
import { createFakeModel, fakeLogProb } from "./fake-model.ts";

const text = "In 1843 she wrote: é is a letter — € is none.";
const bytes = [...new TextEncoder().encode(text)];

/** The mean over the token indices chosen, of the tokens with the beginning-of-text token in front. */
function average(chosen: (index: number) => boolean, tokens: readonly number[] = [256, ...bytes]): number {
  const values = tokens.map((token, i) => (i > 0 && chosen(i) ? -fakeLogProb(tokens[i - 1], token) : Number.NaN));
  const kept = values.filter((value) => !Number.isNaN(value));
  return kept.reduce((a, b) => a + b, 0) / kept.length;
}

test("windows of the model's length by default, special tokens once, first tokens unscored", async () => {
  const model = createFakeModel();
  const result = await measurePerplexity(model, text);
  expect(result.convention).toBe("windows-16-stride-16");
  expect(result.nll).toBeCloseTo(
    average((i) => i % 16 !== 0),
    12,
  );
  expect(result.perplexity).toBe(Math.exp(result.nll));
  const total = bytes.length + 1;
  expect(result.tokens).toBe(total - Math.ceil(total / 16));
  expect(result.windows.reduce((sum, window) => sum + window.nll, 0) / result.tokens).toBeCloseTo(result.nll, 12);
  expect(model.calls[0][0].context).toEqual([256]);
});

test("no window is longer than 2048 by default", async () => {
  const model = createFakeModel({ maxLength: 4096 });
  expect((await measurePerplexity(model, "ab".repeat(3000))).convention).toBe("windows-2048-stride-2048");
});

test("an overlapping stride scores every token but the first", async () => {
  const result = await measurePerplexity(createFakeModel(), text, { window: 10, stride: 3 });
  expect(result.convention).toBe("windows-10-stride-3");
  expect(result.tokens).toBe(bytes.length);
  expect(result.nll).toBeCloseTo(
    average(() => true),
    12,
  );
});

test("windows-bos score every token, each window after the beginning-of-text token", async () => {
  const model = createFakeModel();
  const result = await measurePerplexity(model, text, { convention: "windows-bos", window: 9 });
  expect(result.convention).toBe("windows-bos-9-stride-8");
  expect(result.tokens).toBe(bytes.length);
  const previous = bytes.map((_, i) => (i % 8 === 0 ? 256 : bytes[i - 1]));
  const total = bytes.reduce((sum, token, i) => sum - fakeLogProb(previous[i], token), 0);
  expect(result.nll).toBeCloseTo(total / bytes.length, 12);
  expect(result.bytes).toBe(bytes.length);
  expect(model.calls[0].every(({ context }) => context[0] === 256)).toBe(true);
  const overlapping = await measurePerplexity(createFakeModel(), text, { convention: "windows-bos", stride: 4 });
  expect([overlapping.convention, overlapping.tokens]).toEqual(["windows-bos-16-stride-4", bytes.length]);
  const without = createFakeModel({ bosToken: undefined });
  await expect(measurePerplexity(without, text, { convention: "windows-bos" })).rejects.toThrow(
    "fake has no beginning-of-text token for windows-bos.",
  );
  await expect(measurePerplexity(model, text, { convention: "windows-bos", window: 9, stride: 9 })).rejects.toThrow(
    "The stride 9 is more than 8, what a window holds",
  );
});

test("bits per byte count the bytes that the scored tokens spell", async () => {
  const ascii = "a plain text of forty ASCII characters..";
  const result = await measurePerplexity(createFakeModel(), ascii);
  // 41 tokens in three windows: the first ones are the beginning of text, byte 15 and byte 31.
  expect(result.bytes).toBe(38);
  expect(result.bitsPerByte).toBeCloseTo((result.nll * result.tokens) / (38 * Math.LN2), 12);
  const whole = await measurePerplexity(createFakeModel(), text, { stride: 1 });
  expect(whole.bytes).toBe(bytes.length);
});

test("limit takes the first windows and reads no more of the text than it needs", async () => {
  const long = text.repeat(400);
  let longest = 0;
  const model = createFakeModel();
  const counted = createFakeModel({
    encode: (part, special) => {
      longest = Math.max(longest, part.length);
      return model.encode(part, special);
    },
  });
  for (const convention of ["windows", "windows-bos", "gptq", "llama.cpp", "rolling"] as const) {
    longest = 0;
    const all = await measurePerplexity(model, long, { convention });
    const some = await measurePerplexity(counted, long, { convention, limit: 3 });
    expect(some.windows).toEqual(all.windows.slice(0, 3));
    expect(some.convention).toBe(all.convention);
    expect(longest).toBeLessThan(long.length / 2);
  }
});

test("rolling scores each token once after the prefix and divides by words and bytes", async () => {
  const plain = createFakeModel();
  const result = await measurePerplexity(plain, text, { convention: "rolling", profile: "0.3" });
  expect(result.convention).toBe("rolling-16-lm-eval-0.3");
  expect(result.tokens).toBe(bytes.length);
  const nll = average(() => true, [257, ...bytes]);
  expect(result.nll).toBeCloseTo(nll, 12);
  expect(result.bytes).toBe(bytes.length);
  expect(result.wordPerplexity).toBeCloseTo(Math.exp((nll * bytes.length) / text.split(" ").length), 6);
  expect(result.bytePerplexity).toBeCloseTo(Math.exp(nll), 10);
  // The newest lm-eval predicts the tokenizer's own first token too.
  const newest = await measurePerplexity(plain, text, { convention: "rolling" });
  expect(newest.tokens).toBe(bytes.length + 1);
  expect(newest.nll).toBeCloseTo(
    average(() => true, [256, 256, ...bytes]),
    12,
  );
  // A part of the text has no words of its own.
  const part = await measurePerplexity(plain, text, { convention: "rolling", limit: 1 });
  expect(part.wordPerplexity).toBeUndefined();
});

test("gptq and llama.cpp score what they are known to score", async () => {
  const tokens = [256, ...bytes];
  const gptq = await measurePerplexity(createFakeModel(), text, { convention: "gptq", window: 8 });
  const whole = tokens.length - (tokens.length % 8);
  expect(gptq.convention).toBe("gptq-8");
  expect(gptq.nll).toBeCloseTo(
    average((i) => i < whole && i % 8 !== 0),
    12,
  );
  const llama = await measurePerplexity(createFakeModel(), text, { convention: "llama.cpp", window: 8 });
  expect(llama.convention).toBe("llama.cpp-8");
  expect(llama.tokens).toBe(3 * Math.floor(tokens.length / 8));
  expect(llama.nll).toBeCloseTo(
    average((i) => i < whole && i % 8 > 4),
    12,
  );
});

test("the standard error is that of a ratio over windows, and over tokens for llama.cpp", async () => {
  const result = await measurePerplexity(createFakeModel(), text);
  const count = result.windows.length;
  const squares = result.windows.map(({ nll, tokens }) => (nll - result.nll * tokens) ** 2).reduce((a, b) => a + b, 0);
  expect(result.standardError).toBeCloseTo(Math.sqrt((squares * count) / (count - 1)) / result.tokens, 12);
  const metrics = listPerplexityMetrics(result);
  expect(metrics["perplexity"].standardError).toBeCloseTo(result.perplexity * result.standardError!, 12);
  expect(metrics["bitsPerByte"].value).toBe(result.bitsPerByte);
  expect((await measurePerplexity(createFakeModel(), "abc")).standardError).toBeUndefined();
  const llama = await measurePerplexity(createFakeModel(), text, { convention: "llama.cpp", window: 8 });
  expect(llama.standardError).toBeGreaterThan(0);
});

test.each([
  ["", {}, /text is empty/],
  ["a", { convention: "gptq" }, /too short.*gptq-16.*window of 16 tokens/],
  ["a short text", { convention: "llama.cpp" }, /13 tokens.*two windows of 16/],
  [text, { window: 17 }, /window 17 is more than 16, the maximum length of fake/],
  [text, { window: 1 }, /window 1 is not a whole number of at least 2/],
  [text, { window: 8, stride: 9 }, /stride 9 is more than 8/],
  [text, { stride: 0 }, /stride 0/],
  [text, { stride: 4, convention: "rolling" }, /rolling has no stride/],
  [text, { limit: 0 }, /limit 0/],
  [text, { convention: "window" }, /no convention "window"; did you mean "windows"/],
  [text, { convention: "rolling", profile: "0.4.9" }, /no profile "0.4.9"; did you mean "lm-eval-/],
])("%j with %j is refused in one sentence", async (input, options, message) => {
  const attempt = measurePerplexity(createFakeModel(), input, options as object);
  await expect(attempt).rejects.toThrow(InputError);
  await expect(attempt).rejects.toThrow(message as RegExp);
});

test("a convention's name says it with its numbers, and no other name does", () => {
  for (const choice of [
    { convention: "windows", window: 256, stride: 128 },
    { convention: "windows-bos", window: 64, stride: 63 },
    { convention: "gptq", window: 2048 },
    { convention: "llama.cpp", window: 512 },
    { convention: "rolling", window: 32, profile: "lm-eval-0.4.9.2" },
  ] as const)
    expect(parseConvention(fitConvention(choice, 4096).name)).toEqual(choice);
  for (const name of ["", "windows-64", "gptq-64-stride-64", "rolling-64", "batch-8-context-64", "lm-eval-0.4.9.2"])
    expect(parseConvention(name)).toBeNull();
});

test("a text of one token makes no window", async () => {
  const model = createFakeModel({ encode: (part) => [...part].map(() => 1) });
  await expect(measurePerplexity(model, "a")).rejects.toThrow(/too short/);
});

test("a model that gives NaN is named, not averaged", async () => {
  const model = createFakeModel({
    score: async (requests) =>
      requests.map((request) =>
        request.continuations.map((tokens) => ({
          logProbs: new Float32Array(tokens.length).fill(Number.NaN),
          greedy: false,
        })),
      ),
  });
  await expect(measurePerplexity(model, text)).rejects.toThrow(/fake gives .* window 1 of the text/);
});

test("the documents of a text are its windows", async () => {
  const result = await measurePerplexity(createFakeModel(), text, { window: 10 });
  const { values, weights } = listPerplexityDocuments(result)["nll"];
  expect(values).toHaveLength(result.windows.length);
  const total = (list: Float32Array) => list.reduce((sum, value) => sum + value, 0);
  expect(total(weights!)).toBe(result.tokens);
  expect(total(values) / total(weights!)).toBeCloseTo(result.nll, 6);
});
