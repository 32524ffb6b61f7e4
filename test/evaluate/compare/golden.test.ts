// Two bundled models over one text: every statistic against NumPy's from transformers' logits.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../../src/checkpoint/open-node.ts";
import { testMcNemar } from "../../../src/evaluate/compare/paired.ts";
import { compareOnText } from "../../../src/evaluate/compare/text.ts";
import { selectKernels } from "../../../src/kernels/select-node.ts";
import { loadModel } from "../../../src/model/load.ts";

const find = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const golden = JSON.parse(readFileSync(find("test/fixtures/evaluation/comparison.json"), "utf8"));

function expectNear(found: unknown, expected: unknown, where: string): void {
  if (typeof expected === "number") {
    expect(Math.abs((found as number) - expected), `${where}: ${found}`).toBeLessThan(
      2e-5 * Math.max(1, Math.abs(expected)),
    );
    return;
  }
  for (const [key, value] of Object.entries(expected as object)) {
    expectNear((found as Record<string, unknown>)[key], value, `${where}.${key}`);
  }
}

test("KL divergence, perplexity ratio, top token and change of probability are those of an independent script", async () => {
  const kernels = await selectKernels({ threads: 1 });
  const [base, other] = await Promise.all(
    [golden.base, golden.other].map(async (name) =>
      loadModel(await openCheckpoint(find(`models/books/${name}`)), kernels),
    ),
  );
  try {
    const text = readFileSync(find("models/books/heldout.txt"), "utf8").slice(0, golden.characters);
    const found = await compareOnText(base, other, text, { window: golden.window, limit: golden.windows });
    expect(found.convention).toBe("windows-256-stride-256");
    expectNear(found, golden.statistics, "statistics");
    expect(found.ratioInterval).toBeUndefined(); // of so few windows
  } finally {
    await base.close();
    await other.close();
    await kernels.close();
  }
});

test.each<{ lost: number; won: number; p: number }>(golden.mcnemar)(
  "McNemar's exact test of $lost against $won",
  ({ lost, won, p }) => {
    expect(testMcNemar(lost, won)).toBeCloseTo(p, 9);
  },
);
