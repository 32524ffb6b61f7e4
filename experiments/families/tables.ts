// Tables of README.md and the figures, from the rows beside it: what size does to text and tasks, 4 bits against the others by
// kind, what chance in training and more of it do to the damage, and the paper's findings.
//
//     node experiments/families/tables.ts

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drawCurves } from "../../src/report/figure.ts";
import { paperColors } from "../../src/report/page-style.ts";
import type { ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { formatNumber } from "../../src/scaling/claims/verdict.ts";
import { checkClaims } from "../../src/scaling/claims.ts";
import { openRows } from "../../src/study/exchange/open-rows.ts";

const types = ["int", "float", "dynamic", "quantile"];
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const rows = await readRows("rows");
const training = await readRows("training");
const text = [
  ...describeStore(rows),
  ...tabulateSizes(await readRows("sizes")),
  ...tabulateKinds(rows.filter(({ key }) => key.task === "perplexity")),
  ...tabulateTypes(rows.filter(({ key }) => key.task === "perplexity")),
  ...tabulateSeeds(training.filter(({ model }) => model.family.endsWith("-seeds"))),
  ...tabulateAmounts(training.filter(({ model }) => model.family.endsWith("-amounts"))),
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
  const path = here(`${name}.parquet`);
  if (!existsSync(path)) return [];
  const store = await openRows(path);
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
  const lines = listFamilies(all).flatMap((family) =>
    [...types, "best"].flatMap((type) =>
      [false, true].map((embed) => {
        const isType = (spec: string) => type === "best" || spec.startsWith(type);
        const isKind = (spec: string) =>
          spec === "fp16" || (isType(spec) && spec.includes(":b64") && spec.endsWith(":embed:head") === embed);
        const [answer] = answerRows(all.filter(({ key, model }) => model.family === family && isKind(key.spec)));
        const over = (other: number) => {
          const pair = answer.range.pairs.find(
            ({ first, second }) => (first === 4 && second === other) || (first === other && second === 4),
          );
          if (pair === undefined) return "";
          return formatSigned(pair.first === 4 ? pair.meanAdvantage : -pair.meanAdvantage);
        };
        const best = [...answer.range.shares].sort((x, y) => y.ofContested - x.ofContested)[0];
        const share = best === undefined ? "" : `${best.bitsPerWeight} bits, ${Math.round(100 * best.ofContested)} %`;
        return `| ${family} | ${type === "best" ? "best of the four" : type} | ${embed ? "too" : "16 bits"} | ${[3, 5, 6, 8, 16].map(over).join(" | ")} | ${share} |`;
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

/** One line a family and block: by how much one type is better than another, mean over the sizes; and in how many of them. */
function tabulateTypes(all: readonly ResultRow[]): string[] {
  const contests = [4, 5].flatMap((bits) => [
    { bits, first: "float", second: "int" },
    { bits, first: "quantile", second: "int" },
    { bits, first: "quantile", second: "float" },
  ]);
  const lossOf = (model: string, type: string, bits: number, block: string) =>
    all.find(({ key: { spec }, model: { name } }) => {
      const [head, ...options] = spec.split(":");
      const isBlock = block === "none" ? !options.some((one) => /^b\d/.test(one)) : options.includes(block);
      return name === model && head === `${type}${bits}` && isBlock && !options.includes("embed");
    })?.metrics.nll.value ?? Number.NaN;
  const lines = listFamilies(all).flatMap((family) => {
    const models = [...new Set(all.filter(({ model }) => model.family === family).map(({ model }) => model.name))];
    return ["b64", "b256", "b1024", "none"].map((block) => {
      const cells = contests.map(({ bits, first, second }) => {
        const gains = models
          .map((model) => lossOf(model, second, bits, block) - lossOf(model, first, bits, block))
          .filter(Number.isFinite);
        const mean = gains.reduce((sum, one) => sum + one, 0) / gains.length;
        return `${formatSigned(mean)} (${gains.filter((one) => one > 0).length} of ${gains.length})`;
      });
      return `| ${family} | ${block.replace("b", "")} | ${cells.join(" | ")} |`;
    });
  });
  const titles = contests.map(({ bits, first, second }) => `${first}${bits} over ${second}${bits}`);
  return [`| family | block | ${titles.join(" | ")} |`, `|${"---|".repeat(2 + titles.length)}`, ...lines, ""];
}

/** Names of the families, neox first. */
function listFamilies(all: readonly ResultRow[]): string[] {
  return ["neox", "llama"].filter((name) => all.some(({ model }) => model.family === name));
}

/** The damage at blocks of 64, how much higher the loss is than at 16 bits: mean and standard deviation over seeds. */
function tabulateSeeds(all: readonly ResultRow[]): string[] {
  const bits = [3, 4, 5, 6, 8];
  const lines = [...new Set(all.map(({ model }) => model.family))].flatMap((family) =>
    types.flatMap((type) =>
      [false, true].map((embed) => {
        const cells = bits.map((k) => {
          const found = damages(all.filter(({ model }) => model.family === family), type, k, embed);
          const mean = found.reduce((sum, one) => sum + one, 0) / found.length;
          const squares = found.reduce((sum, one) => sum + (one - mean) ** 2, 0);
          return `${formatSigned(mean)} ± ${Math.sqrt(squares / (found.length - 1)).toFixed(3)}`;
        });
        return `| ${family} | ${type} | ${embed ? "too" : "16 bits"} | ${cells.join(" | ")} |`;
      }),
    ),
  );
  if (lines.length === 0) return [];
  const head = `| damage over seeds ± standard deviation | type, blocks of 64 | embedding, head | ${bits.map((k) => `${k} bits`).join(" | ")} |`;
  return [head, `|${"---|".repeat(3 + bits.length)}`, ...lines, ""];
}

/** The damage at 3 and 4 bits, blocks of 64, by the amount of training. */
function tabulateAmounts(all: readonly ResultRow[]): string[] {
  const kinds = types.flatMap((type) => [3, 4].map((bits) => ({ type, bits })));
  const lines = [...new Set(all.map(({ model }) => model.name))].map((name) => {
    const own = all.filter(({ model }) => model.name === name);
    const tokens = own[0].model.trainingTokens ?? Number.NaN;
    const cells = kinds.map(({ type, bits }) => formatSigned(damages(own, type, bits, false)[0] ?? Number.NaN));
    return { tokens, line: `| ${name} | ${(tokens / 1e6).toFixed(1)} M | ${cells.join(" | ")} |` };
  });
  if (lines.length === 0) return [];
  const head = `| damage by training | tokens | ${kinds.map(({ type, bits }) => `${type}${bits}`).join(" | ")} |`;
  const sorted = lines.sort((a, b) => a.tokens - b.tokens).map(({ line }) => line);
  return [head, `|${"---|".repeat(2 + kinds.length)}`, ...sorted, ""];
}

/** Of each model the loss at a type and width, blocks of 64, less that at 16 bits. */
function damages(all: readonly ResultRow[], type: string, bits: number, embed: boolean): number[] {
  const isKind = ({ key: { spec } }: ResultRow) =>
    spec.startsWith(`${type}${bits}:`) && spec.includes(":b64") && spec.endsWith(":embed:head") === embed;
  return all.filter(isKind).map((row) => {
    const base = all.find(({ key, model }) => key.spec === "fp16" && model.name === row.model.name);
    return row.metrics.nll.value - (base?.metrics.nll.value ?? Number.NaN);
  });
}

/** One line a finding and family. */
function tabulateClaims(all: readonly ResultRow[]): string[] {
  const lines = checkClaims(all).flatMap(({ sentence, section, unit, families, ...whole }) =>
    (families ?? [{ ...whole, family: "" }]).map(({ family, verdict, effect, interval, alike }) => {
      const size = effect === null ? "" : `${formatRange(effect, interval)} ${unit}`;
      return `| ${sentence} (${section}) | ${family} | ${verdict} | ${size} | ${alike ? formatRange(alike.effect, alike.interval) : ""} |`;
    }),
  );
  const head = "| finding of the paper | family | verdict | effect, 95 % | of others trained alike |";
  return [head, "|---|---|---|---|---|", ...lines];
}

function formatRange(effect: number, interval: readonly [number, number] | null): string {
  return `${formatNumber(effect)}${interval === null ? "" : ` [${interval.map(formatNumber).join(", ")}]`}`;
}

function formatSigned(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}

/** A figure of the report as a picture of its own: the colours of the page as they are on paper. */
function drawOnPaper(svg: string): string {
  const colored = svg.replace(/var\((--[\w-]+)\)/g, (whole, name) => paperColors.get(name) ?? whole);
  const style = "font:12px system-ui,sans-serif;background:#fff";
  return `${colored.replace("<svg ", `<svg xmlns="http://www.w3.org/2000/svg" style="${style}" `)}\n`;
}
