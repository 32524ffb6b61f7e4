// How good a mix can be at most: the linear relaxation of the choice, in which a group may be split between two options.
// Its price of a byte prunes the exact search of mix-solver.ts, which stands on it.

/** One way to store a group of matrices. */
export interface MixOption {
  readonly bytes: number;
  /** What is lost by it; sums over groups. May be below 0. */
  readonly cost: number;
}

/** An option that is worth a look, with its place in the list it came from. */
export interface KeptOption extends MixOption {
  readonly index: number;
}

/** The relaxation's answer. */
export interface MixBound {
  /** What a byte is worth where the budget ends; 0 if it does not bind. */
  readonly price: number;
  /** `sum_g min_j (cost + price bytes) - price budget`: no choice within the budget costs less. */
  readonly bound: number;
  /** The option of each group that minimizes `cost + price bytes`, `(groups)`; of equals the smaller. */
  readonly cheapest: readonly KeptOption[];
}

/** The options of a group that no other equals or beats in both respects, ascending by bytes, so descending by cost. */
export function keepUndominated(options: readonly MixOption[]): KeptOption[] {
  const sorted = options
    .map(({ bytes, cost }, index) => ({ bytes, cost, index }))
    .filter(({ cost }) => cost < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.bytes - b.bytes || a.cost - b.cost);
  const kept: KeptOption[] = [];
  for (const option of sorted) if (kept.length === 0 || option.cost < kept[kept.length - 1].cost) kept.push(option);
  return kept;
}

/**
 * Relaxes the choice of one option a group. The best of the relaxation spends the budget on steps along each group's
 * lower convex hull, those that save most a byte first; the step at which it ends gives the price.
 *
 * @param groups - undominated options, at least one each; the smallest of all fit the budget
 */
export function boundMix(groups: readonly (readonly KeptOption[])[], budget: number): MixBound {
  let left = budget - sum(groups.map(([smallest]) => smallest.bytes));
  const steps = groups.flatMap(listSteps).sort((a, b) => b.saves - a.saves);
  let price = 0;
  for (const { bytes, saves } of steps) {
    left -= bytes;
    if (left < 0) {
      price = saves;
      break;
    }
  }
  const cheapest = groups.map((options) =>
    options.reduce((a, b) => (b.cost + price * b.bytes < a.cost + price * a.bytes ? b : a)),
  );
  return { price, bound: sum(cheapest.map(({ cost, bytes }) => cost + price * bytes)) - price * budget, cheapest };
}

/** A step from one corner of a group's hull to the next. */
interface Step {
  readonly bytes: number;
  /** Cost saved a byte; falls from step to step. */
  readonly saves: number;
}

function listSteps(options: readonly KeptOption[]): Step[] {
  const steps: Step[] = [];
  for (let i = 0; i < options.length - 1; ) {
    let next = i + 1;
    const saves = (j: number) => (options[i].cost - options[j].cost) / (options[j].bytes - options[i].bytes);
    for (let j = next + 1; j < options.length; j++) if (saves(j) >= saves(next)) next = j;
    steps.push({ bytes: options[next].bytes - options[i].bytes, saves: saves(next) });
    i = next;
  }
  return steps;
}

/** The sum of numbers. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
