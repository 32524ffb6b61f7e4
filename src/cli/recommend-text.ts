// An advice on the terminal: the answer in a sentence, what comes next and by how much, what another size would give, what to
// measure, and what was assumed. It fits 80 columns.

import { cleanText } from "../report/text.ts";
import { formatValue } from "../report/units.ts";
import { formatBytes } from "../scaling/assumptions.ts";
import type { Alternative, Option, Recommendation } from "../scaling/recommend.ts";
import { formatRuns } from "./recommend-command.ts";
import { formatTable, lineWidth, paint, printLine, wrapText } from "./terminal.ts";

/** Prints the advice. */
export function printAdvice(advice: Recommendation, db: string): void {
  const { answer, best, alternatives, frontier, assumptions } = advice;
  printWrapped(answer, (line) => paint("bold", line));
  if (best !== null) printWrapped(describeBest(advice, best));
  if (alternatives.length > 0) printLine(`\n${formatAlternatives(advice)}`);
  if (frontier.length > 1) printLine(`\n${formatFrontier(advice)}`);
  if (best !== null) {
    printLine();
    const precision = describePrecision(advice);
    if (precision !== "") printWrapped(precision);
    printNext(advice, db);
  }
  printLine();
  for (const line of assumptions) {
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
  const columns = [
    { title: "Next best" },
    { title: "Spec" },
    { title: "Size", align: "right" },
    { title: metric.label, align: "right" },
    { title: "worse by, 95 %" },
  ] as const;
  const difference = (one: Alternative) =>
    `${formatValue(one.difference)} ${one.differenceInterval ? formatInterval(one.differenceInterval) : "± ?"}`;
  const rows = alternatives.map((one) => [
    name(one.name),
    name(one.spec),
    formatBytes(one.needed),
    showValue(one),
    difference(one),
  ]);
  return formatTable(columns, rows);
}

function formatFrontier({ metric, frontier, best }: Recommendation): string {
  const columns = [
    { title: "Best by size" },
    { title: "Spec" },
    { title: "Size", align: "right" },
    { title: metric.label, align: "right" },
    { title: "" },
  ] as const;
  const isBest = (one: Option) => one.model === best?.model && one.spec === best.spec;
  const rows = frontier.map((one) => [
    name(one.name),
    name(one.spec),
    formatBytes(one.needed),
    showValue(one),
    isBest(one) ? "the answer" : one.fits ? "" : "over the budget",
  ]);
  return formatTable(columns, rows);
}

/** The paper's question, where models of all sizes are thought to exist; empty where it has no answer. */
function describePrecision({ precision }: Recommendation): string {
  if (precision === null || precision.chances.length < 2) return "";
  const { optimal, family } = precision;
  const bits = optimal.length === 1 ? `${optimal[0]}` : `${optimal.slice(0, -1).join(", ")} or ${optimal.at(-1)}`;
  const doubt = optimal.length === 1 ? "" : "; the documents do not tell which";
  return `If there were a model of ${cleanText(family, 28)} for exactly this size at every precision, the best would have ${bits} bits, by the curves between its models${doubt}.`;
}

function printNext({ nextExperiment, alternatives, frontier }: Recommendation, db: string): void {
  const hasPredictions = [...alternatives, ...frontier].some((one) => one.source === "predicted");
  if (hasPredictions) printLine("~ is predicted by the law of its family.");
  if (nextExperiment === null) {
    printLine("No single experiment here is likely to change this.");
    return;
  }
  printWrapped(`To measure next: ${nextExperiment.reason}`);
  const commands = formatRuns(nextExperiment, db);
  const otherwise = "With the tool or the study file that its other results come from.";
  for (const command of commands ?? [otherwise]) printLine(`  ${command}`);
}
