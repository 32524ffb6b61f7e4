// The model that a user would have expected: the next larger one of the answer's family, and why it is not the answer.
// Also what of the unstable runs would have fitted, for both are told together.

import type { NextLarger, Option } from "./advice.ts";
import { formatBytes } from "./assumptions.ts";
import { advantage, type MetricFacts } from "./metrics.ts";

/** What is asked: options that are stable, runs that are not, and which may be taken. */
export interface Field {
  readonly all: readonly Option[];
  readonly unstable: readonly Option[];
  readonly budget: number;
  readonly metric: MetricFacts;
  /** Whether all but its size is as wanted. */
  readonly isAllowed: (one: Option) => boolean;
}

/** The next larger model of the family of `best`; null where none was measured. */
export function findNextLarger(best: Option, { all, unstable, budget, metric, isAllowed }: Field): NextLarger | null {
  const sizeOf = ({ row }: Option) => row.model.parameters;
  const larger = [...all, ...unstable].filter((one) => one.family === best.family && sizeOf(one) > sizeOf(best));
  if (larger.length === 0) return null;
  const size = Math.min(...larger.map(sizeOf));
  const isNext = (one: Option) => one.family === best.family && sizeOf(one) === size;
  const own = all.filter(isNext);
  const broken = describeUnstable(unstable.filter(isNext), budget);
  const { name } = larger.find(isNext)!;
  const start = `The next larger model, ${name},`;
  if (own.length === 0)
    return {
      model: name,
      spec: null,
      needed: null,
      fits: false,
      sentence: `${start} is unstable at every spec measured.`,
    };
  const tell = (one: Option, fits: boolean, sentence: string): NextLarger => {
    return { model: one.name, spec: one.spec, needed: one.needed, fits, sentence };
  };
  const fitting = own.filter((one) => one.needed <= budget && isAllowed(one));
  if (fitting.length > 0) {
    const first = fitting.reduce((a, b) => (advantage(metric, b.value, a.value) > 0 ? b : a));
    const value = `${metric.label} ${first.value.toFixed(3)}`;
    const most = Math.max(...fitting.map((one) => one.bitsPerWeight));
    const finer = own.filter((one) => one.needed > budget && one.bitsPerWeight > most);
    const next = finer.length === 0 ? null : smallestOf(finer);
    const beyond = next === null ? "" : ` At more bits it needs ${formatBytes(next.needed)} or more (${next.spec}).`;
    return tell(first, true, `${start} is no better where it fits: at best ${value}, at ${first.spec}.${beyond}`);
  }
  const smallest = smallestOf(own);
  if (smallest.needed <= budget)
    return tell(
      smallest,
      false,
      `${start} fits, but neither its speed nor its longest input is as asked for where it does.`,
    );
  const but = broken === null ? "" : ` What of it would fit, ${broken}, is unstable.`;
  return tell(
    smallest,
    false,
    `${start} does not fit: it needs ${formatBytes(smallest.needed)} at ${smallest.spec}, its smallest stable spec.${but}`,
  );
}

function smallestOf(options: readonly Option[]): Option {
  return options.reduce((a, b) => (b.needed < a.needed ? b : a));
}

/** `8 specs at 3 bits from 96.8 MB to 99.9 MB`; null where no unstable run would fit. */
export function describeUnstable(unstable: readonly Option[], budget: number): string | null {
  const within = unstable.filter((one) => one.needed <= budget);
  if (within.length === 0) return null;
  const bits = [...new Set(within.map((one) => Number(one.bitsPerWeight.toFixed(2))))].sort((a, b) => a - b);
  const precision = bits.length > 2 ? `${bits[0]} to ${bits.at(-1)} bits` : `${bits.join(" and ")} bits`;
  const sizes = within.map((one) => one.needed);
  const [low, high] = [formatBytes(Math.min(...sizes)), formatBytes(Math.max(...sizes))];
  const range = low === high ? `of ${low}` : `from ${low} to ${high}`;
  return `${within.length === 1 ? "1 spec" : `${within.length} specs`} at ${precision} ${range}`;
}
