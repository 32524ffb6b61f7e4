// The page of a model as text: a few lines in all, tensors of the same kind in one row over the layers.

import { formatSize } from "../report/units.ts";
import type { ModelPage, TensorFacts } from "./inspect-model.ts";
import { drawBar } from "./number-line.ts";
import { type Column, formatTable, wrapText } from "./terminal.ts";

/**
 * @param all - every tensor in a row of its own, vectors too
 * @param width - characters of a line, at least 80
 */
export function formatModel(page: ModelPage, all: boolean, width = 100): string {
  const { bits, parameters, histogram } = page;
  const rows = all ? page.tensors.map((tensor) => [tensor]) : groupTensors(page.tensors);
  const lines = [
    `${page.model}: ${page.architecture}, ${count(parameters)} parameters, ${formatSize(8 * page.fileBytes)} on disk, ${page.spec}`,
    "",
    formatSizes(page),
    "",
    formatTensors(rows, page.spec === "stored", Math.max(80, width)),
  ];
  if (page.normalizedMse != null) {
    lines.push("", `error ${page.normalizedMse.toPrecision(4)} normalized MSE over all quantized weights`);
  }
  if (histogram) lines.push("", formatHistogram(histogram.codebook, histogram.counts));
  if (page.warning !== null) lines.push("", ...wrapText(`Note: ${page.warning}`, 100));
  if (page.normalizedMse === undefined && bits.quantized === 0)
    lines.push("", "Add --spec to see what quantizing does to each tensor.");
  return lines.join("\n");
}

function formatSizes({ bits, parameters, nonEmbeddingParameters, quantizedParameters }: ModelPage): string {
  const row = (name: string, size: number, total: number) => [
    name,
    count(size),
    count(total),
    size === 0 ? "" : (total / size).toFixed(3),
  ];
  const rows = [
    row("whole model", parameters, bits.total),
    row("without embeddings", nonEmbeddingParameters, bits.nonEmbedding),
  ];
  if (quantizedParameters > 0) {
    rows.push(row("quantized", quantizedParameters, bits.quantized));
    rows.push(["quantized, nominal", "", "", bits.nominalPerParameter.toFixed(3)]);
  }
  return formatTable(numbers("counted", ["parameters", "bits", "bits a parameter"]), rows);
}

/** A column of the table of tensors with its cells. */
interface TensorColumn extends Column {
  readonly cells: readonly string[];
}

/** What a narrow table leaves out, the first first. */
const dispensable = ["role", "entropy", "codes used", "type"];
/** A name that is cut to less is no name. */
const nameWidth = 36;

function formatTensors(groups: readonly (readonly TensorFacts[])[], isStored: boolean, width: number): string {
  const cells = (title: string, format: (group: readonly TensorFacts[]) => string, align?: "right"): TensorColumn => ({
    title,
    align,
    cells: groups.map(format),
  });
  const measures = groups.map(formatMeasures);
  const measure = (title: string, index: number) =>
    cells(title, (group) => measures[groups.indexOf(group)][index], "right");
  let columns = [
    cells("n", (group) => (group.length === 1 ? "" : String(group.length)), "right"),
    cells("shape", formatShape, "right"),
    cells("type", ([first]) => first.type),
    cells("role", ([first]) => [first.part, first.operation].filter(Boolean).join(" ")),
    cells("spec", ([first]) => first.spec ?? ""),
    cells("bits", formatDensity, "right"),
    measure("error", 0),
    measure("codes used", 1),
    measure("entropy", 2),
    measure("outliers", 3),
    cells(isStored ? "by default" : "quantized", ([first]) => (first.quantized ? "yes" : "no")),
  ].filter((column) => column.cells.some((cell) => cell !== ""));
  const names = groups.map(nameGroup);
  const longest = Math.max(...names.map((name) => name.length));
  const room = () => columns.reduce((left, { title, cells }) => left - 2 - widthOf([title, ...cells]), width);
  for (const title of dispensable) {
    if (room() >= Math.min(longest, nameWidth)) break;
    columns = columns.filter((column) => column.title !== title);
  }
  const rows = names.map((name, i) => [
    shortenMiddle(name, Math.max(room(), 16)),
    ...columns.map(({ cells }) => cells[i]),
  ]);
  const reasons = [...new Set(groups.filter(([first]) => !first.quantized).map(([first]) => first.reason))];
  return [
    formatTable([{ title: "tensor" }, ...columns], rows),
    "",
    ...reasons.map((reason) => `not quantized: ${reason}`),
  ].join("\n");
}

