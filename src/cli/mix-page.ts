// The page of kbit mix: what each matrix is kept at, what that was predicted and measured to cost, and whether it is better
// than one spec throughout.

import { fewestPairs } from "../evaluate/compare/paired.ts";
import type { TextComparison } from "../evaluate/compare/text.ts";
import { formatPlural, formatSize } from "../report/units.ts";
import type { Measurement } from "./mix-measure.ts";
import { formatTable, paint, wrapText } from "./terminal.ts";

/** A spec for the whole model. */
export interface UniformChoice extends Measurement {
  readonly spec: string;
  /** Of the file. */
  readonly bytes: number;
  /** The sum of what each group costs alone; infinite where one could not be measured. */
  readonly predicted: number;
}

/** What `kbit mix --json` prints, but for what was asked. */
export interface MixPage {
  /** Canonical text; one spec for the whole model where that is best. */
  readonly mix: string;
  /** What was kept low. */
  readonly cost: keyof Measurement;
  readonly budget: number;
  /** Of the file. */
  readonly bytes: number;
  /** Of the model's file as it is stored; within the budget, no mix is better. */
  readonly storedBytes: number;
  readonly bitsPerWeight: number;
  readonly measuredOn: { windows: number; tokens: number; choices: number; kept: number };
  readonly solution: {
    /** Sum of what the choices cost alone; no assignment within the budget has a sum below `bound`. */
    readonly predicted: number;
    readonly bound: number;
    readonly relaxedBound: number;
    readonly isOptimal: boolean;
  };
  /** The mix itself, on the same windows. */
  readonly measured: Measurement;
  readonly uniform: readonly UniformChoice[];
  /** The uniform spec of least measured cost within the budget. */
  readonly best: string | null;
  readonly groups: readonly {
    readonly label: string;
    readonly layer: number;
    readonly spec: string;
    readonly bytes: number;
    readonly options: readonly (Measurement & { readonly spec: string; readonly bytes: number })[];
  }[];
  /** On other windows: mix and best uniform against the model as stored, and against each other. */
  readonly check: {
    readonly mix: TextComparison;
    readonly uniform?: TextComparison;
    readonly mixToUniform?: TextComparison;
  };
}

/** The page as text. */
export function formatMixPage(page: MixPage & { readonly model: string; readonly out: string }): string {
  const { model, out, budget, bytes, bitsPerWeight, measuredOn, cost } = page;
  const { windows, choices, kept } = measuredOn;
  const stored = page.mix === "stored" ? undefined : describeStored(page);
  const lines = [
    ...(stored ? [paint("bold", stored)] : []),
    paint("bold", describeVerdict(page)),
    "",
    `${out}: ${model} in ${formatSize(8 * bytes)} of ${formatSize(8 * budget)}, ${bitsPerWeight.toFixed(2)} bits a weight on average`,
    "",
    formatGroups(page),
    "",
    formatChoices(page),
    "",
    ...wrapText(
      `${formatPlural(choices, "choice")} measured on ${formatPlural(windows, "window")} of the text${kept > 0 ? ` (${kept} of them in an earlier run)` : ""}; ${describeSolution(page)} Predicted is the sum of what the matrices cost one at a time, measured the model as a whole, both in ${cost === "loss" ? "loss" : "divergence"} from the model as stored.`,
      100,
    ),
  ];
  return lines.join("\n");
}

/** What to do instead where the model as stored fits; undefined where it does not. */
export function describeStored({ storedBytes, budget }: Pick<MixPage, "storedBytes" | "budget">): string | undefined {
  if (storedBytes > budget) return undefined;
  return `The model as stored takes ${formatSize(8 * storedBytes)} and fits the budget of ${formatSize(8 * budget)}: keep it as it is, since a mix can only come near it.`;
}

/** Whether the mix is better than the best uniform spec, on windows on which nothing was chosen. */
function describeVerdict({ best, check }: MixPage): string {
  const { mixToUniform: pair } = check;
  if (best === null) return "No spec of the list fits the budget throughout, so that there is none to compare with.";
  if (!pair) return `No mix of these specs within the budget is better by its parts than ${best} throughout.`;
  const { ratio, ratioInterval: interval, windows } = pair;
  const times = `its perplexity is ${ratio.value.toFixed(4)} times as high`;
  const where = `on ${formatPlural(windows, "window")} on which nothing was chosen`;
  if (!interval) {
    return `Whether the mix is better than ${best} throughout, the best of the list that fits, cannot be told: ${times} ${where}, too few for an error (${fewestPairs} are needed).`;
  }
  const range = ` (95 % ${interval.low.toFixed(4)} to ${interval.high.toFixed(4)})`;
  const what =
    interval.low <= 1 && interval.high >= 1
      ? "neither clearly better nor clearly worse than"
      : ratio.value < 1
        ? "better than"
        : "worse than";
  return `The mix is ${what} ${best} throughout, the best of the list that fits: ${times}${range} ${where}.`;
}

function describeSolution({ solution: { predicted, bound, isOptimal } }: MixPage): string {
  if (isOptimal) return "no other assignment within the budget has a smaller sum.";
  return `another assignment within the budget may have a sum of ${bound.toPrecision(4)} instead of ${predicted.toPrecision(4)}, and none has less.`;
}

/** Matrices that differ only in their layer in one row: what each layer has. */
function formatGroups({ groups }: MixPage): string {
  const rows = new Map<string, string[]>();
  for (const { label, layer, spec } of groups) {
    const pattern = layer < 0 ? label : label.replace(new RegExp(`(\\.|layer )${layer}(?=\\.|,|$)`), "$1*");
    rows.set(pattern, [...(rows.get(pattern) ?? []), spec]);
  }
  const body = [...rows].map(([pattern, specs]) => [pattern, joinRuns(specs)]);
  return formatTable([{ title: "matrix" }, { title: "spec, layer by layer" }], body);
}

/** `nf4:b64 x 3, nf5:b64`. */
function joinRuns(specs: readonly string[]): string {
  const runs: { spec: string; count: number }[] = [];
  for (const spec of specs) {
    const last = runs.at(-1);
    if (last?.spec === spec) last.count++;
    else runs.push({ spec, count: 1 });
  }
  return runs.map(({ spec, count }) => (count > 1 ? `${spec} x ${count}` : spec)).join(", ");
}

function formatChoices({ mix, bytes, solution, measured, uniform, budget, best, check }: MixPage): string {
  const number = (value: number | null) => (value === null || !Number.isFinite(value) ? "none" : value.toPrecision(3));
  const over = ({ ratio }: TextComparison) => `${ratio.value.toFixed(4)} ± ${(ratio.standardError ?? 0).toFixed(4)}`;
  const rows = uniform.map((one) => [
    one.spec,
    formatSize(8 * one.bytes),
    one.bytes <= budget ? "yes" : "no",
    number(one.predicted),
    number(one.divergence),
    number(one.loss),
    one.spec === best && check.uniform ? over(check.uniform) : "",
  ]);
  const last = [
    mix,
    formatSize(8 * bytes),
    "yes",
    number(solution.predicted),
    number(measured.divergence),
    number(measured.loss),
    over(check.mix),
  ];
  if (mix === best) rows[uniform.findIndex(({ spec }) => spec === mix)] = last;
  else rows.push(last);
  return formatTable(
    [
      { title: "spec" },
      { title: "file", align: "right" },
      { title: "fits" },
      { title: "predicted", align: "right" },
      { title: "divergence", align: "right" },
      { title: "loss", align: "right" },
      { title: "perplexity ratio, other windows" },
    ],
    rows,
  );
}
