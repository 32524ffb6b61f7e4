import { expect, test } from "vitest";
import { indexOfLargest, listDocumentValues, scoreChoices, summarize } from "../../src/evaluate/metrics.ts";
import { createEncoder, findProfile } from "../../src/evaluate/profiles.ts";
import { summarizeAccuracy } from "../../src/evaluate/summary.ts";
import { formatTaskTable } from "../../src/evaluate/table.ts";
import { evaluateTask, type TaskResult } from "../../src/evaluate/task.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import { InputError } from "../../src/input-error.ts";
import pieces from "../fixtures/evaluate-pieces/pieces.json" with { type: "json" };
import { createFakeModel, fakeLogProb } from "./fake-model.ts";

const piqa = [
  { goal: "a", sol1: "x", sol2: "yé", label: 0 },
  { goal: "b", sol1: "zz", sol2: "w", label: 1 },
  { goal: "c", sol1: "q", sol2: "k", label: 1 },
];

function logLikelihood(before: number, text: string): number {
  const tokens = [before, ...new TextEncoder().encode(text)];
  return tokens.slice(1).reduce((total, token, i) => total + fakeLogProb(tokens[i], token), 0);
}

test("a choice task sums log-probabilities of each continuation and compares sums, code points and bytes", async () => {
  const model = createFakeModel({ maxLength: 64 });
  const result = await evaluateTask(model, tasks["piqa"], piqa, { profile: "0.4.0" });
  const expected = piqa.map(({ sol1, sol2 }) => [sol1, sol2].map((choice) => logLikelihood(58, ` ${choice}`)));
  result.documents.forEach((document, i) => {
    for (const [j, value] of document.logLikelihoods.entries()) expect(value).toBeCloseTo(expected[i][j], 10);
    expect(document.acc).toBe(indexOfLargest(expected[i]) === piqa[i].label ? 1 : 0);
  });
  const right = result.documents.map((document) => document.acc!);
  expect(result.metrics["acc"].value).toBeCloseTo(right.reduce((a, b) => a + b) / 3, 14);
  expect(result.metrics["acc"].n).toBe(3);
  expect(result.chance).toBe(0.5);
  expect(result.profile).toBe("lm-eval-0.4.0");
});

test("choices with one context become one request, whose context is computed once", async () => {
  const model = createFakeModel({ maxLength: 64 });
  await evaluateTask(model, tasks["piqa"], piqa);
  expect(model.calls).toHaveLength(1);
  expect(model.calls[0]).toHaveLength(3);
  expect(model.calls[0].map((request) => request.continuations.length)).toEqual([2, 2, 2]);
  const winogrande = [{ sentence: "A _ c", option1: "x", option2: "y", answer: "1" }];
  await evaluateTask(model, tasks["winogrande"], winogrande);
  expect(model.calls[1]).toHaveLength(2);
});

test("requests stand in the order of their contexts, so that what begins alike is neighbours; scores in that of documents", async () => {
  const sentences = ["The man saw when _ came.", "Birds _ sing.", "The man sat when _ left.", "Birds _ fly."];
  const documents = sentences.map((sentence) => ({ sentence, option1: "he", option2: "all", answer: "1" }));
  const model = createFakeModel({ maxLength: 99 });
  const all = await evaluateTask(model, tasks["winogrande"], documents);
  const [requests] = model.calls;
  const contexts = requests.map(({ context }) => new TextDecoder().decode(Uint8Array.from(context.slice(1))));
  expect(contexts).toEqual([
    "Birds all",
    "Birds he",
    "The man sat when all",
    "The man sat when he",
    "The man saw when all",
    "The man saw when he",
  ]);
  expect(requests[0].continuations).toHaveLength(2);
  const each: number[] = [];
  for (const document of documents) {
    const result = await evaluateTask(createFakeModel({ maxLength: 99 }), tasks["winogrande"], [document]);
    each.push(...result.documents[0].logLikelihoods);
  }
  expect(all.documents.flatMap(({ logLikelihoods }) => logLikelihoods)).toEqual(each);
});

test("too long a context loses tokens from the left, so that maxLength tokens are fed", async () => {
  const model = createFakeModel({ maxLength: 12 });
  await evaluateTask(model, tasks["piqa"], piqa.slice(0, 1), { profile: "0.3" });
  const [first, second] = model.calls[0];
  expect(new TextDecoder().decode(Uint8Array.from(first.context))).toBe(": a\nAnswer:");
  expect(first.context.length + first.continuations[0].length).toBe(13);
  expect(second.context.length + second.continuations[0].length).toBe(13);
});

test("a continuation longer than the model's window is scored in full, in rolling windows, and counted", async () => {
  const model = createFakeModel({ maxLength: 3 });
  const result = await evaluateTask(model, tasks["piqa"], piqa.slice(0, 1), { profile: "0.3" });
  const [first, second] = result.documents[0].logLikelihoods;
  expect(first).toBeCloseTo(logLikelihood(58, " x"), 10);
  expect(second).toBeCloseTo(logLikelihood(58, " yé"), 10);
  expect(result.overlong).toBe(1);
  expect((await evaluateTask(createFakeModel({ maxLength: 4 }), tasks["piqa"], piqa)).overlong).toBe(0);
});

