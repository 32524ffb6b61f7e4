import { expect, test } from "vitest";
import { selectOrdered } from "../../src/quantize/codebooks/order-statistics.ts";
import { createRandom } from "../../src/tensor/random.ts";

const random = createRandom(5);
const normals = (count: number) => Float32Array.from({ length: count }, random.normal);

test.each([
  ["few", normals(1001)],
  ["many", normals(100_003)],
  ["many with repetitions", normals(100_003).map((x) => Math.round(3 * x) / 3)],
  ["many of every size", normals(100_003).map((x) => x * 10 ** random.integer(60) * 1e-40)],
])("ranks of %s values are those of the sorted values", (_, values) => {
  const sorted = values.toSorted();
  const ranks = [0, 1, 17, Math.floor(values.length / 2), values.length - 2, values.length - 1, 17];
  expect(selectOrdered(values, ranks).map((x) => x + 0)).toEqual(ranks.map((rank) => sorted[rank] + 0));
});

test("every rank of many values can be asked at once", () => {
  const values = normals(70_000);
  const ranks = Array.from({ length: 510 }, (_, i) => i * 137);
  expect(selectOrdered(values, ranks)).toEqual(ranks.map((rank) => values.toSorted()[rank]));
});
