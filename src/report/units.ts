// Numbers as people read them: sizes in decimal KB, MB, GB as file managers show them, losses, shares, precisions.

import type { Margin } from "../scaling/compare.ts";
import type { MetricFacts } from "../scaling/metrics.ts";
import type { ShownResults } from "../scaling/shown.ts";

const sizeUnits = ["B", "KB", "MB", "GB", "TB", "PB"];

/** A size given in bits as decimal bytes, three digits: `8e6` is `1 MB`, `3.3e6` is `413 KB`. */
export function formatSize(bits: number): string {
  let value = bits / 8;
  let unit = 0;
  while (value >= 999.5 && unit < sizeUnits.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${trimDigits(value)} ${sizeUnits[unit]}`;
}

/** A number of parameters: `840000` is `0.84 M`. */
export function formatParameters(parameters: number): string {
  if (parameters >= 999.5e6) return `${trimDigits(parameters / 1e9)} B`;
  return parameters >= 99_950 ? `${trimDigits(parameters / 1e6)} M` : `${trimDigits(parameters / 1e3)} K`;
}

/**
 * A metric's value with three digits after the point, so that columns line up; of what that would make zero, two digits
 * that are not. Complete in itself: the page carries its text.
 */
export function formatValue(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size === 0 || size >= 0.0005) return value.toFixed(3);
  if (size < 1e-7) return value < 0 ? ">−0.0000001" : "<0.0000001";
  return value.toFixed(1 - Math.floor(Math.log10(size)));
}

/**
 * `3.571 ± 0.012`: a value and its standard error, where it has one. What is small beside its error has no more digits than
 * that: `<0.001 ± 0.010`.
 */
export function formatMeasured(value: number, standardError: number | null): string {
  if (standardError === null) return formatValue(value);
  const size = Math.abs(value);
  const isLost = size > 0 && size < 0.0005 && standardError >= 0.0005;
  return `${isLost ? `${value < 0 ? ">−" : "<"}0.001` : formatValue(value)} ± ${formatValue(standardError)}`;
}

/**
 * `0.031`, or `0.031 ~` where it cannot be told from noise; with its standard error `0.031 ± 0.004`. A margin whose error
 * is not known is `0.031 ± ?`.
 */
export function formatMargin(margin: Margin, withError = true): string {
  if (margin.standardError === null) return `${formatValue(margin.value)} ± ?`;
  const measured = formatMeasured(margin.value, margin.standardError);
  return `${withError ? measured : measured.split(" ± ")[0]}${margin.withinNoise ? " ~" : ""}`;
}

/** A share between 0 and 1 in percent; `<1 %` for what is small but not nothing. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.005) return "<1 %";
  if (share < 1 && share > 0.995) return ">99 %";
  return `${Math.round(share * 100)} %`;
}

/** `4 bits`; of a mix `4.37 bits`. */
export function formatPrecision(bitsPerWeight: number): string {
  return `${Number(bitsPerWeight.toFixed(2))} bits`;
}

/** `loss, nats a token` or `accuracy`. */
export function formatMetric(metric: MetricFacts): string {
  return metric.unit === "" || metric.unit === metric.label ? metric.label : `${metric.label}, ${metric.unit}`;
}

/** A whole number with thin separators: `35,000`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** `1 model`, `3 models`. */
export function formatPlural(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** How many results are shown, with how many there are where these are fewer; failed and unstable ones, empty where there are none. */
export function countShown({ rows, failures, unstable, stored }: ShownResults) {
  const of = rows.length < stored ? ` of the ${formatCount(stored)} stored` : "";
  return {
    results: formatPlural(rows.length, "result") + of,
    failures: failures.length === 0 ? "" : formatPlural(failures.length, "failure"),
    unstable: unstable.length === 0 ? "" : `${formatCount(unstable.length)} unstable and left out`,
  };
}

/** A date in ISO 8601, to the minute: `2026-11-24 08:00`. */
export function formatTime(date: string): string {
  return date.slice(0, 16).replace("T", " ");
}

function trimDigits(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
