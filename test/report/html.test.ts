import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { renderReport } from "../../src/report/html.ts";
import type { Records } from "../../src/report/records.ts";
import type { ResultRow } from "../../src/result.ts";
import { makeRow, simulateStudy } from "../scaling/simulate.ts";

const open = (html: string) => parseHTML(html).document as unknown as Document;
const recordsOf = (document: Document): Records => JSON.parse(document.querySelector("#records")!.textContent!);
const column = ({ columns }: Records, name: string) => {
  const { values, distinct } = columns.find((one) => one.name === name)!;
  return distinct ? values.map((value) => (value === null ? null : distinct[value as number])) : values;
};

const hostile = [
  '</script><script>alert(1)</script><img src=x onerror="alert(1)">',
  "\"'><svg onload=alert(1)>",
  "]]><!--",
  "\u202egnp.exe",
  "نموذج",
  "x".repeat(5000),
  "\u0000\u001b[31mred\ud800",
  "__proto__",
];

describe("the page", () => {
  const rows = simulateStudy({ fragility: 9 });
  const html = renderReport({ rows, nonce: "n", title: "A study", facts: [["Study", "books.yaml"]] });
  const document = open(html);

  test("opens with the answer, then Figure 1, budgets, shares, the frontier, what was left out, and all rows", () => {
    expect(document.querySelector(".answer")!.textContent).toMatch(/^\d bits give the lowest loss/);
    expect(document.querySelectorAll("svg.figure").length).toBe(6); // three figures in two widths
    const headings = [...document.querySelectorAll("h2, h3")].map((heading) => heading.textContent);
    expect(headings).toEqual([
      "The answer",
      "What to choose for a budget",
      "Which precision is best at exactly this size",
      "How often each precision wins",
      "The frontier of measured choices",
      "One choice at a time",
      "Loss against bits a weight",
      "Findings of the paper, on these rows",
      "Left out",
      "Unstable",
      "All experiments",
      "Provenance",
    ]);
    expect(recordsOf(document).count).toBe(rows.length);
  });

  test("carries the paths of rows that have them, for the commands, and explains what stands for the others", () => {
    const paths = { model: "models/m", data: "text.txt" };
    const withPaths = renderReport({ rows: rows.map((row) => ({ ...row, paths })) });
    const records = recordsOf(open(withPaths));
    expect(new Set(column(records, "modelPath"))).toEqual(new Set(["models/m"]));
    expect(new Set(column(records, "dataPath"))).toEqual(new Set(["text.txt"]));
    expect(withPaths).not.toContain("stands for the text or documents");
    expect(html).toContain("stands for the text or documents");
    expect(column(recordsOf(document), "modelPath")[0] ?? null).toBeNull();
  });

  test("asks nothing of a network: no address, no source, no import, and a policy that forbids them", () => {
    expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|\bsrc=|@import|url\((?!#)/);
    const policy = document.querySelector("meta[http-equiv]")!.getAttribute("content");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'nonce-n'");
  });

  test("has a new secret each time", () => {
    const nonce = () => /nonce-([\w-]+)/.exec(renderReport({ rows: [] }))![1];
    expect(nonce()).not.toBe(nonce());
  });

  test("the script is complete in itself and parses", () => {
    const script = [...document.querySelectorAll("script")].at(-1)!.textContent!;
    expect(() => new Function(script)).not.toThrow();
    expect(script).not.toMatch(/__vi|import\(/);
  });

  test("names the unstable runs with their reason, and draws none of them", () => {
    const unstable = rows.filter((row) => row.bitsPerWeight === 2).map((row) => row.id.slice(0, 16));
    expect(html).toContain("nats above the model&#39;s 16-bit loss");
    const drawn = [...document.querySelectorAll(".point")].map((point) => point.getAttribute("data-rows")!);
    expect(drawn.length).toBeGreaterThan(0);
    expect(drawn.filter((id) => unstable.includes(id))).toEqual([]);
    const reasons = column(recordsOf(document), "unstable");
    expect(reasons.map((reason) => reason !== null)).toEqual(rows.map((row) => row.bitsPerWeight === 2));
  });

  test("every point names the row it shows", () => {
    const rowOf = new Map(rows.map((row) => [row.id.slice(0, 16), row]));
    for (const point of document.querySelectorAll(".point")) {
      const row = rowOf.get(point.getAttribute("data-rows")!)!;
      expect(point.querySelector("title")!.textContent).toContain(`${row.model.name} at ${row.key.spec}`);
    }
  });
});

describe("hostile texts", () => {
  const key = simulateStudy()[0].key;
  const { tokenizerHash, dataHash } = key;
  const rows: ResultRow[] = hostile.flatMap((name, i) => [
    makeRow({
      model: name,
      family: name,
      spec: name,
      total: 8e6 * (i + 1),
      metrics: { nll: 3 - i / 10, [name]: 1 },
      key: { tokenizerHash, dataHash },
    }),
    {
      ...makeRow({
        model: name,
        family: "books",
        total: 8e6 * (i + 1),
        metrics: { nll: 3 - i / 10 },
        key: { tokenizerHash, dataHash },
      }),
      machine: name,
    },
  ]);
  const failures = hostile.map((text) => ({ model: text, spec: text, task: text, reason: text, date: text }));
  const html = renderReport({ rows, failures, title: hostile[0], facts: [[hostile[0], hostile[1]]], nonce: "n" });
  const document = open(html);

  test("appear as text: no element, attribute or script of theirs is in the page", () => {
    expect(document.querySelectorAll("script")).toHaveLength(2);
    expect(document.querySelectorAll("img, iframe, object, svg svg")).toHaveLength(0);
    for (const element of document.querySelectorAll("*")) {
      for (const { name } of element.attributes) expect(name).not.toMatch(/^on/);
    }
    expect(document.querySelector("title")!.textContent).toBe(hostile[0]);
    expect(document.querySelector("h1")!.textContent).toBe(hostile[0]);
  });

  test("reach the table's data unchanged", () => {
    const names = column(recordsOf(document), "model");
    expect(names.filter((_, i) => i % 2 === 0)).toEqual(hostile.map((text) => JSON.parse(JSON.stringify(text))));
  });

  test("no mark of direction or control stands in a figure", () => {
    for (const svg of document.querySelectorAll("svg")) {
      expect(svg.outerHTML).not.toMatch(/\p{Bidi_Control}|(?!\n)\p{Cc}/u);
      expect(svg.outerHTML).not.toContain("NaN");
    }
  });

  test("right-to-left names keep to themselves", () => {
    const cells = [...document.querySelectorAll("#experiments tbody td")];
    const arabic = cells.filter((cell) => cell.textContent === "نموذج");
    expect(arabic.length).toBeGreaterThan(0);
    for (const cell of arabic) expect(cell.firstElementChild!.tagName).toBe("BDI");
  });
});

describe("thin and thick stores", () => {
  const answerOf = (rows: ResultRow[], options = {}) =>
    open(renderReport({ rows, options })).querySelector("header")!.textContent!.replace(/\s+/g, " ");

  test("an empty store is a page that says so", () => {
    expect(answerOf([])).toContain("There are no results yet.");
  });

  test("one row, one size and one precision each say what is missing", () => {
    expect(answerOf([makeRow({ total: 8e6, metrics: { nll: 3 } })])).toContain("only one model size was measured");
    expect(answerOf(simulateStudy({ sizes: [1e6] }))).toContain("only one model size was measured");
    expect(answerOf(simulateStudy({ precisions: [4] }))).toContain("only one precision was measured");
  });

  test("a metric that no row has, and runs that are all unstable", () => {
    expect(answerOf(simulateStudy(), { metric: "acc" })).toContain("None of the 48 results has the metric acc");
    expect(answerOf([makeRow({ total: 8, metrics: { nll: Number.POSITIVE_INFINITY } })])).toContain(
      "Every run was unstable",
    );
  });

  test("points beyond the frontier's view are triangles, times are UTC, and nothing is said of wins without a contest", () => {
    const page = renderReport({ rows: simulateStudy({ precisions: [2, 4, 16], fragility: 2 }) });
    const document = open(page);
    expect(document.querySelectorAll("svg .cloud path.beyond[fill='var(--bits-2)']").length).toBeGreaterThan(0);
    expect(page).toContain("2026-11-24 08:00 to 2026-11-24 08:00 UTC");
    expect(page).toContain("How often each precision wins");
    const alone = renderReport({ rows: simulateStudy({ sizes: [1e6] }) });
    expect(alone).not.toContain("How often each precision wins");
    expect(alone).not.toContain("At equal size");
  });

  test("values that are equal everywhere still make a figure", () => {
    const rows = [8e6, 16e6].flatMap((total, i) =>
      [4, 16].map((bitsPerWeight) =>
        makeRow({
          model: `m${i}`,
          spec: bitsPerWeight === 4 ? "int4:b64" : "fp16",
          bitsPerWeight,
          total,
          metrics: { nll: 0 },
        }),
      ),
    );
    const html = renderReport({ rows });
    expect(html.replace(/<script.*?<\/script>/gs, "")).not.toContain("NaN");
    expect(open(html).querySelectorAll("svg.figure")).toHaveLength(4);
  });

  test("35,000 rows make one page with a bounded number of elements", () => {
    const sizes = Array.from({ length: 20 }, (_, i) => 1e6 * 1.4 ** i);
    const types = ["int", "float", "quantile", "dynamic"];
    const blocks = Array.from({ length: 16 }, (_, i) => 64 * (i + 1));
    const rows = simulateStudy({ sizes, types, blocks, tasks: ["perplexity", "lambada_openai", "piqa", "winogrande"] });
    expect(rows.length).toBeGreaterThan(35_000);
    const html = renderReport({ rows });
    expect(html.length).toBeLessThan(25e6);
    const body = html.replace(/<script type="application\/json".*?<\/script>/s, "");
    expect(body.match(/<tr>/g)!.length).toBeLessThan(4000);
    expect(body.match(/<[a-z]/g)!.length).toBeLessThan(60_000);
    expect(body.match(/<details><summary>books, /g)).toHaveLength(4); // three tasks and their mean
  });
});
