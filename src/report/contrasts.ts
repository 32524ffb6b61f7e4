// Figures of one choice at a time, where the rows hold it: families, block sizes, data types, outlier columns in 16 bits
// (the paper's figures 2 to 5 as far as they are about these), and the metric against bits a weight.

import type { Answer } from "../scaling/answer.ts";
import { type BitsLaw, fitOverBits } from "../scaling/bits-law.ts";
import { findVariants, type Variants, type VariedChoice } from "../scaling/variants.ts";
import { drawCurves, drawModels, drawVariants } from "./figure.ts";
import { renderFigure } from "./figure-block.ts";
import { describeSeries } from "./headline.ts";
import { cleanText, escapeHtml } from "./text.ts";
import { formatPrecision } from "./units.ts";

const titles: Readonly<Record<VariedChoice, string>> = {
  block: "Block sizes",
  type: "Data types",
  proxy: "Outlier columns in 16 bits",
};

const explanations: Readonly<Record<VariedChoice, string>> = {
  block: "One line a block size, coloured in their order; smaller blocks cost more bits and lie further right.",
  type: "One line a data type.",
  proxy: "One line a share of the input columns that stay in 16 bits; these columns cost bits too.",
};

/** Most families drawn side by side. */
const maxFamilies = 6;

/** The section of an answer's contrasts; empty where its rows hold none. */
export function renderContrasts(answer: Answer, all: readonly Answer[]): string {
  if (answer.points.length === 0) return "";
  const blocks = [
    renderFamilies(answer, all),
    ...findVariants(answer).map((variants) => renderVariants(variants, answer)),
    renderModels(answer),
  ].filter((block) => block !== "");
  return blocks.length === 0 ? "" : `<section><h2>One choice at a time</h2>\n${blocks.join("\n")}</section>`;
}

function renderFamilies(answer: Answer, all: readonly Answer[]): string {
  const { task, metric } = answer.series;
  const alike = all.filter(
    ({ series, points }) => series.task === task && series.metric === metric && points.length > 0,
  );
  const families = alike.filter((one, i) => alike.findIndex((a) => a.series.family === one.series.family) === i);
  if (families.length < 2) return "";
  const panels = families.slice(0, maxFamilies).map((one) =>
    renderFigure({
      name: "family",
      series: one.series,
      draw: (size) => drawCurves(one, size),
      size: { width: 360, height: 320 },
      heading: `<h4><bdi>${escapeHtml(cleanText(one.series.family, 40))}</bdi></h4>`,
      caption: "",
      lines: one.curves.map(({ bitsPerWeight, points }) => ({ label: formatPrecision(bitsPerWeight), points })),
    }),
  );
  const more = families.length > maxFamilies ? ` The first ${maxFamilies} of ${families.length} families.` : "";
  return `<h3>Families</h3>
<div class="panels">${panels.join("\n")}</div>
<p class="note">${escapeHtml(`${metric.label} on ${cleanText(task, 60)} against size, one line a precision, one panel a family. Axes differ: losses of families with different tokenizers cannot be compared.${more}`)}</p>`;
}

function renderVariants(variants: Variants, answer: Answer): string {
  const { choice, bitsPerWeight, common, lines } = variants;
  const equal = common === "" ? "" : ` Equal in all: ${cleanText(common, 80)}.`;
  const more =
    variants.oneBitMore === undefined
      ? ""
      : ` The line of ${formatPrecision(bitsPerWeight + 1)} has none in 16 bits: what one bit more brings instead.`;
  const caption = `${explanations[choice]}${equal}${more} The line of 16 bits is not quantized.`;
  return `<h3>${titles[choice]} at ${formatPrecision(bitsPerWeight)}</h3>
${renderFigure({
  name: choice,
  series: answer.series,
  draw: (size) => drawVariants(variants, answer, size),
  caption: `<b>${titles[choice]} at ${formatPrecision(bitsPerWeight)}.</b> ${escapeHtml(caption)}`,
  lines: [
    ...lines,
    ...(variants.oneBitMore ? [{ label: formatPrecision(bitsPerWeight + 1), points: variants.oneBitMore }] : []),
  ],
})}`;
}

function renderModels(answer: Answer): string {
  if (answer.curves.length < 3) return "";
  const { label } = answer.series.metric;
  const law = fitOverBits(answer);
  const title = `${label.charAt(0).toUpperCase()}${label.slice(1)} against bits a weight`;
  const about = "one line a model, coloured in the order of their sizes";
  const caption =
    law === null ? `, ${about}; each point is the best spec of its precision.` : `, ${about}. ${explainLaw(law)}`;
  const curves = answer.curves.map(({ bitsPerWeight, points }) => ({ label: formatPrecision(bitsPerWeight), points }));
  return `<h3>${escapeHtml(title)}</h3>
${renderFigure({
  name: "bits",
  series: answer.series,
  draw: (size) => drawModels(answer, law, size),
  caption: `<b>${escapeHtml(describeSeries(answer))}</b>${escapeHtml(`${caption} Size is not charged here: for that see the first figure.`)}`,
  lines: law?.models.map(({ points }) => ({ label: points[0].row.model.name, points })) ?? curves,
})}`;
}

function explainLaw({ kind, choice: { best, candidates } }: BitsLaw): string {
  const { law, heldOutError, problems } = best;
  const error =
    heldOutError === null ? "" : `, which predicts models held out to ${(heldOutError * 100).toPrecision(2)} %`;
  const chosen = `the best of ${candidates.length} laws fitted to them (${law.label}: ${law.formula})${error}`;
  return [`Points: ${kind}, as measured. Lines: ${chosen}. Bands: 95 % of what a measurement gives.`, ...problems].join(
    " ",
  );
}
