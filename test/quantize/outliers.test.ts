import { expect, test } from "vitest";
import {
  columnDeviations,
  dropColumns,
  keepColumns,
  pickOutliers,
  unitDeviations,
} from "../../src/quantize/outliers.ts";

const weights = Float32Array.of(1, 2, 6, -1, 0, 1); // 2 x 3
const close = (actual: ArrayLike<number>, expected: number[]) => {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 12);
  });
};

test("a unit's deviation is that of its row, n - 1 in the denominator as in torch.std", () => {
  close(unitDeviations([{ weights, shape: [2, 3], axis: "rows" }]), [Math.sqrt(7), 1]);
});

test("a column's deviation is that of its weights", () => {
  close(columnDeviations(weights, [2, 3]), [Math.SQRT2, Math.SQRT2, 5 / Math.SQRT2]);
});

test("several writers of the same units are joined weight by weight", () => {
  const other = Float32Array.of(0, 4, 3, 3); // 2 x 2
  const joined = unitDeviations([
    { weights, shape: [2, 3], axis: "rows" },
    { weights: other, shape: [2, 2], axis: "rows" },
  ]);
  // Unit 0: 1, 2, 6, 0, 4 and unit 1: -1, 0, 1, 3, 3.
  close(joined, [Math.sqrt(5.8), Math.sqrt(3.2)]);
  const columns = unitDeviations([
    { weights, shape: [2, 3], axis: "rows" },
    { weights: other, shape: [2, 2], axis: "columns" },
  ]);
  // Unit 0: 1, 2, 6, 0, 3 and unit 1: -1, 0, 1, 4, 3.
  close(columns, [Math.sqrt(5.3), Math.sqrt(4.3)]);
});

test("units of a writer may feed several columns of the reader", () => {
  const units = Int32Array.of(1, 1, 0, 0);
  close(unitDeviations([{ weights, shape: [2, 3], axis: "rows", units }]), [1, 1, Math.sqrt(7), Math.sqrt(7)]);
});

test("writers of different widths are refused", () => {
  expect(() =>
    unitDeviations([
      { weights, shape: [2, 3], axis: "columns" },
      { weights, shape: [2, 3], axis: "rows" },
    ]),
  ).toThrow("unit 2 is not in all of them");
});

test("the units of largest deviation are picked, at least one, ascending, the first of equals", () => {
  const deviations = Float64Array.of(3, 9, 1, 9, 4, 9);
  expect(pickOutliers(deviations, 1)).toEqual(Uint32Array.of(1));
  expect(pickOutliers(deviations, 34)).toEqual(Uint32Array.of(1, 3));
  expect(pickOutliers(deviations, 60)).toEqual(Uint32Array.of(1, 3, 4, 5));
  expect(pickOutliers(new Float64Array(768), 2).length).toBe(15); // 15.36
  expect(pickOutliers(new Float64Array(775), 2).length).toBe(16); // 15.5
  expect(pickOutliers(Float64Array.of(1), 99)).toEqual(Uint32Array.of(0));
});

test("columns are kept row by row as float16, and the rest is what is left", () => {
  const kept = keepColumns(weights, [2, 3], Uint32Array.of(0, 2), "w");
  expect(kept.values).toEqual(Float16Array.of(1, 6, -1, 1));
  expect(dropColumns(weights, 3, kept.columns)).toEqual(Float32Array.of(2, 0));
});

test("columns out of order or range are refused, and so are weights beyond float16", () => {
  expect(() => keepColumns(weights, [2, 3], Uint32Array.of(2, 1), "w")).toThrow("not ascending");
  expect(() => keepColumns(weights, [2, 3], Uint32Array.of(3), "w")).toThrow("below 3");
  const large = Float32Array.of(1, 2, 3, 1e6);
  expect(() => keepColumns(large, [2, 2], Uint32Array.of(1), "w")).toThrow(
    'tensor "w": the outlier weight [1, 1] is 1000000',
  );
});
