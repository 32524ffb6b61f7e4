// How often the intervals of the laws cover the truth, a thousand times each; docs/laws.md has the table.
// Run: node bench/coverage.ts [repetitions]

import { type Coverage, coverEffect, coverEqualBits, coverLaw, rejectParallel } from "../test/scaling/coverage.ts";
import { coverDocuments, coverMeasured, coverSeeds } from "../test/scaling/coverage-documents.ts";

const count = Number(process.argv[2] ?? 1000);

function show(title: string, coverage: Coverage): void {
  console.log(title);
  for (const [name, { at90, at95 }] of Object.entries(coverage))
    console.log(`  ${name.padEnd(36)} ${(100 * at90).toFixed(1)}  ${(100 * at95).toFixed(1)}`);
}

for (const [sizes, shared, own] of [
  [5, 0.005, 0.001],
  [5, 0.003, 0.003],
  [5, 0, 0.002],
  [6, 0.005, 0.001],
  [6, 0, 0.002],
  [4, 0.005, 0.001],
] as const) {
  show(`law, ${sizes} sizes, shared ${shared}, own ${own}`, coverLaw({ count, sizes, shared, own }));
}
for (const documents of [20, 200])
  show(
    `measured models, 5 sizes, ${documents} documents`,
    coverMeasured({ count: Math.ceil(count / 2), sizes: 5, documents }),
  );
for (const seeded of [1, 2, 4])
  show(`seeds, 5 sizes, ${seeded} of three seeds`, coverSeeds({ count, sizes: 5, seeded }));
for (const sizes of [5, 6, 4])
  show(`equal bits, ${sizes} sizes`, coverEqualBits({ count, sizes, shared: 0.003, own: 0.001 }));
show("effect, 5 sizes", coverEffect({ count: 10 * count, sizes: 5, shared: 0, own: 0.01 }));
for (const documents of [20, 200])
  show(`${documents} documents`, coverDocuments({ count: Math.ceil(count / 2), documents, draws: 500 }));
for (const growth of [0, 0.1, 0.2, 0.4]) {
  const { at10, at5 } = rejectParallel(growth, { count: Math.ceil(count / 4), sizes: 5, shared: 0.003, own: 0.001 });
  console.log(
    `parallel, growth ${growth}: p < 0.1 in ${(100 * at10).toFixed(1)} %, p < 0.05 in ${(100 * at5).toFixed(1)} %`,
  );
}
