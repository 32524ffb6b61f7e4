import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { addReportCommand } from "../../src/cli/report.ts";
import { drawCurves } from "../../src/report/figure.ts";
import { createFrame } from "../../src/report/frame.ts";
import { describeSeries, writeHeadline } from "../../src/report/headline.ts";
import { explainBudgets, tabulateBudgets, tabulateShares } from "../../src/report/table.ts";
import { drawTextPlot } from "../../src/report/text-plot.ts";
import type { ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { summarizeAnswer } from "../../src/scaling/summary.ts";
import { openStore } from "../../src/study/store/store.ts";
import { makeRow, simulateStudy } from "../scaling/simulate.ts";

/** Two sizes at 4 and 16 bits; 4 bits is better by 0.5 wherever both were measured. */
function twoPrecisions(standardError = 0.01): ResultRow[] {
  const points = [
    ["s", 4, 8e6, 3],
    ["l", 4, 8e8, 1],
    ["s", 16, 8e7, 2.5],
    ["l", 16, 8e9, 0.5],
  ] as const;
  return points.map(([model, bits, total, value]) =>
    makeRow({
      model,
      bitsPerWeight: bits,
      spec: bits === 4 ? "int4:b64" : "fp16",
      total,
      metrics: { nll: { value, standardError, n: 9 } },
    }),
  );
}

const unpaired =
  "These results carry no scores of single documents, so differences are unpaired, which overstates noise; a store keeps them, and so does an export to .parquet or .jsonl.";

describe("the answer in words and tables", () => {
  test("says which precision wins where, an example, and how certain it is", () => {
    const [answer] = answerRows(twoPrecisions(), { budgets: [8e7, 1.6e8, 8e8] });
    expect(writeHeadline(answer)).toEqual([
      "4 bits give the lowest loss on the text at equal size: at every budget where at least two precisions can be compared (10 MB to 100 MB).",
      "Within 20 MB the best measured is s at fp16 (10 MB, loss 2.500), better by 0.500 ± 0.014 than s at int4:b64.",
      "The winning precision is clear of noise at every budget shown.",
      unpaired,
    ]);
  });

  test("names a spec on no curve that is better than the winner's curve at its size", () => {
    const add = (spec: string, total: number, value: number) =>
      makeRow({ model: "l", bitsPerWeight: 6, spec, total, metrics: { nll: { value, standardError: 0.01, n: 9 } } });
    // At 10 MB the curve of 4 bits has a loss of 2.
    const headline = (value: number) =>
      writeHeadline(
        answerRows([...twoPrecisions(), add("int6:b64", 9e8, 0.1), add("int6:b64:embed:head", 8e7, value)])[0],
      );
    const [first, second] = headline(1.5);
    expect(first).toMatch(/^4 bits give the lowest loss on the text at equal size: at every budget/);
    expect(second).toBe(
      "A curve has each model at one spec of that precision, the best for its bits. A choice that is none of these is better than the curve of 4 bits at equal size: l at int6:b64:embed:head, 10 MB. Specs with and without embed and head are mixed here.",
    );
    expect(headline(2.1).join(" ")).not.toMatch(/none of these/);
  });

  test("claims no win that is all noise, and none without a word where errors are not known", () => {
    const [first, example, how] = writeHeadline(answerRows(twoPrecisions(0.5), { budgets: [1.6e8] })[0]);
    expect(first).toBe(
      "No precision can be told from another by loss on the text: 4 bits have the lowest at equal size at every budget where at least two precisions can be compared (10 MB to 100 MB), but within noise of all others at every budget shown.",
    );
    expect(example).toContain("; s at int4:b64 is within noise of it.");
    expect(how).toBe(unpaired);
    const bare = twoPrecisions().map((row) => ({
      ...row,
      metrics: { nll: { value: row.metrics["nll"].value, n: 1 } },
    }));
    const [answer] = answerRows(bare, { budgets: [1.6e8] });
    const sentences = writeHeadline(answer);
    expect(sentences[0]).toMatch(
      /^By numbers without an error estimate, 4 bits give the lowest loss on the text at equal size: /,
    );
    expect(sentences[1]).toContain("better by 0.500 ± ? than s at int4:b64");
    expect(sentences.at(-1)).toContain("The results have no standard errors");
    expect(tabulateBudgets(answer).rows[0].slice(5)).toEqual([
      "0.500 ± ?",
      "s int4:b64",
      "4 bits, by 0.500 ± ? over 16",
    ]);
    // Budgets at which nothing is contested leave the verdict to those at which something is.
    const [elsewhere] = answerRows(twoPrecisions(), { budgets: [8] });
    expect(writeHeadline(elsewhere)[0]).toMatch(/^4 bits give the lowest loss/);
    expect(writeHeadline(elsewhere).slice(1)).toEqual([
      "Nothing that was measured fits into 1 B; the smallest is s at int4:b64 (1 MB).",
      "The winning precision is clear of noise at every budget.",
      unpaired,
    ]);
    expect(explainBudgets(answer).join()).toContain("± ? marks a difference whose error is not known");
  });

  test("a winner that only the second comes near is told from the others", () => {
    const near = twoPrecisions().map((row) => ({
      ...row,
      bitsPerWeight: row.bitsPerWeight === 4 ? 5 : row.bitsPerWeight,
      key: { ...row.key, spec: row.bitsPerWeight === 4 ? "int5:b64" : row.key.spec },
      metrics: { nll: { ...row.metrics["nll"], value: row.metrics["nll"].value + 0.001 } },
    }));
    const rows = [...twoPrecisions(), ...near.filter((row) => row.bitsPerWeight === 5)];
    const [first] = writeHeadline(answerRows(rows, { budgets: [1.6e8] })[0]);
    expect(first).toMatch(
      /^No precision can be told from the next best by loss on the text: 4 bits have .* within noise of the second at/,
    );
  });

  test("names by what it judges, a text first, then the mean of tasks", () => {
    const [mean, piqa] = answerRows(simulateStudy({ tasks: ["piqa", "winogrande"] }));
    expect(mean.series.task).toBe("mean of tasks");
    expect(writeHeadline(mean)[0]).toContain("by mean accuracy of 2 tasks (piqa, winogrande): ");
    expect(writeHeadline(piqa)[0]).toContain("accuracy on piqa");
    const [first, second] = answerRows(simulateStudy({ tasks: ["piqa", "winogrande", "perplexity"] }));
    expect([first, second].map(({ series }) => series.task)).toEqual(["perplexity", "mean of tasks"]);
    const text = (data: string, sizes: number[]) =>
      simulateStudy({ sizes }).map((row) => ({
        ...row,
        key: { ...row.key, dataHash: data.padEnd(64, "0") },
        paths: { model: "m", data: `texts/${data}.txt` },
      }));
    const rows = [...text("a", [1e6, 4e6]), ...text("b", [1e6, 4e6, 9e6])];
    const [b, a] = answerRows(rows);
    expect(writeHeadline(b)[0]).toContain("lowest loss on b.txt at equal size");
    expect(describeSeries(a)).toBe("books, perplexity (loss) [a.txt]");
    for (const data of ["a.txt", "texts/a.txt", "a00000000"])
      expect(answerRows(rows, { data }).map((one) => one.series.rows.length)).toEqual([16]);
  });

  test("says which precisions broke, and which reach a budget where not all do", () => {
    const rows = simulateStudy({ precisions: [2, 4, 8, 16], fragility: 9 });
    const [answer] = answerRows(rows);
    expect(writeHeadline(answer)[1]).toBe("Unstable and left out: 2 bits (all 6 runs).");
    const cells = tabulateBudgets(answer).rows.map((row) => row.at(-1));
    expect(cells.some((cell) => / over \d+, of \d+ and \d+ bits$/.test(cell!))).toBe(true);
    expect(cells.some((cell) => / over (8|16)$/.test(cell!))).toBe(true);
  });

  test("counts what broke at every precision, not only where nothing is left", () => {
    const unstable = (model: string, spec: string, bits: number, value: number) =>
      makeRow({
        model,
        spec,
        bitsPerWeight: bits,
        total: 8e6 * bits,
        metrics: { nll: { value, standardError: 0.01, n: 9 } },
      });
    const one = (model: string) => [
      unstable(model, "fp16", 16, 2),
      unstable(model, "int3", 3, 9),
      unstable(model, "nf3", 3, 8),
      unstable(model, "int4", 4, model === "b" ? 2 : 7),
      unstable(model, "nf4", 4, model === "b" ? 2.1 : 2.2),
    ];
    const leftOut = (rows: ResultRow[]) =>
      writeHeadline(answerRows(rows)[0]).find((text) => text.startsWith("Unstable"));
    expect(leftOut(one("a"))).toBe("Unstable and left out: 3 bits (all 2 specs), 4 bits (1 of 2 specs).");
    expect(leftOut([...one("a"), ...one("b")])).toBe(
      "Unstable and left out: 3 bits (all 4 runs), 4 bits (1 of 4 runs).",
    );
    const better = [
      ...one("a"),
      ...one("b").map((row) => ({ ...row, metrics: { nll: { value: 2, standardError: 0.01, n: 9 } } })),
    ];
    expect(leftOut(better)).toBe(
      "Unstable and left out: 3 bits (2 of 4 runs, every one on 1 model), 4 bits (1 of 4 runs).",
    );
  });

  test("rows with documents are paired, and that is said", () => {
    // Six documents, hard and easy for all alike; each row differs by its level and a little noise of its own.
    const rows = twoPrecisions(0.5).map((row, i) => {
      const level = row.metrics["nll"].value;
      const values = Float32Array.of(-2, -1, 0, 0, 1, 2).map((v, j) => level + v + 0.01 * Math.sin(7 * i + j));
      return { ...row, documents: { nll: { values } } };
    });
    const [answer] = answerRows(rows, { budgets: [1.6e8] });
    const [, example, certainty] = writeHeadline(answer);
    expect(example).toMatch(/better by 0\.500 ± 0\.00\d than s at int4:b64\.$/);
    expect(certainty).toBe("The winning precision is clear of noise at every budget shown.");
    expect(explainBudgets(answer)).toContain(
      "± is one standard error; of a difference, paired over the documents that both sides share.",
    );
    const apart = explainBudgets(answerRows(twoPrecisions())[0]);
    expect(apart.join()).toContain("as if the sides had been measured on different documents (an upper bound)");
    const mixed = explainBudgets(answerRows([...rows.slice(0, 2), ...twoPrecisions().slice(2)])[0]);
    expect(mixed.join()).not.toContain("that both sides share");
  });

  test("a share of all precisions stands beside that of any two", () => {
    const first = (precisions: number[]) => writeHeadline(answerRows(simulateStudy({ precisions }))[0])[0];
    expect(first([3, 4, 16])).toMatch(
      /: at every budget where at least two precisions can be compared \(.+ to .+\)\.$/,
    );
    expect(first([3, 4, 6, 8, 16])).toMatch(
      /^4 bits give the lowest loss on the text at equal size: at .+ where all 5 precisions were measured \(.+ to .+\), and at \d+ % of the budgets where any two can be compared \(.+ to .+\)\.$/,
    );
  });

  test("a line a budget: the best that fits, its margin, and the winner by the curves", () => {
    const [answer] = answerRows(twoPrecisions(0.2), { budgets: [7e6, 8e6, 8e7, 8e8] });
    const { columns, rows } = tabulateBudgets(answer);
    expect(columns.map((column) => column.title)).toEqual([
      "Budget",
      "Best that fits",
      "Spec",
      "Size",
      "Loss, nats a token",
      "Better by",
      "than",
      "At equal size",
    ]);
    expect(rows).toEqual([
      ["875 KB", "nothing fits: the smallest is 1 MB", "", "", "", "", "", "not measured"],
      ["1 MB", "s", "int4:b64", "1 MB", "3.000", "", "", "4 bits, alone"],
      ["10 MB", "s", "fp16", "10 MB", "2.500", "0.500 ± 0.283 ~", "s int4:b64", "4 bits, by 0.500 ~ over 16"],
      ["100 MB", "l", "int4:b64", "100 MB", "1.000", "1.500 ± 0.283", "s fp16", "4 bits, by 0.500 ~ over 16"],
    ]);
    expect(tabulateBudgets(answer, true).rows[2].slice(4)).toEqual([
      "2.500 ± 0.200",
      "0.500 ± 0.283 ~",
      "s int4:b64",
      "4 bits, by 0.500 ± 0.283 ~ over 16",
    ]);
  });

  test("no winner is named or counted where the largest model at fewer bits was as good in less", () => {
    const eight = (["s", "l"] as const).map((model, i) =>
      makeRow({
        model,
        bitsPerWeight: 8,
        spec: "int8:b64",
        total: [16e6, 16e8][i],
        metrics: { nll: { value: [2.9, 0.9][i], standardError: 0.01, n: 9 } },
      }),
    );
    // 4 bits end at 100 MB with a loss of 1, which 8 bits first reach at 159 MB.
    const [answer] = answerRows([...twoPrecisions(), ...eight], { budgets: [4e8, 1.2e9, 1.5e9] });
    const cells = tabulateBudgets(answer).rows.map((row) => row.at(-1));
    expect(cells[0]).toBe("4 bits, by 0.201 over 8");
    expect(cells[1]).toBe("no larger model at 4 bits");
    expect(cells[2]).toBe("8 bits, by 0.299 over 16, of 8 and 16 bits");
    expect(explainBudgets(answer)).toContain(
      "“no larger model at 4 bits”: at a smaller size these are as good as all that reach this one, so none is named.",
    );
    expect(writeHeadline(answer).at(-2)).toContain("at every budget shown that has one");
    const { budgets } = summarizeAnswer(answer);
    expect(budgets[1].precision).toMatchObject({ best: null, second: null, margin: null });
    expect(budgets[1].precision.outdoneBy).toMatchObject({ model: "l", spec: "int4:b64", bytes: 1e8 });
  });

  test("a line a precision: its shares and its gain over 16 bits", () => {
    const [answer] = answerRows(twoPrecisions());
    expect(tabulateShares(answer).rows).toEqual([
      ["4 bits", "2", "100 %", "100 %", "+0.500"],
      ["16 bits", "2", "0 %", "0 %", "–"],
    ]);
    expect(tabulateShares(answer, true).rows[0]).toEqual(["4 bits", "2", "100 %", "100 %", "100 %", "+0.500"]);
  });
});

describe("figures", () => {
  const rows = simulateStudy({ precisions: [3, 4, 16] });
  const [answer] = answerRows(rows);

  test("a line and a label a precision, a point a model, ticks in bytes", () => {
    const svg = drawCurves(answer, { width: 760, height: 500 });
    expect(svg.match(/class="point"/g)).toHaveLength(18);
    expect([...svg.matchAll(/class="label">([^<]+)/g)].map((match) => match[1])).toEqual(["3-bit", "4-bit", "16-bit"]);
    expect(svg).toMatch(/>1 MB<.*>10 MB<.*>100 MB</s);
    for (const color of ["var(--bits-3)", "var(--bits-4)", "var(--ink)"]) expect(svg).toContain(`stroke="${color}"`);
  });

  test("bars and bands of points in view are in view, and triangles are explained where there are any", () => {
    const noisy = simulateStudy({ precisions: [4, 5, 16], standardError: 0.3 });
    const [one] = answerRows(noisy);
    const [low, high] = createFrame(one, { width: 760, height: 500 }).values;
    for (const { value } of one.curves.flatMap((curve) => curve.points)) {
      if (value > high) continue;
      expect(value - 0.3).toBeGreaterThan(low);
      expect(value + 0.3).toBeLessThan(high);
    }
    const say = (rows: ResultRow[]) => drawCurves(answerRows(rows)[0], { width: 760, height: 500 });
    expect(say(noisy)).not.toContain("beyond the view");
    const broken = noisy.map((row) =>
      row.bitsPerWeight === 5 ? { ...row, metrics: { nll: { value: 4.4, standardError: 0.01, n: 9 } } } : row,
    );
    expect(say(broken)).toContain("▲ beyond the view");
  });

  test("in the terminal every mark is a precision and no line is too long", () => {
    const plot = drawTextPlot(answer, { columns: 80, rows: 16 });
    expect(plot).toHaveLength(1 + 16 + 3);
    expect(Math.max(...plot.map((line) => line.length))).toBeLessThanOrEqual(80);
    const marks = new Set(
      plot
        .slice(1, 17)
        .join("")
        .replace(/[^│┤]*[│┤]/, "")
        .replace(/[\d.]+ ┤|│|\s/g, ""),
    );
    expect([...marks].sort()).toEqual(["+", "3", "4"]);
  });

  test("one size gives no plot", () => {
    expect(drawTextPlot(answerRows(simulateStudy({ sizes: [1e6] }))[0], { columns: 80, rows: 16 })).toEqual([]);
  });
});

describe("kbit report", () => {
  const folder = mkdtempSync(join(tmpdir(), "kbit-report-"));
  const db = join(folder, "results.db");
  let output = "";
  beforeEach(() => {
    output = "";
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      output += text;
      return true;
    });
  });
  afterEach(() => vi.restoreAllMocks());
  const run = async (...words: string[]) => {
    const program = new Command("kbit").exitOverride();
    addReportCommand(program);
    for (const command of program.commands) command.exitOverride().configureOutput({ outputError: () => {} });
    await program.parseAsync(["report", "--db", db, ...words], { from: "user" });
    return output;
  };

  test("prints the answer and writes the page", async () => {
    const store = await openStore(db);
    await store.add(simulateStudy());
    await store.addFailure({
      model: "broken",
      spec: "int4",
      task: "perplexity",
      reason: "It is broken.",
      date: "2026-01-01",
    });
    await store.close();
    const page = join(folder, "report.html");
    const text = await run("--out", page);
    expect(text).toMatch(/^\d bits give the lowest loss/);
    for (const line of text.replace(/\nThe report: .*/, "").split("\n"))
      expect([...line].length).toBeLessThanOrEqual(100);
    expect(text).toContain("48 results, 1 failure.");
    expect(readFileSync(page, "utf8")).toContain("It is broken.");
  });

  test("gives the answer as data", async () => {
    const data = JSON.parse(await run("--json", "--budget", "1MB,2MiB", "--type", "float"));
    expect(data).toMatchObject({ rows: 48, answers: [{ family: "books", metric: "nll", better: "lower" }] });
    const [{ budgets, shares, frontier }] = data.answers;
    expect(budgets.map((one: { budgetBytes: number }) => one.budgetBytes)).toEqual([1e6, 2 ** 21]);
    expect(budgets[0].choice.best.bytes).toBeLessThanOrEqual(1e6);
    expect(shares).toHaveLength(8);
    expect(frontier.length).toBeGreaterThan(5);
  });

  test.skipIf(process.platform === "win32")(
    "writes into what is no file, such as a pipe, instead of replacing it",
    async () => {
      const pipe = join(folder, "pipe");
      execFileSync("mkfifo", [pipe]);
      const reader = promisify(execFile)("cat", [pipe], { maxBuffer: 1e8 });
      await run("--out", pipe);
      expect((await reader).stdout).toMatch(/^<!doctype html>/);
      expect(statSync(pipe).isFIFO()).toBe(true);
    },
  );

  test.each([
    [["--metric", "perplexty"], /did you mean perplexity/],
    [["--family", "book"], /did you mean books/],
    [["--task", "piqa"], /it has perplexity/],
    [["--budget", "2 apples"], /is not a size/],
    [["--out", join(folder, "nowhere", "x.html")], /There is no folder/],
  ])("%j is refused in one sentence", async (words, message) => {
    await expect(run(...words)).rejects.toThrow(message);
  });

  test("a report whose figures have no place is not written either", async () => {
    const page = join(folder, "taken.md");
    writeFileSync(join(folder, "taken"), "a file");
    await expect(run("--out", page)).rejects.toThrow(/need a folder .*taken, but that is a file/);
    expect(existsSync(page)).toBe(false);
  });

  test("a store that is missing is not made", async () => {
    rmSync(folder, { recursive: true });
    await expect(run()).rejects.toThrow("There is no store");
  });
});
