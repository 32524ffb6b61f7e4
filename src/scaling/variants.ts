// Rows that differ in one choice only: block size, data type, or what stays in 16 bits. The lines of the paper's figures
// for these, as numbers: for each choice one point a model, at one precision and with everything else equal.

import type { Answer } from "./answer.ts";
import { type Point, pickBest } from "./curves.ts";
import type { MetricFacts } from "./metrics.ts";
import { type SpecParts, splitSpec } from "./observations.ts";
import { groupBy, modelKey } from "./series.ts";

/** The choice in which rows differ. */
export type VariedChoice = "block" | "type" | "proxy";

/** One choice across models. */
export interface VariantLine {
  /** Such as `64`, `float e2`, `2 % in 16 bits`. */
  readonly label: string;
  /** One a model, ascending by bits. */
  readonly points: readonly Point[];
}

/** Choices side by side. */
export interface Variants {
  readonly choice: VariedChoice;
  readonly bitsPerWeight: number;
  /** What all lines have in common, as a spec text without the choice: `float:e2`, `b64`. */
  readonly common: string;
  /** At least two, each of at least two models; block sizes ascending, other choices from best to worst. */
  readonly lines: readonly VariantLine[];
  /** Of outlier columns: the same with one bit more and none in 16 bits, which is what they compete with. */
  readonly oneBitMore?: readonly Point[];
}

/** How a spec is read for a choice: what the choice is, and what must be equal. */
interface Reading {
  readonly value: string;
  readonly label: string;
  readonly common: readonly string[];
}

const ofTypes = new Set(["ieee", "bnb", "appendix", "sram", "eq6"]); // options that only one type has
const isProxy = (option: string) => option.startsWith("proxy");
const nameBlock = (block: string) => (Number(block) > 0 ? `b${block}` : block === "row" ? "brow" : "");
const fill = (words: readonly string[]) => words.filter((word) => word !== "");

const readings: Readonly<Record<VariedChoice, (spec: SpecParts) => Reading>> = {
  block: ({ type, exponent, block, rest }) => ({
    value: block!,
    label: Number(block) > 0 ? block! : `a ${block}`,
    common: fill([type, exponent, ...rest]),
  }),
  type: ({ type, exponent, block, rest }) => {
    const own = rest.filter((option) => ofTypes.has(option) && option !== "ieee");
    const value = fill([type, exponent, ...own]).join(" ");
    return { value, label: value, common: fill([nameBlock(block!), ...rest.filter((option) => !ofTypes.has(option))]) };
  },
  proxy: ({ type, exponent, block, rest }) => {
    const proxy = rest.find(isProxy) ?? "";
    const [, percent, rule] = /^proxy([\d.]+)(-self)?$/.exec(proxy) ?? [];
    const label = proxy === "" ? "none in 16 bits" : `${percent} % in 16 bits${rule ? " (own columns)" : ""}`;
    return {
      value: proxy,
      label,
      common: fill([type, exponent, nameBlock(block!), ...rest.filter((option) => !isProxy(option))]),
    };
  },
};

/** Most lines that one figure shows. */
const maxLines = 8;

/**
 * For each choice that the answer's points differ in, the comparison with most points: of equals the one nearest to 4
 * bits, of outlier columns to 3, which the paper draws. Choices that were not varied on two models are left out.
 */
export function findVariants({ points, series: { metric } }: Pick<Answer, "points" | "series">): Variants[] {
  const quantized = points.filter((point) => splitSpec(point.row.key.spec).block !== null);
  return (["block", "type", "proxy"] as const).flatMap((choice) => {
    const read = (point: Point) => readings[choice](splitSpec(point.row.key.spec));
    const groups = groupBy(quantized, (point) => JSON.stringify([point.row.bitsPerWeight, read(point).common]));
    const found = [...groups.values()].map((group): Variants => {
      const lines = groupBy(group, (point) => read(point).value);
      return {
        choice,
        bitsPerWeight: group[0].row.bitsPerWeight,
        common: read(group[0]).common.join(":"),
        lines: sortLines(
          [...lines.values()]
            .map((same) => ({ label: read(same[0]).label, points: onePerModel(same, metric) }))
            .filter((line) => line.points.length > 1),
          choice,
          metric,
        ).slice(0, maxLines),
      };
    });
    const usable = found.filter((one) => one.lines.length > 1);
    if (usable.length === 0) return [];
    const richest = usable.reduce((a, b) => (isRicher(b, a) ? b : a));
    return [choice === "proxy" ? { ...richest, ...findOneBitMore(richest, quantized, metric) } : richest];
  });
}

// Exponent bits follow the width, so they may differ.
function findOneBitMore(
  { bitsPerWeight, common }: Variants,
  points: readonly Point[],
  metric: MetricFacts,
): Pick<Variants, "oneBitMore"> {
  const plain = (words: string) => words.replace(/:e\d(?=:|$)/, "");
  const same = points.filter((point) => {
    const reading = readings.proxy(splitSpec(point.row.key.spec));
    const isOneMore = point.row.bitsPerWeight === bitsPerWeight + 1;
    return isOneMore && reading.value === "" && plain(reading.common.join(":")) === plain(common);
  });
  const oneBitMore = onePerModel(same, metric);
  return oneBitMore.length > 1 ? { oneBitMore } : {};
}

function isRicher(a: Variants, b: Variants): boolean {
  const count = ({ lines }: Variants) => lines.reduce((sum, line) => sum + line.points.length, 0);
  const distance = (one: Variants) => Math.abs(one.bitsPerWeight - (one.choice === "proxy" ? 3 : 4));
  return count(a) > count(b) || (count(a) === count(b) && distance(a) < distance(b));
}

function onePerModel(points: readonly Point[], metric: MetricFacts): Point[] {
  const best = [...groupBy(points, (point) => modelKey(point.row)).values()].map((same) => pickBest(same, metric));
  return best.sort((a, b) => a.bits - b.bits);
}

function sortLines(lines: VariantLine[], choice: VariedChoice, metric: MetricFacts): VariantLine[] {
  if (choice === "block") {
    const size = ({ label }: VariantLine) => Number(label) || (label === "a row" ? 1e9 : 1e10);
    return lines.sort((a, b) => size(a) - size(b));
  }
  const mean = ({ points }: VariantLine) => points.reduce((sum, point) => sum + point.value, 0) / points.length;
  const sign = metric.better === "lower" ? 1 : -1;
  return lines.sort((a, b) => b.points.length - a.points.length || sign * (mean(a) - mean(b)));
}
