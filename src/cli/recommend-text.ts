// An advice on the terminal: the answer in a sentence, what comes next and by how much, what another size would give, what to
// measure, and what was assumed. It fits 80 columns.

import { cleanText } from "../report/text.ts";
import { formatValue } from "../report/units.ts";
import { formatBytes } from "../scaling/assumptions.ts";
import type { Alternative, Option, Recommendation } from "../scaling/recommend.ts";
import { formatRuns } from "./recommend-command.ts";
import { type Column, formatTable, lineWidth, paint, printLine, wrapText } from "./terminal.ts";

/** Prints the advice; with `details` also what is for who wants to check. */
export function printAdvice(advice: Recommendation, db: string, details: boolean): void {
  const { answer, best, nextLarger, alternatives, frontier, assumptions } = advice;
  printWrapped(answer, (line) => paint("bold", line));
  if (best !== null) printWrapped(describeBest(advice, best));
  if (nextLarger !== null) printWrapped(nextLarger.sentence);
  if (alternatives.length > 0) printLine(`\n${formatAlternatives(advice)}`);
  if (frontier.length > 1) printLine(`\n${formatFrontier(advice)}`);
  if (best !== null) {
    printLine();
    const precision = describePrecision(advice);
    if (precision !== "") printWrapped(precision);
    printNext(advice, db);
  }
  printLine();
  for (const line of details ? [...assumptions, ...advice.details] : assumptions) {
    const [first, ...rest] = wrapText(line, lineWidth() - 2);
    for (const text of [`- ${first}`, ...rest.map((one) => `  ${one}`)]) printLine(paint("dim", text));
  }
}

function printWrapped(text: string, style = (line: string) => line): void {
  for (const line of wrapText(text, lineWidth())) printLine(style(line));
}

/** `Its loss is 3.591 nats a token (95 % [3.572, 3.610]), measured.` */
function describeBest({ metric }: Recommendation, best: Option): string {
  const unit = metric.unit === "" ? "" : ` ${metric.unit}`;
  const speed = best.tokensPerSecond === null ? "" : `; ${describeSpeed(best)}`;
  const how = best.source === "predicted" ? "predicted by the law, not measured" : "measured";
  return `Its ${metric.label} is ${formatValue(best.value)}${unit} (${describeInterval(best.interval)}), ${how}${speed}.`;
}

function describeSpeed({ tokensPerSecond, speedSource }: Option): string {
  const how = { timed: "timed", neighbour: "as its neighbour was timed", bandwidth: "as the bandwidth lets it" };
  return `${Math.round(tokensPerSecond!)} tokens a second, ${how[speedSource!]}`;
}

function describeInterval(interval: readonly [number, number] | null): string {
  return interval === null ? "its error is not known" : `95 % ${formatInterval(interval)}`;
}

function formatInterval([low, high]: readonly [number, number]): string {
  return `[${formatValue(low)}, ${formatValue(high)}]`;
}

const name = (text: string) => cleanText(text, 40);
const showValue = (one: Option) => `${one.source === "predicted" ? "~" : ""}${formatValue(one.value)}`;

function formatAlternatives({ metric, alternatives }: Recommendation): string {
  const columns = [{ title: "Next best" }, { title: "Spec" }, right("Size"), right(metric.label)];
  const difference = (one: Alternative) =>
    `${formatValue(one.difference)} ${one.differenceInterval ? formatInterval(one.differenceInterval) : "± ?"}`;
  const rows = alternatives.map((one) => [
    name(one.name),
    name(one.spec),
    formatBytes(one.needed),
    showValue(one),
    difference(one),
  ]);
  return formatTable([...columns, { title: "worse by, 95 %" }], rows);
}

/** With the size of files where it is known of one. */
function formatFrontier({ metric, frontier, best }: Recommendation): string {
  const hasFiles = frontier.some((one) => one.fileBytes !== null && one.cacheBytes === null);
  const files = hasFiles ? [right("File")] : [];
  const columns = [{ title: "Best by size" }, { title: "Spec" }, right("Size"), ...files, right(metric.label)];
  const isBest = (one: Option) => one.model === best?.model && one.spec === best.spec;
  const rows = frontier.map((one) => [
    name(one.name),
    name(one.spec),
    formatBytes(one.needed),
    ...(hasFiles ? [one.fileBytes === null ? "?" : formatBytes(one.fileBytes)] : []),
    showValue(one),
    isBest(one) ? "the answer" : one.fits ? "" : "too large",
  ]);
  return formatTable([...columns, { title: "" }], rows);
}

function right(title: string): Column {
  return { title, align: "right" };
}

/** The paper's question, where models of all sizes are thought to exist; empty where it has no answer. */
function describePrecision({ precision, budget }: Recommendation): string {
  if (precision === null || precision.chances.length < 2) return "";
  const { optimal, family, paired } = precision;
  if (!paired && optimal.length > 1) return ""; // without documents next to nothing is told apart
  const of = `the best of exactly ${formatBytes(budget)} would have`;
  const start = `If models of ${cleanText(family, 28)} came in every size,`;
  if (optimal.length > 2 && optimal.length === precision.chances.length)
    return `${start} no precision could be told from another at exactly ${formatBytes(budget)}.`;
  const sorted = optimal.toSorted((a, b) => a - b);
  const bits = sorted.length === 1 ? `${sorted[0]}` : `${sorted.slice(0, -1).join(", ")} or ${sorted.at(-1)}`;
  const doubt = sorted.length === 1 ? "" : "; the documents do not tell which";
  return `${start} ${of} ${bits} bits a weight (read between the sizes measured)${doubt}.`;
}

function printNext({ nextExperiment, noExperiment, alternatives, frontier }: Recommendation, db: string): void {
  const hasPredictions = [...alternatives, ...frontier].some((one) => one.source === "predicted");
  if (hasPredictions) printLine("~ is predicted by the law of its family.");
  if (nextExperiment === null) {
    printWrapped(noExperiment ?? "No single experiment here is likely to change this.");
    return;
  }
  printWrapped(`To measure next: ${nextExperiment.reason}`);
  const commands = formatRuns(nextExperiment, db);
  const otherwise = "With the tool or the study file that its other results come from.";
  for (const command of commands ?? [otherwise]) printLine(`  ${command}`);
}
