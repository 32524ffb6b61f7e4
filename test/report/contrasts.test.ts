// Figures of one choice at a time, and the data of each figure.

import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { formatLines } from "../../src/report/figure-block.ts";
import { renderReport } from "../../src/report/html.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { checkClaims } from "../../src/scaling/claims.ts";
import { makeRow, simulateStudy } from "../scaling/simulate.ts";

const open = (html: string) => parseHTML(html).document as unknown as Document;

test("families stand side by side, block sizes and types have a labelled line each", () => {
  const rows = ["opt", "pythia", "bloom"].flatMap((family, i) =>
    simulateStudy({ family, types: ["int", "float"], blocks: [64, 256, 1024], seed: i + 1 }),
  );
  const page = open(renderReport({ rows }));
  expect([...page.querySelectorAll(".panels h4")].map((title) => title.textContent)).toEqual([
    "opt",
    "pythia",
    "bloom",
  ]);
  const labels = (name: string) =>
    [...page.querySelectorAll(`figure[data-name$=-${name}] svg.wide text.label`)].map((label) => label.textContent);
  expect(labels("block").toSorted()).toEqual(["1024", "16-bit", "256", "64"].toSorted());
  expect(
    labels("type")
      .map((label) => label!.split(" ")[0])
      .toSorted(),
  ).toEqual(["16-bit", "float", "int"]);
  expect(labels("bits").length).toBe(6); // a line a model
});

test("every finding of the paper stands in the report, with its verdict or with what it needs", () => {
  const rows = simulateStudy({ blocks: [64, 1024] });
  const page = open(renderReport({ rows }));
  const section = [...page.querySelectorAll("section")].find((one) =>
    /^Findings/.test(one.querySelector("h2")?.textContent ?? ""),
  )!;
  const answers = checkClaims(rows);
  const told = answers.filter(({ verdict }) => verdict !== "not enough evidence");
  expect(told.length).toBeGreaterThan(1);
  expect([...section.querySelectorAll("tbody tr td:first-child")].map((cell) => cell.textContent)).toEqual(
    told.map(({ verdict }) => verdict),
  );
  for (const { sentence, reason } of answers) {
    expect(section.textContent).toContain(sentence);
    expect(section.textContent).toContain(reason);
  }
});

test("the data of a figure are the points that it draws, as the rows have them", () => {
  const rows = simulateStudy({ blocks: [64, 256] });
  const page = open(renderReport({ rows }));
  for (const figure of page.querySelectorAll("figure[data-csv]")) {
    const [head, ...lines] = figure.getAttribute("data-csv")!.trimEnd().split("\n");
    expect(head).toBe("line,model,spec,bitsPerWeight,bits,parameters,value,standardError");
    if (figure.getAttribute("data-name") === "kbit-books-perplexity-curves") {
      expect(lines.length).toBe(figure.querySelectorAll("svg.wide .point").length);
    }
    for (const line of lines) {
      const [, model, spec, , bits, , value] = line.split(",");
      const row = rows.find((one) => one.model.name === model && one.key.spec === spec)!;
      expect([Number(bits), Number(value)]).toEqual([row.bits.total, row.metrics["nll"].value]);
    }
  }
});

test("a spreadsheet runs nothing of a figure's data, and commas and quotes stay in their cell", () => {
  const names = ['=HYPERLINK("http://x")', "+1", "-1", "@a", 'a,"b"', "line\r\nbreak"];
  const rows = names.map((model, i) => makeRow({ model, total: 8e6 + i, metrics: { nll: 2 } }));
  const [answer] = answerRows(rows);
  const text = formatLines([{ label: "=1", points: answer.points }]);
  const [, ...lines] = text.trimEnd().split("\n");
  expect(lines).toHaveLength(names.length);
  for (const line of lines) expect(line).toMatch(/^'=1,/);
  expect(lines[0]).toContain(`'=1,"'=HYPERLINK(""http://x"")",`);
  expect(lines[4]).toContain(`"a,""b""",`);
  expect(text).not.toMatch(/,[=+@-]\D/);
});
