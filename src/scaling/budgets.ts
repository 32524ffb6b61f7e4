// Round budgets across a range of sizes, such as 200 KB, 500 KB, 1 MB: the lines of the answer and ticks of an axis.

const ladders = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]];

/**
 * Budgets in bits, ascending, that are round numbers of bytes (1, 2, 5, .. x a power of ten) within `[low, high]`:
 * as many as come nearest to `wanted` without leaving the ladders 1, 1-3, 1-2-5, .. that people read.
 *
 * @param low - smallest budget in bits
 * @param high - largest budget in bits
 */
export function chooseBudgets(low: number, high: number, wanted = 8): number[] {
  let best: number[] = [];
  for (const ladder of ladders) {
    const budgets = climb(ladder, low, high);
    if (best.length === 0 || Math.abs(budgets.length - wanted) < Math.abs(best.length - wanted)) best = budgets;
  }
  return best;
}

function climb(ladder: readonly number[], low: number, high: number): number[] {
  const budgets: number[] = [];
  if (!(low > 0 && high >= low && high < Number.POSITIVE_INFINITY)) return budgets;
  for (let exponent = Math.floor(Math.log10(low / 8)); exponent <= Math.log10(high / 8); exponent++) {
    for (const step of ladder) {
      const bits = Math.round(8 * step * 10 ** exponent);
      if (bits >= low && bits <= high) budgets.push(bits);
    }
  }
  return budgets;
}
