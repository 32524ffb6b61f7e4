// Scores do not depend on what is scored together, and a shared context scores as the same context alone.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Kernels } from "../../src/kernels/kernels.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import type { ContinuationScore, ScoreRequest } from "../../src/language-model.ts";
import { narrowSpans } from "../../src/model/decoder.ts";
import { openModel } from "./open.ts";

const architectures = "test/fixtures/architectures";
const vocabulary = 96;

const tokens = (least: number, most: number) =>
  fc.array(fc.integer({ min: 0, max: vocabulary - 1 }), { minLength: least, maxLength: most });
const anyRequests = fc.array(
  fc.record({ context: tokens(1, 6), continuations: fc.array(tokens(1, 5), { minLength: 1, maxLength: 4 }) }),
  { minLength: 1, maxLength: 5 },
);

/** Contexts that begin alike to different lengths, with continuations that do too. */
const branching = fc
  .tuple(tokens(4, 6), fc.array(fc.tuple(tokens(2, 6), fc.array(tokens(0, 3), { minLength: 1, maxLength: 3 }))))
  .chain(([root, middles]) =>
    fc.array(
      fc.record({
        context: fc.constantFrom(
          root,
          ...middles.flatMap(([middle, ends]) => ends.map((end) => [...root, ...middle, ...end])),
        ),
        continuations: fc.array(
          fc
            .tuple(fc.constantFrom([], ...middles.flatMap(([middle, ends]) => [middle, ...ends])), tokens(1, 3))
            .map(([start, rest]) => [...start, ...rest]),
          { minLength: 1, maxLength: 4 },
        ),
      }),
      { minLength: 2, maxLength: 6 },
    ),
  );

describe.each(["reference", "wasm"])("on the %s kernels", (set) => {
  let kernels: Kernels;
  beforeAll(async () => {
    kernels = await selectKernels({ name: set, threads: 2 });
  });
  afterAll(() => kernels.close());

  describe.each([
    "mistral-window",
    "bloom-6-heads",
    "opt-350m",
    "neox-parallel",
    "gpt2",
    "llama-gqa-llama3",
    "bloom-post-residual",
  ])("%s", (name) => {
    test("a request scores the same bits alone, among others, and in any budget of tokens", async () => {
      const models = await Promise.all(
        [1, 3, 8, 2048].map((maxTokens) => openModel(`${architectures}/${name}`, { maxTokens }, kernels)),
      );
      await fc.assert(
        fc.asyncProperty(anyRequests, async (requests) => {
          const [expected, ...others] = await Promise.all(models.map((model) => model.score(requests)));
          for (const scores of others) expect(scores).toEqual(expected);
          for (const [i, request] of requests.entries())
            expect(await models[3].score([request])).toEqual([expected[i]]);
        }),
        { numRuns: 12, seed: 1 },
      );
    });

    test("continuations on a shared context score as each one alone on its own context", async () => {
      const model = await openModel(`${architectures}/${name}`, {}, kernels);
      await fc.assert(
        fc.asyncProperty(anyRequests, async (requests) => {
          const shared = (await model.score(requests)).flat();
          const alone: ScoreRequest[] = requests.flatMap(({ context, continuations }) =>
            continuations.map((continuation) => ({ context, continuations: [continuation] })),
          );
          expect((await model.score(alone)).flat()).toEqual(shared);
        }),
        { numRuns: 12, seed: 2 },
      );
    });

    test("a context moved into the continuation changes no probability of what follows", async () => {
      const model = await openModel(`${architectures}/${name}`, {}, kernels);
      const text = Array.from({ length: 14 }, (_, i) => (i * 37 + 11) % vocabulary);
      const [[whole]] = await model.score([{ context: text.slice(0, 1), continuations: [text.slice(1)] }]);
      for (const cut of [2, 7, 13]) {
        const [[part]] = await model.score([{ context: text.slice(0, cut), continuations: [text.slice(cut)] }]);
        expect(part.logProbs).toEqual(whole.logProbs.slice(cut - 1));
      }
    });

    test("what requests begin with is fed once, at any depth, and scores as if it were fed for each", async () => {
      const models = await Promise.all(
        [3, 20, 2048].map((maxTokens) => openModel(`${architectures}/${name}`, { maxTokens }, kernels)),
      );
      await fc.assert(
        fc.asyncProperty(branching, async (requests) => {
          const alone = requests.flatMap(({ context, continuations }) =>
            continuations.map((continuation) => ({ context, continuations: [continuation] })),
          );
          const expected: ContinuationScore[] = [];
          for (const one of alone) expected.push(...(await models[2].score([one]))[0]);
          for (const model of models) expect((await model.score(requests)).flat()).toEqual(expected);
        }),
        { numRuns: 12, seed: 3 },
      );
    });
  });
});