test("a context or a continuation without tokens is refused by the number of its document", async () => {
  const noContext = createFakeModel({ encode: (text) => (text.startsWith("Question") ? [] : [1]) });
  const noContinuation = createFakeModel({ encode: () => [1, 2] });
  for (const [model, message] of [
    [noContext, /context of document 1 of piqa has no tokens/],
    [noContinuation, /continuation of document 1 of piqa has no tokens of its own/],
  ] as const) {
    const attempt = evaluateTask(model, tasks["piqa"], piqa);
    await expect(attempt).rejects.toThrow(InputError);
    await expect(attempt).rejects.toThrow(message);
  }
});

test("a limit takes the first documents, and none at all is an error", async () => {
  const model = createFakeModel({ maxLength: 64 });
  expect((await evaluateTask(model, tasks["piqa"], piqa, { limit: 2 })).documents).toHaveLength(2);
  await expect(evaluateTask(model, tasks["piqa"], [])).rejects.toThrow(/no documents/);
});

test("LAMBADA is right if every token is the arg max, and its perplexity is one a word", async () => {
  const model = createFakeModel({ maxLength: 64 });
  const documents = ["the cat sat", "a dog ran", "no"].map((text) => ({ text }));
  const result = await evaluateTask(model, tasks["lambada_openai"], documents, {
    profile: "0.4.0",
    bootstrapIterations: 1000,
  });
  const expected = [
    [116, " sat"],
    [103, " ran"],
    [257, " no"],
  ].map(([before, text]) => logLikelihood(before as number, text as string));
  const mean = expected.reduce((a, b) => a + b) / 3;
  expect(result.metrics["perplexity"].value).toBeCloseTo(Math.exp(-mean), 8);
  expect(result.metrics["perplexity"].standardError).toBeGreaterThan(0);
  expect(result.chance).toBe(0);
});

test("a rolling task sums windows into documents and divides by words and bytes of the page", async () => {
  const model = createFakeModel();
  const documents = [{ page: "A page , of more than sixteen bytes ." }, { page: "short" }];
  const result = await evaluateTask(model, tasks["wikitext"], documents, { profile: "0.3" });
  const total = logLikelihood(257, "A page, of more than sixteen bytes .") + logLikelihood(257, "short");
  expect(result.metrics["word_perplexity"].value).toBeCloseTo(Math.exp(-total / 10), 6);
  const perByte = total / (documents[0].page.length + 5);
  expect(result.metrics["byte_perplexity"].value).toBeCloseTo(Math.exp(-perByte), 8);
  expect(result.metrics["bits_per_byte"].value).toBeCloseTo(-perByte / Math.LN2, 8);
  expect(result.metrics["bits_per_byte"].standardError).toBeUndefined();
});

test("progress tells of encoding, scoring and resampling", async () => {
  const phases = new Set<string>();
  const onProgress = (phase: string) => phases.add(phase);
  await evaluateTask(createFakeModel(), tasks["lambada_openai"], [{ text: "a b" }, { text: "c d" }], {
    onProgress,
    bootstrapIterations: 1000,
  });
  expect([...phases]).toEqual(["encode", "score", "bootstrap"]);
});

test("ties go to the first choice", () => {
  expect(indexOfLargest([-2, -1, -1])).toBe(1);
  const scores = [-1, -1].map((logLikelihood) => ({ logLikelihood, greedy: false }));
  expect(scoreChoices(scores, ["é", "e"], 0)).toMatchObject({ acc: 1, acc_norm: 1, acc_bytes: 1 });
  expect(scoreChoices(scores, ["e", "😀"], 0)).toMatchObject({ acc_norm: 1, acc_bytes: 0 });
});

test("each metric is the weighted mean of its documents, a perplexity the exponential of that", async () => {
  const names = ["acc", "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte"] as const;
  const documents = [
    { logLikelihoods: [-3.5, -1], acc: 1, words: 2, bytes: 11 },
    { logLikelihoods: [-1.25], acc: 0, words: 3, bytes: 17 },
    { logLikelihoods: [-9], acc: 1, words: 7, bytes: 40 },
  ];
  const metrics = await summarize(names, documents, 0);
  const values = listDocumentValues(names, documents);
  for (const name of names) {
    const total = values[name].values.reduce((sum, value) => sum + value, 0);
    const mean = total / (values[name].weights?.reduce((sum, weight) => sum + weight, 0) ?? documents.length);
    expect(name.endsWith("perplexity") ? Math.exp(mean) : mean).toBeCloseTo(metrics[name].value, 6);
  }
});

test("weighted perplexities are lm-eval's", async () => {
  for (const [rows, perplexity, bits] of pieces.weighted as [number[][], number, number][]) {
    const documents = rows.map(([logLikelihood, bytes]) => ({ logLikelihoods: [logLikelihood], bytes, words: bytes }));
    const metrics = await summarize(["word_perplexity", "bits_per_byte"], documents, 0);
    expect(metrics["word_perplexity"].value).toBeCloseTo(perplexity, 10);
    expect(metrics["bits_per_byte"].value).toBeCloseTo(bits, 12);
  }
});

