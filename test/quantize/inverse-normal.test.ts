import { expect, test } from "vitest";
import { inverseNormal } from "../../src/quantize/codebooks/inverse-normal.ts";

// scipy.stats.norm.ppf
test.each([
  [1e-10, -6.361340902404056],
  [1e-6, -4.753424308822899],
  [0.001, -3.090232306167813],
  [0.025, -1.9599639845400545],
  [0.1, -1.2815515655446004],
  [0.25, -0.6744897501960817],
  [0.5, 0],
  [0.9677083, 1.8481309597573734],
  [0.999, 3.090232306167813],
])("the normal quantile at %d is scipy's", (p, x) => {
  expect(Math.abs(inverseNormal(p) - x)).toBeLessThan(1e-14 * Math.max(1, Math.abs(x)));
});