describe("scoring", () => {
  test("says whether a continuation is what the model would write", async () => {
    const model = await openModel("test/fixtures/models/stories260k");
    const context = model.encode("Once upon a time, there was a little girl named", "default");
    const [scores] = await model.score([
      { context, continuations: [model.encode(" Lily.", "none").slice(0, 2), [300, 301]] },
    ]);
    const written: number[] = [];
    for await (const token of model.generate(context, { maxTokens: 2 })) written.push(token);
    const [[greedy]] = await model.score([{ context, continuations: [written] }]);
    expect(greedy.greedy).toBe(true);
    expect(scores[1].greedy).toBe(false);
  });

  test("tells how many tokens were fed, up to all of them", async () => {
    const model = await openModel(`${architectures}/llama`, { maxTokens: 8 });
    const steps: [number, number][] = [];
    const request = (first: number) => ({ context: [first, 2, 3], continuations: [[4, 5, 6], [7]] });
    await model.score([request(1), request(2), request(3)], (done, total) => steps.push([done, total]));
    expect(steps).toEqual([
      [5, 15],
      [10, 15],
      [15, 15],
    ]);
  });

  test("feeds what continuations share once", async () => {
    const model = await openModel(`${architectures}/llama`);
    let fed = 0;
    const request = {
      context: [1, 2],
      continuations: [
        [3, 4, 5, 6],
        [3, 4, 7],
        [3, 4, 5, 9],
      ],
    };
    await model.score([request], (_, total) => {
      fed = total;
    });
    expect(fed).toBe(2 + 3);
  });

  test("of nothing is nothing", async () => {
    const model = await openModel(`${architectures}/llama`);
    expect(await model.score([])).toEqual([]);
  });

  test("refuses tokens outside the vocabulary", async () => {
    const model = await openModel(`${architectures}/llama`);
    await expect(model.score([{ context: [1], continuations: [[vocabulary]] }])).rejects.toThrow(
      "Token 96 is outside the model's vocabulary of 96",
    );
  });
});

describe("a sliding window", () => {
  test("keeps the last tokens of prefix and own together", () => {
    // prefix of 5 from slot 10, own of 3 from slot 20
    const spans = Int32Array.of(10, 5, 20, 3);
    expect([...narrowSpans(spans, 8)]).toEqual([10, 5, 20, 3]);
    expect([...narrowSpans(spans, 4)]).toEqual([14, 1, 20, 3]);
    expect([...narrowSpans(spans, 2)]).toEqual([15, 0, 21, 2]);
  });
});

test("calls that run at the same time do not disturb each other", async () => {
  const model = await openModel(`${architectures}/llama`, { maxTokens: 4 });
  const requests = (shift: number) => [
    { context: [1 + shift, 2], continuations: [[3], [4, 5, 6, 7, 8], [9 + shift], [10], [11], [12, 13]] },
  ];
  const expected = [await model.score(requests(0)), await model.score(requests(20))];
  const write = async () => {
    for await (const _ of model.generate([1, 2, 3], { maxTokens: 10 }));
  };
  const [first, second] = await Promise.all([model.score(requests(0)), model.score(requests(20)), write()]);
  expect([first, second]).toEqual(expected);
});
