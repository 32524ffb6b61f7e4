import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { formatCommand, quoteShell } from "../../src/report/command.ts";
import { keepFree, placeBeside, placeLabels } from "../../src/report/labels.ts";
import { createActions } from "../../src/report/page-script.ts";
import { cleanText, escapeHtml, escapeJson } from "../../src/report/text.ts";
import { formatMeasured, formatParameters, formatShare, formatSize, formatValue } from "../../src/report/units.ts";

const anyText = fc.string({ unit: "binary", maxLength: 30 });

describe("units", () => {
  test.each([
    [8, "1 B"],
    [8e3, "1 KB"],
    [3.3e6, "413 KB"],
    [7_999_000, "1 MB"],
    [8e6, "1 MB"],
    [1.234e8, "15.4 MB"],
    [2.5e12, "313 GB"],
    [0, "0 B"],
  ])("%d bits are %s", (bits, text) => {
    expect(formatSize(bits)).toBe(text);
  });

  test("parameters and shares", () => {
    expect([840_000, 1.71e6, 6.7e9, 5000].map(formatParameters)).toEqual(["0.84 M", "1.71 M", "6.7 B", "5 K"]);
    expect([0, 0.001, 0.5, 0.999, 1].map(formatShare)).toEqual(["0 %", "<1 %", "50 %", ">99 %", "100 %"]);
  });
});

describe("texts", () => {
  test("escaped text is the same text again once it is parsed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        fc.pre(!/[\p{Cc}]/u.test(text) && text.isWellFormed());
        const { document } = parseHTML(
          `<html><body><p title="${escapeHtml(text)}">${escapeHtml(text)}</p></body></html>`,
        );
        const paragraph = document.querySelector("p")!;
        expect(paragraph.textContent).toBe(text);
        expect(paragraph.getAttribute("title")).toBe(text);
      }),
    );
  });

  test("no text holds markup once it is escaped, and JSON for a script parses to the same value", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
        expect(escapeJson({ text })).not.toMatch(/[<>&\u2028\u2029]/);
        expect(JSON.parse(escapeJson({ text }))).toEqual({ text });
      }),
    );
  });

  test("clean text has no controls, no marks of direction and at most the length", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 30 }), (text, limit) => {
        const clean = cleanText(text, limit);
        expect(clean).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
        expect([...clean].length).toBeLessThanOrEqual(limit);
      }),
    );
    expect(cleanText("books-0.8m", 10)).toBe("books-0.8m");
    expect(cleanText("books-0.84m", 10)).toBe("books-0.8…");
  });
});

describe("commands", () => {
  const row = {
    model: "books-0.8m",
    spec: "int4:b64",
    task: "perplexity",
    profile: "windows-256-stride-128",
    limit: 5,
    dataHash: "0123456789abcdef",
    modelPath: null,
    dataPath: null,
  };

  test("a row's command says model, spec, text, windows and limit", () => {
    expect(formatCommand(row)).toBe(
      "kbit eval books-0.8m --spec int4:b64 --text FILE-0123456789ab --window 256 --stride 128 --limit 5",
    );
    expect(formatCommand({ ...row, spec: "stored", task: "piqa", profile: "lm-eval-0.4.9.2", limit: null })).toBe(
      "kbit eval books-0.8m --tasks piqa --data FILE-0123456789ab --profile lm-eval-0.4.9.2",
    );
  });

  test.each([
    ["windows-bos-64-stride-63", "--convention windows-bos --window 64 --stride 63"],
    ["gptq-2048", "--convention gptq --window 2048"],
    ["llama.cpp-512", "--convention llama.cpp --window 512"],
    ["rolling-256-lm-eval-0.4.9.2", "--convention rolling --window 256 --profile lm-eval-0.4.9.2"],
  ])("a text cut by %s is cut so again", (profile, flags) => {
    expect(formatCommand({ ...row, limit: null, profile })).toBe(
      `kbit eval books-0.8m --spec int4:b64 --text FILE-0123456789ab ${flags}`,
    );
  });

  test("where the row knows them, the command has the paths of model and data", () => {
    expect(formatCommand({ ...row, modelPath: "models/books/books-0.8m", dataPath: "/data/held out.txt" })).toBe(
      "kbit eval models/books/books-0.8m --spec int4:b64 --text '/data/held out.txt' --window 256 --stride 128 --limit 5",
    );
    expect(formatCommand({ ...row, task: "latency", profile: "batch-8-context-64" })).toMatch(
      /^kbit study run \S+ --specs \S+ --tasks latency:batch-8-context-64 --db FILE$/,
    );
    expect(formatCommand({ ...row, modelPath: "--spec", dataPath: "-x" })).toContain(
      "eval ./--spec --spec int4:b64 --text ./-x",
    );
  });

  test("the page copies where a task of one's own is, not its name", () => {
    vi.stubGlobal("document", { getElementById: () => null });
    onTestFinished(() => void vi.unstubAllGlobals());
    const { commandOf } = createActions({ find: vi.fn(), csv: vi.fn() }, formatCommand);
    const values = { ...row, task: "riddles", profile: "lm-eval-0.4.9.2", limit: null };
    expect(commandOf({ ...values, taskPath: null })).toContain(" --tasks riddles --data ");
    expect(commandOf({ ...values, taskPath: "tasks/my riddles.json" })).toContain(
      " --tasks 'tasks/my riddles.json' --data ",
    );
  });

  test("a shell reads every quoted word as that word, controls excepted", () => {
    const words = fc
      .sample(anyText, 200)
      .concat("'; touch x #", "$(id)", "`id`", "a\nb", "-n", "", "*", "~", "!", "a b");
    const clean = words.map((word) => word.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, "?").toWellFormed());
    const script = words.map((word) => `printf '%s\\n' ${quoteShell(word)}`).join("\n");
    expect(execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\n").slice(0, -1)).toEqual(clean);
  });
});