function widthOf(cells: readonly string[]): number {
  return Math.max(...cells.map((cell) => cell.length));
}

/** A name of at most so many characters: its middle gives way to two points. */
function shortenMiddle(name: string, width: number): string {
  if (name.length <= width) return name;
  const head = Math.ceil((width - 2) / 2);
  return `${name.slice(0, head)}..${name.slice(head + 2 - width)}`;
}

function formatShape(group: readonly TensorFacts[]): string {
  const [{ shape }] = group;
  return group.every((tensor) => String(tensor.shape) === String(shape)) ? shape.join(" x ") : "";
}

/** Bits a weight. */
function formatDensity(group: readonly TensorFacts[]): string {
  const weights = group.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  const bits = group.reduce((sum, tensor) => sum + tensor.bits, 0);
  return weights === 0 ? "" : (bits / weights).toFixed(3);
}

/** Means over a group; of the codes used the least. */
function formatMeasures(group: readonly TensorFacts[]): string[] {
  const { normalizedMse, codesUsed, entropy, outlierColumns } = group[0];
  if (codesUsed === undefined || entropy === undefined) return ["", "", "", ""];
  const mean = (values: (number | null | undefined)[]) =>
    values.reduce<number>((sum, value) => sum + (value ?? 0), 0) / group.length;
  return [
    normalizedMse == null ? "unknown" : mean(group.map((tensor) => tensor.normalizedMse)).toPrecision(3),
    `${(100 * Math.min(...group.map((tensor) => tensor.codesUsed!))).toFixed(0)} %`,
    mean(group.map((tensor) => tensor.entropy)).toFixed(2),
    outlierColumns && outlierColumns.length > 0 ? formatColumns(group) : "",
  ];
}

/** The columns themselves where they are few and of one tensor, else how many. */
function formatColumns(group: readonly TensorFacts[]): string {
  const columns = group[0].outlierColumns!;
  return group.length === 1 && columns.length <= 8 ? columns.join(" ") : String(columns.length);
}

/** Matrices that differ only in their layer; all vectors; all that the architecture does not need. */
function groupTensors(tensors: readonly TensorFacts[]): TensorFacts[][] {
  const groups = new Map<string, TensorFacts[]>();
  for (const tensor of tensors) {
    const key =
      tensor.part === null
        ? `${tensor.reason} ${tensor.type}`
        : `${patternOf(tensor)} ${tensor.shape} ${tensor.type} ${tensor.reason} ${tensor.spec}`;
    groups.set(key, [...(groups.get(key) ?? []), tensor]);
  }
  const isVector = (group: TensorFacts[]) => Number(group[0].part === null);
  return [...groups.values()].sort((a, b) => isVector(a) - isVector(b));
}

function patternOf({ name, layer }: TensorFacts): string {
  return layer < 0 ? name : name.replace(new RegExp(`\\.${layer}\\.`), ".*.");
}

function nameGroup(group: readonly TensorFacts[]): string {
  if (group.length === 1) return group[0].name;
  return group[0].part === null ? `${group[0].name}, ..` : patternOf(group[0]);
}

const maxBars = 32;

/** How often each code is used, as bars; neighbours share a bar where there are many. */
function formatHistogram(codebook: readonly number[], counts: readonly number[]): string {
  const perBar = Math.ceil(counts.length / maxBars);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const bars: { value: number; n: number }[] = [];
  for (let i = 0; i < counts.length; i += perBar) {
    bars.push({ value: codebook[i] ?? 1, n: counts.slice(i, i + perBar).reduce((sum, n) => sum + n, 0) });
  }
  const most = Math.max(...bars.map(({ n }) => n));
  return bars
    .map(({ value, n }) => {
      const share = `${((100 * n) / total).toFixed(1)} %`;
      return `${value.toFixed(4).padStart(8)}${perBar > 1 ? ".." : "  "} ${share.padStart(7)} ${drawBar(n / most, 40)}`;
    })
    .join("\n");
}

function numbers(first: string, others: readonly string[]): Column[] {
  return [{ title: first }, ...others.map((title) => ({ title, align: "right" as const }))];
}

function count(value: number): string {
  return value.toLocaleString("en");
}
