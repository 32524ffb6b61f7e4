import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { renderReport } from "../../src/report/html.ts";
import { findTimes, renderTimes } from "../../src/report/times.ts";
import { makeRow, simulateStudy } from "../scaling/simulate.ts";

/** Times in proportion to bits: 1 ms for 8 million, at 4 and 16 bits. */
function makeTimes(profile = "batch-1-context-128", factor = 1, sizes = [8e6, 16e6, 32e6]) {
  return sizes.flatMap((parameters, i) =>
    [4, 16].map((bitsPerWeight) =>
      makeRow({
        model: `m${i}`,
        spec: bitsPerWeight === 4 ? "nf4:b64" : "fp16",
        bitsPerWeight,
        parameters,
        total: parameters * bitsPerWeight,
        task: "latency",
        metrics: { msPerToken: { value: (factor * parameters * bitsPerWeight) / 8e6, standardError: 0.01, n: 64 } },
        key: { profile, dataHash: "m".repeat(64) },
      }),
    ),
  );
}

test("times are drawn where they were measured: one line a precision, and what fewer bits gain in words", () => {
  const [times] = findTimes(makeTimes());
  expect(times.curves.map((curve) => [curve.bitsPerWeight, curve.points.length])).toEqual([
    [4, 3],
    [16, 3],
  ]);
  expect(times.gain).toBe(
    "m2 takes 64 ms a token at 16 bits and 16 ms at nf4:b64: 4.0 times as fast with 4.0 times fewer bits.",
  );
  const { document } = parseHTML(renderTimes(makeTimes()));
  const svg = document.querySelector("svg.wide")!;
  const lines = [...svg.querySelectorAll("[aria-label=line] path")];
  expect(lines).toHaveLength(3); // with what is in proportion to bits
  // Both scales are logarithmic: what is in proportion lies on a line of slope 1 in ratios.
  const { box, x, y } = JSON.parse(svg.getAttribute("data-frame")!);
  const place = (point: Element) => {
    const [cx, cy] = ["cx", "cy"].map((name) => Number(point.getAttribute(name)));
    const bits = x[0] * (x[1] / x[0]) ** ((cx - box[0]) / (box[2] - box[0]));
    const ms = y[0] * (y[1] / y[0]) ** ((box[3] - cy) / (box[3] - box[1]));
    return ms / bits;
  };
  for (const point of svg.querySelectorAll("circle.point")) expect(place(point) * 8e6).toBeCloseTo(1, 6);
});

test("times of other batches and machines are figures of their own, folded, and nothing is drawn without any", () => {
  const rows = [...makeTimes(), ...makeTimes("batch-16-context-128", 3, [8e6, 16e6])];
  const { document } = parseHTML(renderTimes(rows));
  expect(document.querySelectorAll("section > figure")).toHaveLength(1);
  expect(document.querySelectorAll("details > figure")).toHaveLength(1);
  expect(document.querySelector("section > figure figcaption")!.textContent).toContain("batch 1, context 128");
  expect(document.querySelector("details figcaption")!.textContent).toContain("batch 16, context 128");
  expect(renderTimes(simulateStudy())).toBe("");
});

test("the report has times beside the answer, which they do not change", () => {
  const study = simulateStudy();
  const html = renderReport({ rows: [...study, ...makeTimes()] });
  const { document } = parseHTML(html);
  expect(document.querySelector(".answer")!.textContent).toBe(
    parseHTML(renderReport({ rows: study })).document.querySelector(".answer")!.textContent,
  );
  const headings = [...document.querySelectorAll("h2")].map((heading) => heading.textContent);
  expect(headings.indexOf("Time a token")).toBeGreaterThan(headings.indexOf("One choice at a time"));
  const measures = [...document.querySelectorAll("#experiments tbody tr")].map((row) => row.children[4].textContent);
  expect(measures.filter((measure) => measure === "ms a token")).toHaveLength(6);
});