test.each([
  ["0.3", [..."cd: "], [..." x"]],
  ["0.4.0", [..."cd:"], [..."  x"]],
  ["0.4.9.2", ["<s>", ..."cd:"], [..."  x"]],
])("profile %s encodes a context that ends in a space in its own way", (name, context, continuation) => {
  const show = (tokens: readonly number[]) =>
    tokens.map((token) => (token === 256 ? "<s>" : String.fromCharCode(token)));
  const pair = createEncoder(createFakeModel(), findProfile(name)).encodePair("cd: ", " x");
  expect([show(pair.context), show(pair.continuation)]).toEqual([context, continuation]);
});

test("joint encoding cuts the whole at the length of the encoded context", () => {
  // A tokenizer that joins a space to what follows, and "s" to what stands before.
  const pieces = (text: string) => text.match(/ ?[^ ]+| /g) ?? [];
  const model = createFakeModel({ encode: (text) => pieces(text).map((piece) => piece.length) });
  const joint = createEncoder(model, findProfile("0.4.0"));
  expect(joint.encodePair("ab cd", "efg hi")).toEqual({ context: [2, 3], continuation: [3] });
  const separate = createEncoder(model, findProfile("0.3"));
  expect(separate.encodePair("ab cd", "efg hi")).toEqual({ context: [2, 3], continuation: [3, 3] });
});

test("a text without context follows the prefix token, which is not doubled where lm-eval does not double it", () => {
  const special = createFakeModel({
    encode: (text) => (text === "<s>x" ? [256, 120] : [...text].map((c) => c.charCodeAt(0))),
  });
  expect(createEncoder(special, findProfile("0.4.9.2")).encodePair("", "<s>x")).toEqual({
    context: [256],
    continuation: [120],
  });
  expect(createEncoder(special, findProfile("0.4.0")).encodePair("", "ab")).toEqual({
    context: [257],
    continuation: [97, 98],
  });
  const bare = createFakeModel({ bosToken: undefined, eosToken: undefined });
  expect(() => createEncoder(bare, findProfile()).encodePair("", "ab")).toThrow(
    /neither a beginning-of-text nor an end-of-text/,
  );
});

test("a text that spells the beginning-of-text token is given no second one", () => {
  const model = createFakeModel({ decode: () => "<s>" });
  const encoder = createEncoder(model, findProfile("0.4.9.2"));
  expect(encoder.encode("<s>a")[0]).toBe(60);
  expect(encoder.encode("a")[0]).toBe(256);
});

/** A result with the numbers of a row of lm-eval's own table. */
function makeResult(task: string, row: Record<string, unknown>): TaskResult {
  const names = Object.keys(row).filter((key) => key.endsWith(",none") && !key.includes("_stderr"));
  const metrics = names.map((key) => {
    const error = row[key.replace(",none", "_stderr,none")];
    return [
      key.slice(0, -5),
      { value: row[key] as number, standardError: error === "N/A" ? undefined : (error as number), n: 20 },
    ];
  });
  return {
    task,
    version: tasks[task].version,
    profile: "",
    metrics: Object.fromEntries(metrics),
    overlong: 0,
    documents: [],
  };
}

test("the table is lm-eval's, character by character", () => {
  const results = Object.entries(pieces.rows).map(([task, row]) => makeResult(task, row));
  expect(`${formatTaskTable(results)}\n`).toBe(pieces.tables.all);
  for (const result of results) {
    expect(`${formatTaskTable([result])}\n`).toBe(pieces.tables[result.task as keyof typeof pieces.tables]);
  }
});

test("halves round to even in the table, as Python rounds them", () => {
  const row = { "acc,none": 0.03125, "acc_stderr,none": 0.09375 };
  expect(formatTaskTable([makeResult("winogrande", row)])).toMatch(/0\.0312\|± {2}\|0\.0938/);
});

test("the mean over tasks is given as it is and with guessing taken out", () => {
  const make = (chance: number, value: number): TaskResult => ({
    ...makeResult("piqa", { "acc,none": value, "acc_stderr,none": 0.03 }),
    chance,
  });
  const summary = summarizeAccuracy([make(0, 0.4), make(0.5, 0.7), make(0.25, 0.4)])!;
  expect(summary.meanAccuracy.value).toBeCloseTo(0.5, 14);
  expect(summary.meanAccuracy.standardError).toBeCloseTo((0.03 * Math.sqrt(3)) / 3, 14);
  expect(summary.aboveChance.value).toBeCloseTo((0.4 + 0.4 + 0.2) / 3, 14);
  expect(summary.aboveChance.standardError).toBeCloseTo(Math.hypot(0.03, 0.06, 0.04) / 3, 14);
  expect(summarizeAccuracy([makeResult("wikitext", pieces.rows.wikitext)])).toBeUndefined();
});
