// Sums, means and deviations as Python gives them: every sum is compensated, as `sum()` is since Python 3.12.
// The bottom of evaluate/; it knows nothing of models or tasks.

/** Compensated sum (Neumaier): the rounding error of every addition is added at the end. */
export function sum(values: ArrayLike<number>): number {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const next = total + value;
    // The exact error of the addition (Knuth's two-sum), whichever of the two is larger.
    const part = next - total;
    lost += total - (next - part) + (value - part);
    total = next;
  }
  return Number.isFinite(lost) ? total + lost : total;
}

/** `sum(values) / n`. */
export function mean(values: readonly number[] | Float64Array): number {
  return sum(values) / values.length;
}

/** Standard deviation of a sample, `sqrt(sum((x - mean)^2) / (n - 1))`; NaN below two values. */
export function sampleDeviation(values: readonly number[] | Float64Array): number {
  const center = mean(values);
  const squares = new Float64Array(values.length);
  for (let i = 0; i < squares.length; i++) squares[i] = (values[i] - center) ** 2;
  return Math.sqrt(sum(squares) / (values.length - 1));
}

/** Standard error of a mean, `deviation / sqrt(n)`; undefined below two values. */
export function meanError(values: readonly number[]): number | undefined {
  return values.length > 1 ? sampleDeviation(values) / Math.sqrt(values.length) : undefined;
}
