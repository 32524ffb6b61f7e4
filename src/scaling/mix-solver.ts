// The best mix within a budget: one option a group, least cost in sum, bytes in sum within the budget (a multiple-choice
// knapsack). Pure numbers; what the options are and how their costs were measured is the caller's.
//
// Dynamic programming over the groups keeps, of all choices so far, those that no other equals or beats in bytes and cost.
// Each carries its reduced cost: how far it already is above the linear relaxation's bound (mix-bound.ts). Where that
// passes the best complete choice known, it is dropped. This is exact. Where the lists grow beyond a limit the worst are
// dropped too; the least bound among those is then what the optimum cannot be below, so that the gap is proven.

import { boundMix, type KeptOption, keepUndominated, type MixBound, type MixOption, sum } from "./mix-bound.ts";

/** A choice within the budget. */
export interface MixSolution {
  /** Index of the option of each group, `(groups)`. */
  readonly choice: readonly number[];
  readonly bytes: number;
  readonly cost: number;
  /** No choice within the budget costs less than this; `cost` itself where the choice is optimal. */
  readonly bound: number;
  readonly isOptimal: boolean;
  /** Of the linear relaxation: `bound` before any search. */
  readonly relaxedBound: number;
}

/** Partial choices, ascending by bytes, descending by cost: `(length)` each. */
interface States {
  readonly bytes: Float64Array;
  readonly cost: Float64Array;
  /** What they are above the relaxation's bound. */
  readonly above: Float64Array;
  /** The state of the group before that each extends, and by which of the options left. */
  readonly parent: Int32Array;
  readonly option: Int32Array;
}

/** A complete choice while searching: a state after `groups` groups, and the cheapest options at the bound's price behind it. */
interface Incumbent {
  readonly cost: number;
  readonly groups: number;
  readonly state: number;
}

/**
 * Solves for the least cost.
 *
 * @param groups - options of each group; costs that are infinite rule an option out
 * @param maxStates - partial choices kept at a time; beyond that the answer may not be the best, and its gap is given
 * @returns undefined if no choice is within the budget
 */
export function solveMix(
  groups: readonly (readonly MixOption[])[],
  budget: number,
  maxStates = 100_000,
): MixSolution | undefined {
  const kept = groups.map(keepUndominated);
  if (kept.some((options) => options.length === 0) || sum(kept.map(([least]) => least.bytes)) > budget)
    return undefined;
  const relaxed = boundMix(kept, budget);
  const greedy = fillGreedily(kept, relaxed, budget);
  // Where costs nearly cancel, sums differ by rounding; a choice is dropped only if it is above by more than that.
  const scale = sum(kept.map((options) => Math.max(...options.map(({ cost }) => Math.abs(cost)))));
  const slack = 1e-12 * (scale + relaxed.price * budget);
  const found = search(kept, relaxed, budget, sum(greedy.map(({ cost }) => cost)), slack, maxStates);
  const picked = found.picked ?? greedy;
  const cost = sum(picked.map((option) => option.cost));
  const bound = Math.min(cost, found.droppedBound);
  return {
    choice: picked.map(({ index }) => index),
    bytes: sum(picked.map(({ bytes }) => bytes)),
    cost,
    bound,
    isOptimal: bound === cost,
    relaxedBound: Math.min(relaxed.bound, cost),
  };
}

/** The relaxation made whole: every group at its cheapest by price, made smaller until it fits, then better where it fits. */
function fillGreedily(kept: readonly KeptOption[][], { price, cheapest }: MixBound, budget: number): KeptOption[] {
  const picked = [...cheapest];
  let bytes = sum(picked.map((option) => option.bytes));
  const swap = (g: number, option: KeptOption) => {
    bytes += option.bytes - picked[g].bytes;
    picked[g] = option;
  };
  while (bytes > budget) {
    // The smaller option that loses least by the price; there is one, since the smallest of all fit.
    let best: { g: number; option: KeptOption; loss: number } | undefined;
    for (const [g, options] of kept.entries()) {
      for (const option of options) {
        if (option.bytes >= picked[g].bytes) break;
        const loss = option.cost - picked[g].cost + price * (option.bytes - picked[g].bytes);
        if (best === undefined || loss < best.loss) best = { g, option, loss };
      }
    }
    swap(best!.g, best!.option);
  }
  for (let improves = true; improves; ) {
    improves = false;
    for (const [g, options] of kept.entries()) {
      const better = options.findLast((option) => bytes - picked[g].bytes + option.bytes <= budget)!;
      if (better.cost >= picked[g].cost) continue;
      swap(g, better);
      improves = true;
    }
  }
  return picked;
}