describe("labels", () => {
  const frame = { left: 0, right: 400, top: 0, bottom: 300 };
  const label = (x: number, y: number, bits = 4) => ({ text: `${bits}-bit`, short: String(bits), x, y, color: "red" });

  test("stand in full where there is room, short where there is not", () => {
    expect(placeLabels([label(50, 50), label(150, 50)], 10, frame).map((one) => one.text)).toEqual(["4-bit", "4-bit"]);
    expect(placeLabels([label(50, 50), label(60, 50)], 10, frame).map((one) => one.text)).toEqual(["4", "4-bit"]);
    expect(placeLabels([label(50, 50)], 10, frame)[0]).toMatchObject({ x: 50, y: 60 });
  });

  test("never cover each other and never leave the frame", () => {
    const place = fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 300 }));
    fc.assert(
      fc.property(fc.array(place, { maxLength: 9 }), (places) => {
        const placed = placeLabels(
          places.map(([x, y], i) => label(x, y, i + 2)),
          10,
          frame,
        );
        expect(keepFree(placed.map((one) => ({ ...one, x: Number(one.x.toFixed(6)) }))).length).toBe(places.length);
        for (const one of placed) {
          expect(one.x).toBeGreaterThan(0);
          expect(one.x).toBeLessThan(400);
          expect(one.y).toBeGreaterThanOrEqual(0);
          expect(one.y).toBeLessThanOrEqual(300);
        }
      }),
    );
  });
});

test("a small value keeps digits that are not zero, unless its error has none there", () => {
  expect([3.5714, 0.0005, 0, -0.25].map(formatValue)).toEqual(["3.571", "0.001", "0.000", "-0.250"]);
  expect([0.00043, -0.0000123, 1e-9].map(formatValue)).toEqual(["0.00043", "-0.000012", "<0.0000001"]);
  expect(formatMeasured(0.00039, 0.01)).toBe("<0.001 ± 0.010");
  expect(formatMeasured(-0.00039, 0.01)).toBe(">−0.001 ± 0.010");
  expect(formatMeasured(0.00039, 0.00012)).toBe("0.00039 ± 0.00012");
});

test("labels beside their points cover no other and stay in the frame, or stand above where there is no room", () => {
  const frame = { left: 0, right: 200, top: 0, bottom: 100 };
  const ends = [50, 51, 52, 90].map((y, i) => ({ text: `line ${i}`, short: "", x: i === 3 ? 190 : 100, y, color: "" }));
  const placed = placeBeside(ends, frame);
  expect(placed.map(({ text }) => text)).toEqual(["line 0", "line 1", "line 2", "line 3"]); // in the order of their points
  const [a, b, c, d] = placed;
  for (const [above, below] of [
    [a, b],
    [b, c],
  ] as const)
    expect(below.y - above.y).toBeGreaterThan(12);
  expect(a.x).toBeGreaterThan(100);
  expect(d.y).toBe(80);
  expect([d.x, d.anchor]).toEqual([200, "end"]);
  expect(a.anchor).toBe("start");
  const low = placeBeside(
    [97, 98, 99].map((y, i) => ({ text: `line ${i}`, short: "", x: 100, y, color: "" })),
    frame,
  );
  expect(low.map(({ y }) => y)).toEqual([72, 86, 100]); // none below the frame
});
