// Tables of README.md and the figure, from the stores of run.sh: what size does to text and tasks, and the paper's findings.
//
//     node experiments/families/tables.ts FOLDER

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawCurves } from "../../src/report/figure.ts";
import { paperColors } from "../../src/report/page-style.ts";
import type { ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { formatNumber } from "../../src/scaling/claims/verdict.ts";
import { checkClaims } from "../../src/scaling/claims.ts";
import { openStore } from "../../src/study/store/store.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("Usage: node experiments/families/tables.ts FOLDER");
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const rows = await readRows("families");
const text = [
  ...describeStore(rows),
  ...tabulateSizes(await readRows("families-sizes")),
  ...tabulateKinds(rows.filter(({ key }) => key.task === "perplexity")),
  ...tabulateClaims(rows),
].join("\n");
const page = readFileSync(here("README.md"), "utf8");
writeFileSync(here("README.md"), page.replace(/(?<=<!-- tables -->\n).*?(?=<!-- end of tables -->)/s, () => `${text}\n`));
// With embedding and head at 16 bits in some points of a line and not in others, lines would bend for that alone.
const drawn = rows.filter(({ key }) => key.spec === "fp16" || key.spec.endsWith(":embed:head"));
for (const answer of answerRows(drawn, { task: "perplexity" })) {
  writeFileSync(here(`${answer.series.family}.svg`), drawOnPaper(drawCurves(answer, { width: 760, height: 500 })));
}

async function readRows(name: string): Promise<ResultRow[]> {
  const path = join(folder, `${name}.db`);
  if (!existsSync(path)) return [];
  const store = await openStore(path, { create: false });
  const found = await store.rows({ documents: true });
  await store.close();
  return found;
}

function describeStore(all: readonly ResultRow[]): string[] {
  const models = new Set(all.map(({ model }) => model.name));
  const dates = all.map(({ date }) => date).sort();
  const [first, last] = [dates[0], dates[dates.length - 1]].map((date) => date?.slice(0, 10));
  return [
    `${all.length.toLocaleString("en")} results on ${models.size} models, measured from ${first} to ${last}.`,
    "",
  ];
}

/** One line a model as it was trained. */
function tabulateSizes(all: readonly ResultRow[]): string[] {
  const order = [...new Map(all.map(({ model }) => [model.name, model])).values()].sort(
    (a, b) => a.family.localeCompare(b.family) || a.nonEmbeddingParameters - b.nonEmbeddingParameters,
  );
  const cell = (model: string, task: string, metric: string, digits: number, scale = 1) => {
    const found = all.find((row) => row.model.name === model && row.key.task === task)?.metrics[metric];
    if (found === undefined) return "";
    const { value, standardError = Number.NaN } = found;
    return `${(scale * value).toFixed(digits)} ± ${(scale * standardError).toFixed(digits)}`;
  };
  const lines = order.map(({ name, nonEmbeddingParameters }) => {
    const cells = [
      cell(name, "perplexity", "nll", 3),
      cell(name, "lastword", "acc", 1, 100),
      cell(name, "continuation", "acc", 1, 100),
    ];
    return `| ${name} | ${nonEmbeddingParameters.toLocaleString("en")} | ${cells.join(" | ")} |`;
  });
  return [
    "| at 16 bits | parameters outside the embedding | loss, nats a token | lastword, % | continuation, % (chance 50) |",
    "|---|---|---|---|---|",
    ...lines,
    "",
  ];
}

/** One line a family, data type and treatment of the embedding, at blocks of 64: by how much 4 bits are better at equal size. */
function tabulateKinds(all: readonly ResultRow[]): string[] {
  const lines = [...new Set(all.map(({ model }) => model.family))].sort().reverse().flatMap((family) =>
    ["int", "float", "dynamic", "quantile"].flatMap((type) =>
      [false, true].map((embed) => {
        const isKind = (spec: string) =>
          spec === "fp16" || (spec.startsWith(type) && spec.includes(":b64") && spec.endsWith(":embed:head") === embed);
        const [answer] = answerRows(all.filter(({ key, model }) => model.family === family && isKind(key.spec)));
        const over = (other: number) => {
          const pair = answer.range.pairs.find(({ first, second }) => Math.min(first, second) === Math.min(4, other) && Math.max(first, second) === Math.max(4, other));
          if (pair === undefined) return "";
          const advantage = pair.first === 4 ? pair.meanAdvantage : -pair.meanAdvantage;
          return `${advantage < 0 ? "−" : "+"}${Math.abs(advantage).toFixed(3)}`;
        };
        const best = [...answer.range.shares].sort((x, y) => y.ofContested - x.ofContested)[0];
        const share = best === undefined ? "" : `${best.bitsPerWeight} bits, ${Math.round(100 * best.ofContested)} %`;
        return `| ${family} | ${type} | ${embed ? "too" : "16 bits"} | ${[3, 5, 6, 8, 16].map(over).join(" | ")} | ${share} |`;
      }),
    ),
  );
  return [
    "| family | type, blocks of 64 | embedding, head | 4 over 3 bits | over 5 | over 6 | over 8 | over 16 | wins most budgets |",
    "|---|---|---|---|---|---|---|---|---|",
    ...lines,
    "",
  ];
}

/** One line a finding and family. */
function tabulateClaims(all: readonly ResultRow[]): string[] {
  const lines = checkClaims(all).flatMap(({ sentence, section, unit, families, ...whole }) =>
    (families ?? [{ ...whole, family: "" }]).map(({ family, verdict, effect, interval }) => {
      const range = interval === null ? "" : ` [${interval.map(formatNumber).join(", ")}]`;
      const size = effect === null ? "" : `${formatNumber(effect)}${range} ${unit}`;
      return `| ${sentence} (${section}) | ${family} | ${verdict} | ${size} |`;
    }),
  );
  return ["| finding of the paper | family | verdict | effect, 95 % |", "|---|---|---|---|", ...lines];
}

/** A figure of the report as a picture of its own: the colours of the page as they are on paper. */
function drawOnPaper(svg: string): string {
  const colored = svg.replace(/var\((--[\w-]+)\)/g, (whole, name) => paperColors.get(name) ?? whole);
  const style = "font:12px system-ui,sans-serif;background:#fff";
  return `${colored.replace("<svg ", `<svg xmlns="http://www.w3.org/2000/svg" style="${style}" `)}\n`;
}