/** Searches below a known cost; `picked` is absent if nothing better was found. */
function search(
  kept: readonly KeptOption[][],
  { price, bound, cheapest }: MixBound,
  budget: number,
  known: number,
  slack: number,
  maxStates: number,
): { picked?: KeptOption[]; droppedBound: number } {
  const above = (g: number, option: KeptOption) =>
    Math.max(0, option.cost - cheapest[g].cost + price * (option.bytes - cheapest[g].bytes));
  const limit = (cost: number) => cost - bound + slack;
  const options = kept.map((all, g) => all.filter((option) => above(g, option) <= limit(known)));
  // What the groups behind g need at least, and what they take at the bound's price.
  const behind = (read: (g: number) => number) => {
    const sums = new Float64Array(kept.length + 1);
    for (let g = kept.length - 1; g >= 0; g--) sums[g] = sums[g + 1] + read(g);
    return sums;
  };
  const leastBehind = behind((g) => options[g][0].bytes);
  const bytesBehind = behind((g) => cheapest[g].bytes);
  const costBehind = behind((g) => cheapest[g].cost);

  let best: Incumbent = { cost: known, groups: -1, state: 0 };
  let droppedBound = Number.POSITIVE_INFINITY;
  let from = createStates(1);
  const traces: Pick<States, "parent" | "option">[] = []; // of the states after each group: all that is left of them
  for (let g = 0; g < kept.length; g++) {
    let to = createStates(0);
    for (const [o, option] of options[g].entries()) {
      const room = budget - leastBehind[g + 1] - option.bytes;
      to = mergeStates(to, extendStates(from, option, o, above(g, option), room, limit(best.cost)));
    }
    if (to.bytes.length > maxStates) {
      const cut = to.above.slice().sort()[maxStates];
      const worst = filterStates(to, (s) => to.above[s] >= cut);
      for (const excess of worst.above) droppedBound = Math.min(droppedBound, bound + excess);
      to = filterStates(to, (s) => to.above[s] < cut);
    }
    for (let s = 0; s < to.bytes.length; s++) {
      const cost = to.cost[s] + costBehind[g + 1];
      if (to.bytes[s] + bytesBehind[g + 1] <= budget && cost < best.cost) best = { cost, groups: g + 1, state: s };
    }
    traces.push({ parent: to.parent.slice(), option: to.option.slice() });
    from = to;
  }
  if (best.groups < 0) return { droppedBound };
  const picked = [...cheapest];
  for (let g = best.groups, s = best.state; g > 0; g--) {
    picked[g - 1] = options[g - 1][traces[g - 1].option[s]];
    s = traces[g - 1].parent[s];
  }
  return { picked, droppedBound };
}

function createStates(length: number): States {
  const numbers = () => new Float64Array(length);
  return {
    bytes: numbers(),
    cost: numbers(),
    above: numbers(),
    parent: new Int32Array(length),
    option: new Int32Array(length),
  };
}

/** States with an option added to each, as far as they fit and can still be better than what is known. */
function extendStates(
  from: States,
  option: MixOption,
  index: number,
  extra: number,
  room: number,
  limit: number,
): States {
  const to = filterStates(from, (s) => from.bytes[s] <= room && from.above[s] + extra <= limit, true);
  for (let s = 0; s < to.bytes.length; s++) {
    to.bytes[s] += option.bytes;
    to.cost[s] += option.cost;
    to.above[s] += extra;
    to.option[s] = index;
  }
  return to;
}

/** Some of the states; `asParents`: each becomes its own parent. */
function filterStates(from: States, keep: (s: number) => boolean, asParents = false): States {
  const places: number[] = [];
  for (let s = 0; s < from.bytes.length; s++) if (keep(s)) places.push(s);
  const to = createStates(places.length);
  places.forEach((s, i) => {
    copyState(from, s, to, i);
    if (asParents) to.parent[i] = s;
  });
  return to;
}

/** Both lists in order; a state that another equals or beats in bytes and cost is left out. */
function mergeStates(a: States, b: States): States {
  const merged = createStates(a.bytes.length + b.bytes.length);
  let length = 0;
  for (let i = 0, j = 0; i < a.bytes.length || j < b.bytes.length; ) {
    const takesA =
      j === b.bytes.length ||
      (i < a.bytes.length && (a.bytes[i] < b.bytes[j] || (a.bytes[i] === b.bytes[j] && a.cost[i] <= b.cost[j])));
    copyState(takesA ? a : b, takesA ? i++ : j++, merged, length);
    if (length === 0 || merged.cost[length] < merged.cost[length - 1]) length++;
  }
  const { bytes, cost, above, parent, option } = merged;
  return {
    bytes: bytes.subarray(0, length),
    cost: cost.subarray(0, length),
    above: above.subarray(0, length),
    parent: parent.subarray(0, length),
    option: option.subarray(0, length),
  };
}

function copyState(from: States, s: number, to: States, i: number): void {
  to.bytes[i] = from.bytes[s];
  to.cost[i] = from.cost[s];
  to.above[i] = from.above[s];
  to.parent[i] = from.parent[s];
  to.option[i] = from.option[s];
}
