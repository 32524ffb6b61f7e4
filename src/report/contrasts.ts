// Figures of one choice at a time, where the rows hold it: families, block sizes, data types, outlier columns in 16 bits
// (the paper's figures 2 to 5 as far as they are about these), and the metric against bits a weight.

import type { Answer } from "../scaling/answer.ts";
import { findVariants, type Variants, type VariedChoice } from "../scaling/variants.ts";
import { drawCurves, drawModels, drawVariants } from "./figure.ts";
import { renderFigure } from "./figure-block.ts";
import type { RowIndex } from "./frame.ts";
import { describeSeries } from "./headline.ts";
import { cleanText, escapeHtml } from "./text.ts";
import { formatPrecision } from "./units.ts";

const titles: Readonly<Record<VariedChoice, string>> = {
  block: "Block sizes",
  type: "Data types",
  proxy: "Outlier columns in 16 bits",
};

const explanations: Readonly<Record<VariedChoice, string>> = {
  block:
    "One line a block size, lighter where blocks are smaller; smaller blocks cost more bits and lie further right.",
  type: "One line a data type.",
  proxy: "One line a share of the input columns that stay in 16 bits; these columns cost bits too.",
};

/** Most families drawn side by side. */
const maxFamilies = 6;

/** The section of an answer's contrasts; empty where its rows hold none. */
export function renderContrasts(answer: Answer, all: readonly Answer[], rows: RowIndex): string {
  if (answer.points.length === 0) return "";
  const blocks = [
    renderFamilies(answer, all, rows),
    ...findVariants(answer).map((variants) => renderVariants(variants, answer, rows)),
    renderModels(answer, rows),
  ].filter((block) => block !== "");
  return blocks.length === 0 ? "" : `<section><h2>One choice at a time</h2>\n${blocks.join("\n")}</section>`;
}

function renderFamilies(answer: Answer, all: readonly Answer[], rows: RowIndex): string {
  const { task, metric } = answer.series;
  const alike = all.filter(
    ({ series, points }) => series.task === task && series.metric === metric && points.length > 0,
  );
  const families = alike.filter((one, i) => alike.findIndex((a) => a.series.family === one.series.family) === i);
  if (families.length < 2) return "";
  const panels = families.slice(0, maxFamilies).map((one) => {
    const drawing = drawCurves(one, rows, { width: 360, height: 320 });
    return `<div><h4><bdi>${escapeHtml(cleanText(one.series.family, 40))}</bdi></h4>${drawing}</div>`;
  });
  const more = families.length > maxFamilies ? ` The first ${maxFamilies} of ${families.length} families.` : "";
  return `<h3>Families</h3>
<div class="panels">${panels.join("\n")}</div>
<p class="note">${escapeHtml(`${metric.label} on ${cleanText(task, 60)} against size, one line a precision, one panel a family. Axes differ: losses of families with different tokenizers cannot be compared.${more}`)}</p>`;
}

function renderVariants(variants: Variants, answer: Answer, rows: RowIndex): string {
  const { choice, bitsPerWeight, common, lines } = variants;
  const equal = common === "" ? "" : ` Equal in all: ${cleanText(common, 80)}.`;
  const caption = `${explanations[choice]}${equal} The line of 16 bits is not quantized.`;
  return `<h3>${titles[choice]} at ${formatPrecision(bitsPerWeight)}</h3>
${renderFigure({
  name: choice,
  series: answer.series,
  draw: (size) => drawVariants(variants, answer, rows, size),
  caption: `<b>${titles[choice]} at ${formatPrecision(bitsPerWeight)}.</b> ${escapeHtml(caption)}`,
  lines,
})}`;
}

function renderModels(answer: Answer, rows: RowIndex): string {
  if (answer.curves.length < 3) return "";
  const { label } = answer.series.metric;
  const title = `${label.charAt(0).toUpperCase()}${label.slice(1)} against bits a weight`;
  return `<h3>${escapeHtml(title)}</h3>
${renderFigure({
  name: "bits",
  series: answer.series,
  draw: (size) => drawModels(answer, rows, size),
  caption: `<b>${escapeHtml(describeSeries(answer))}</b>, one line a model, larger ones darker; each point is the best spec of its precision. Size is not charged here: read across at one size in the first figure.`,
  lines: answer.curves.map(({ bitsPerWeight, points }) => ({ label: `${bitsPerWeight} bits`, points })),
})}`;
}
